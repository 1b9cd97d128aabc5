"""What the explorer keeps of a file between runs of a page."""

import platform
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("streamlit", reason="Streamlit is in the extra [explore]")
from explorer import server
from explorer.data import load, source
from store.file.read import Run
from store.measure.layer import measure_layer
from tests import ROOT
from tests.explorer_runs import make_run


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> source.FileId:
    path = make_run(tmp_path_factory.mktemp("runs") / "run.h5")
    return source.Source(path.parent, only=path.name).files()[0]


def test_a_measure_is_made_once_and_is_the_layers(file: source.FileId) -> None:
    measured = load.measured(file, "7", 0.4, "stored")
    assert load.measured(file, "7", 0.4, "stored") is measured
    with Run(file.path) as run:
        expected = measure_layer(run.layers["7"].fields().matrices(), 0.4)
    assert np.array_equal(measured.cluster_of, expected.cluster_of)


def test_measures_are_kept_up_to_so_many_bytes_the_last_used_longest(
    file: source.FileId, monkeypatch: pytest.MonkeyPatch
) -> None:
    load.MEASURES.clear()
    one = load.measured(file, "7", 0.0, "stored")
    assert one.cluster_of.base is None  # nothing else is kept with it
    monkeypatch.setattr(load.MEASURES, "most", 3 * one.cluster_of.nbytes)
    for step in range(1, 40):
        load.measured(file, "7", step / 40, "stored")
        assert load.measured(file, "7", 0.0, "stored") is one
        assert sum(kept.cluster_of.nbytes for kept in load.MEASURES.values()) <= load.MEASURES.most
    assert len(load.MEASURES.values()) == 3


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what is freed for each thread")
def test_large_blocks_go_back_to_the_system() -> None:
    program = """
from pathlib import Path
import numpy as np
from explorer import server

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

server.return_memory()
for _ in range(3):  # glibc would keep blocks of this size from the second on
    block = np.ones(5 << 20, np.uint8)
    held = resident()
    del block
    assert held - resident() >= 4 << 20, (held, resident())
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)  # its heap has no holes yet


def test_a_page_of_another_server_makes_the_server_ask_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit would ask the outside for this machine's address, to compare it with where that page is from."""
    from streamlit import net_util
    from streamlit.web.server.server_util import is_url_from_allowed_origins

    asked: list[str] = []
    monkeypatch.setattr(net_util, "_external_ip", None)
    monkeypatch.setattr(net_util, "_make_blocking_http_get", lambda url, timeout=5: asked.append(url))
    monkeypatch.setattr(net_util, "get_internal_ip", lambda: None)
    assert not is_url_from_allowed_origins("http://elsewhere.test") and asked  # else there is nothing to prevent
    asked.clear()
    server.disable_public_ip_lookup.clear()
    server.disable_public_ip_lookup()
    assert not is_url_from_allowed_origins("http://elsewhere.test") and not asked
