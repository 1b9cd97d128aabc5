"""Each program of docs/readers.md that can run here is run, as it stands there, and must find the very matrix.

Those of Python and JavaScript are looked for in .readers/, which `make readers` makes, or in the folder that READERS
names; then in what runs the tests. R and Octave are the system's. Where one is not there its test is skipped.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from store.file.read import Run
from store.file.write import write_run
from tests import ROOT
from tests.builders import small_run

FOLDER = Path(os.environ.get("READERS", ROOT / ".readers"))
PROGRAMS = dict(
    re.findall(r"<!-- reader: (.+?) -->\n```\w+\n(.*?)```", (ROOT / "docs" / "readers.md").read_text("utf-8"), re.S)
)
MISSING = 77
_PYTHON = """
import sys
try:
    {imports}
except ImportError:
    sys.exit({missing})
import numpy, warnings
warnings.simplefilter("ignore")
{program}
numpy.ascontiguousarray(F, "<f4").tofile("F")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readers")
    write_run(folder / "run.h5", small_run({"10": (20, 4), "13": (5, 1)}, n_labels=5))
    return folder


def run_python(name: str, program: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    imports = "; ".join(f"import {module}" for module in name.split())
    text = _PYTHON.format(imports=imports, missing=MISSING, program=program)
    pythons = [str(FOLDER / "bin" / "python"), sys.executable]
    for python in filter(os.path.exists, pythons):
        done = subprocess.run([python, "-c", text], cwd=folder, capture_output=True, text=True)
        if done.returncode != MISSING:
            return done
    pytest.skip(f"{name} is not installed; `make readers` does")


def run_r(name: str, program: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    rscript = shutil.which("Rscript") or pytest.skip("R is not installed")
    text = f'if (!requireNamespace("{name}", quietly = TRUE)) quit(status = {MISSING})\n{program}\n'
    text += 'writeBin(as.vector(t(F)), "F", size = 4)'
    done = subprocess.run([rscript, "--vanilla", "-e", text], cwd=folder, capture_output=True, text=True)
    if done.returncode == MISSING:
        pytest.skip(f"{name} is not installed")
    return done


def run_octave(name: str, program: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    octave = shutil.which("octave-cli") or pytest.skip("Octave is not installed")
    text = f'{program}\nfile = fopen("F", "w"); fwrite(file, F\', "single"); fclose(file);'
    command = [octave, "--quiet", "--no-init-file", "--no-history", "--eval", text]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def run_node(name: str, program: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    node, modules = shutil.which("node") or pytest.skip("node is not installed"), FOLDER / "js" / "node_modules"
    if not (modules / name).is_dir():
        pytest.skip(f"{name} is not installed; `make readers` does")
    (folder / "node_modules").unlink(missing_ok=True)
    (folder / "node_modules").symlink_to(modules)
    text = (
        program
        + 'import { writeFileSync } from "node:fs";\nwriteFileSync("F", Buffer.from(Float32Array.from(F).buffer));'
    )
    (folder / "program.mjs").write_text(text)
    return subprocess.run([node, "program.mjs"], cwd=folder, capture_output=True, text=True)


RUN = {"hdf5r": run_r, "rhdf5": run_r, "octave": run_octave, "h5wasm": run_node, "jsfive": run_node}


@pytest.mark.readers
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_reader_finds_the_matrix(name: str, folder: Path) -> None:
    (folder / "F").unlink(missing_ok=True)
    done = RUN.get(name, run_python)(name, PROGRAMS[name], folder)
    assert (folder / "F").exists(), done.stdout + done.stderr
    with Run(folder / "run.h5") as run:
        expected = run.layers["10"].field(17)
    assert not np.array_equal(expected, expected.T)  # which way round is seen
    found = np.fromfile(folder / "F", "<f4").reshape(expected.shape)
    assert np.array_equal(found, expected)


@pytest.mark.readers
def test_xarray_names_every_axis(folder: Path) -> None:
    """With h5netcdf, and with netCDF4 where it is there."""
    program = """
import importlib.util
for engine in ["h5netcdf", *["netcdf4"][: importlib.util.find_spec("netCDF4") is not None]]:
    tree = xarray.open_datatree("run.h5", engine=engine)
    assert list(tree["layers"].children) == ["10", "13"]
    assert not any("phony" in str(name) for group in tree.subtree for name in group.dims)
    layer = tree["layers/10"]
    names = [name.decode() if isinstance(name, bytes) else name for name in layer["output_label"].values]
    assert names == [f"label {k}" for k in range(5)]
    F = xarray.dot(layer["class_means"], layer["probe_weights"], dim="position").sel(filter=17)
    assert F.dims == ("input_label", "output_label")
    assert numpy.allclose(F, layer["fields"].sel(filter=17), rtol=1e-5, atol=1e-6)
"""
    done = run_python("xarray h5netcdf", program, folder)
    assert done.returncode == 0, done.stderr


@pytest.mark.readers
def test_silx_opens_the_matrices_of_the_first_layer(folder: Path) -> None:
    program = """
with silx.io.open("run.h5") as file:
    shown = silx.io.nxdata.get_default(file)
    assert shown.is_valid and shown.signal.name == "/layers/10/fields" and shown.interpretation == "image"
    assert shown.axes_names == ["filter", "input label", "output label"]
    F = shown.signal[17]
"""
    done = run_python("silx.io.nxdata", program, folder)
    assert done.returncode == 0, done.stderr


def test_every_program_of_the_page_is_run() -> None:
    text = (ROOT / "docs" / "readers.md").read_text("utf-8")
    not_run = re.findall(r"(?<!-->)\n```(\w+)\n", text)
    assert sorted(not_run) == ["bash", "julia", "matlab"]
    assert len(PROGRAMS) == 10
