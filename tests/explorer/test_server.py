"""What the server is told before it serves: which memory it gives back, and whom it does not ask."""

import platform
import subprocess
import sys

import pytest

pytest.importorskip("streamlit", reason="Streamlit is in the extra [explore]")
from explorer import server
from tests import ROOT


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what is freed for each thread")
def test_large_blocks_go_back_to_the_system() -> None:
    program = """
from pathlib import Path
import numpy as np
from explorer import server

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

server.return_memory()
returned = []
for _ in range(3):  # glibc would keep blocks of this size from the second on
    block = np.ones(5 << 20, np.uint8)
    held = resident()
    del block
    returned.append(held - resident())
print(*returned)
"""
    command = [sys.executable, "-c", program]  # whose heap has no holes yet
    done = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True)
    returned = [int(size) for size in done.stdout.split()]
    assert len(returned) == 3 and min(returned) >= 4 << 20


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
