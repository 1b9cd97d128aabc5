"""Tests mirror the rooms, and each says for itself what must hold: both are read from the source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ROOT

BUILDINGS = ("store", "precompute", "explorer")
PAGES = "explorer/views/test_pages.py"
# Modules without a test file of their name: the file that tests them, and why they have none of their own.
ELSEWHERE: dict[str, tuple[str, str]] = {
    "explorer/capsule/__main__.py": ("explorer/capsule/test_capsule.py", "the page is made by its command"),
    "explorer/charts/epochs.py": ("explorer/views/test_emergence.py", "drawn where a page shows it"),
    "explorer/data/epochs.py": ("explorer/views/test_emergence.py", "what is kept is what a page shows"),
    "explorer/matrix/film.js": ("explorer/browser/test_emergence.py", "a film needs a browser"),
    "explorer/matrix/film.py": ("explorer/browser/test_emergence.py", "a film needs a browser"),
    "explorer/parts/film.py": ("explorer/browser/test_emergence.py", "a film needs a browser"),
    "explorer/capsule/page.py": ("explorer/capsule/test_capsule.py", "HTML and script are one page"),
    "explorer/charts/chance.py": ("explorer/parts/test_chance.py", "drawn where a page shows it"),
    "explorer/charts/sample.py": ("explorer/frames/test_sample.py", "bars of what the sample leaves open"),
    "explorer/charts/scaling.py": ("explorer/views/test_claims.py", "drawn where a page shows it"),
    "explorer/data/chance.py": ("explorer/parts/test_chance.py", "what is kept is what a page shows"),
    "explorer/data/what_if.py": ("explorer/views/test_afcc.py", "against the layer, number by number"),
    "explorer/matrix/__init__.py": ("explorer/matrix/test_matrix.py", "one component, in Python and JavaScript"),
    "explorer/frames/afcc.py": ("explorer/views/test_afcc.py", "the page's tables are these frames"),
    "explorer/frames/chance.py": ("explorer/parts/test_chance.py", "the page's tables are these frames"),
    "explorer/matrix/component.py": ("explorer/matrix/test_matrix.py", "one component, in Python and JavaScript"),
    "explorer/app.py": (PAGES, "every page is opened through it"),
    "explorer/matrix/corner.js": ("explorer/matrix/test_matrix.py", "one component, in Python and JavaScript"),
    "explorer/matrix/strip.js": ("explorer/browser/test_filter.py", "images below Figure 1 need a browser"),
    "explorer/parts/pins.py": ("explorer/browser/test_filter.py", "pinned and unpinned in a browser"),
    "explorer/parts/pictures.py": ("explorer/browser/test_filter.py", "images are looked at in a browser"),
    "explorer/matrix/layout.js": ("explorer/matrix/test_matrix.py", "one component, in Python and JavaScript"),
    "explorer/names.js": ("explorer/browser/test_faults.py", "names for screen readers need a browser"),
    "explorer/parts/copy_link.js": ("explorer/browser/test_view.py", "needs a browser"),
    "explorer/matrix/figure.js": ("explorer/matrix/test_matrix.py", "one component, in Python and JavaScript"),
    "explorer/matrix/measure.js": ("explorer/matrix/test_matrix.py", "bit by bit against store.measure"),
    "explorer/matrix/pack.py": ("explorer/matrix/test_matrix.py", "one component, in Python and JavaScript"),
    "explorer/matrix/page.js": ("explorer/matrix/test_matrix.py", "one component, in Python and JavaScript"),
    "explorer/matrix/paint.js": ("explorer/matrix/test_matrix.py", "one component, in Python and JavaScript"),
    "explorer/matrix/save.js": ("explorer/matrix/test_matrix.py", "one component, in Python and JavaScript"),
    "explorer/matrix/script.py": ("explorer/matrix/test_matrix.py", "one component, in Python and JavaScript"),
    "explorer/matrix/style.js": ("explorer/matrix/test_matrix.py", "one component, in Python and JavaScript"),
    "explorer/history.js": ("explorer/browser/test_view.py", "a browser's history needs a browser"),
    "explorer/notebook/__init__.py": ("explorer/notebook/test_live.py", "what people import from it"),
    "explorer/notebook/colours.js": ("explorer/browser/test_notebook.py", "colours of a notebook need a browser"),
    "explorer/notebook/still.py": ("explorer/notebook/test_live.py", "the picture beside a widget"),
    "explorer/opening.py": (PAGES, "which file is shown is seen on a page"),
    "explorer/parts/at_rest.js": ("explorer/browser/test_view.py", "needs a browser"),
    "explorer/parts/controls.py": (PAGES, "controls are used on a page"),
    "explorer/parts/gallery.py": (PAGES, "a gallery is looked at on a page"),
    "explorer/parts/page.py": (PAGES, "what all pages share"),
    "explorer/parts/sample.py": ("explorer/data/test_sample.py", "what it resamples, a page shows"),
    "explorer/parts/save_chart.js": ("explorer/browser/test_view.py", "needs a browser"),
    "explorer/parts/sides.py": (PAGES, "two sides of the page Compare"),
    "explorer/parts/snippets.py": (PAGES, "each printed program is run"),
    "explorer/parts/text.py": (PAGES, "text of a stranger's on every page"),
    "explorer/print.js": ("explorer/browser/test_view.py", "paper needs a browser"),
    "explorer/report/__main__.py": ("explorer/report/test_report.py", "one report, looked at from all sides"),
    "explorer/report/charts.py": ("explorer/report/test_report.py", "one report, looked at from all sides"),
    "explorer/report/figures.py": ("explorer/report/test_report.py", "one report, looked at from all sides"),
    "explorer/report/claims.py": ("explorer/report/test_report.py", "one report, looked at from all sides"),
    "explorer/report/files.py": ("explorer/report/test_report.py", "one report, looked at from all sides"),
    "explorer/report/markup.py": ("explorer/report/test_report.py", "one report, looked at from all sides"),
    "explorer/report/page.py": ("explorer/report/test_report.py", "one report, looked at from all sides"),
    "explorer/report/pictures.py": ("explorer/report/test_report.py", "one report, looked at from all sides"),
    "explorer/report/tables.py": ("explorer/report/test_report.py", "one report, looked at from all sides"),
    "explorer/views/compare.py": (PAGES, "what all pages must do is asked of all at once"),
    "explorer/views/filter.py": (PAGES, "what all pages must do is asked of all at once"),
    "explorer/views/labels.py": (PAGES, "what all pages must do is asked of all at once"),
    "explorer/views/layer.py": (PAGES, "what all pages must do is asked of all at once"),
    "explorer/views/overview.py": (PAGES, "what all pages must do is asked of all at once"),
    "explorer/views/scaling.py": ("explorer/views/test_claims.py", "both pages look at a folder of runs"),
    "store/measure/bootstrap_kernels.py": ("store/measure/test_bootstrap.py", "the loops under bootstrap"),
    "store/measure/halves.py": ("store/measure/test_bootstrap.py", "two halves are one resample"),
    "store/measure/probe.py": ("store/measure/test_afcc.py", "the loops under afcc"),
    "precompute/images/data.py": ("precompute/images/test_class_folders.py", "what loads a data set, of each kind"),
    "precompute/images/cifar_pickles.py": ("precompute/images/test_sources_damage.py", "one form of several"),
    "precompute/images/encoded.py": (
        "precompute/images/test_digests.py",
        "an image as it is stored, whose bytes are compared",
    ),
    "precompute/images/splits.py": ("precompute/images/test_class_folders.py", "drawn of the labels' folders"),
    "precompute/images/stored/tables.py": ("precompute/images/stored/test_parquet.py", "the columns of a file's table"),
    "precompute/images/tiny_imagenet.py": ("precompute/images/test_class_folders.py", "one more form of folders"),
    "precompute/images/walk.py": ("precompute/images/test_class_folders.py", "what lies in a label's folder"),
    "precompute/networks/checkpoints/misfit.py": (
        "precompute/networks/checkpoints/test_schemes.py",
        "what is said where no scheme fits",
    ),
    "benchmarks/doubts.py": ("benchmarks/test_results.py", "blocks of README and docs/, all made by one command"),
    "precompute/__init__.py": ("precompute/test_measuring.py", "what people import from it"),
    "precompute/provenance.py": ("precompute/test_measuring.py", "entries of every manifest"),
    "precompute/one_layer.py": ("precompute/test_measuring.py", "stages 2 and 3, of arrays alone"),
    "precompute/job.py": ("precompute/test_main.py", "what a run is, as its command makes it"),
    "precompute/activations.py": ("precompute/test_probe.py", "what a probe is trained on"),
    "precompute/disk/placement.py": ("precompute/test_probe.py", "room for what a probe is trained on"),
    "precompute/training/hooks.py": ("precompute/training/test_loop.py", "what happens around a step"),
    "precompute/messages/problem.py": ("precompute/test_main_bad_input.py", "what is said where an input is wrong"),
    "precompute/machine/device.py": ("precompute/training/test_loop_gpu.py", "what differs on a GPU"),
    "precompute/messages/wording.py": ("precompute/test_main.py", "its words are in what a run prints"),
    "precompute/networks/arch.py": ("precompute/networks/test_models.py", "a record that they fill"),
    "precompute/networks/attention.py": ("precompute/networks/test_timm_models.py", "heads are of a model"),
    "precompute/networks/choose.py": ("precompute/networks/test_timm_models.py", "taps are of a model"),
    "precompute/networks/main_path.py": ("precompute/networks/test_stages.py", "on which stages end"),
    "precompute/networks/vgg16.py": ("precompute/networks/test_models.py", "against the published sizes"),
    "precompute/cli.py": ("precompute/test_main_bad_input.py", "what a person is told of what goes wrong"),
    "precompute/plan.py": ("precompute/test_main.py", "a plan against the run that it planned"),
    "precompute/pruning.py": ("precompute/test_afcc.py", "what AFCC trains"),
    "precompute/result.py": ("precompute/test_main.py", "the file that a run makes"),
    "precompute/stages.py": ("precompute/test_main.py", "the three stages, as a run has them"),
    "precompute/sweep/estimate.py": ("precompute/sweep/test_main.py", "its process is started by a sweep"),
    "precompute/sweep/options.py": ("precompute/sweep/test_runs.py", "options are which runs there are"),
    "precompute/sweep/plan.py": ("precompute/sweep/test_main.py", "printed by a sweep"),
    "precompute/sweep/pools.py": ("precompute/sweep/test_main.py", "processes and workers of a sweep"),
    "precompute/sweep/supervised.py": ("precompute/sweep/test_main.py", "ends with the sweep that was killed"),
    "precompute/training/batch_norm.py": ("precompute/machine/test_distributed.py", "statistics over processes"),
    "precompute/training/graph.py": ("precompute/training/test_loop_gpu.py", "CUDA graphs need a GPU"),
    "store/__init__.py": ("test_readme.py", "what people import, as README shows it"),
    "store/file/afcc_results.py": ("explorer/views/test_afcc.py", "no entry of a stranger's file raises"),
    "store/file/layer.py": ("store/file/test_format.py", "what is written of a layer, read again"),
    "store/file/opened.py": ("store/file/test_read_damage.py", "what is read is compared with its checksum"),
    "store/file/manifest.py": ("explorer/parts/test_chance.py", "two functions"),
    "store/measure/kernels.py": ("store/measure/test_layer.py", "compiled loops of layer, against plain Python"),
    "store/measure/labels.py": ("explorer/frames/test_layer.py", "one function, whose table is there"),
    "store/measure/summary.py": ("store/paper/test_claims.py", "a record that claims are judged by"),
    "store/measure/threads.py": ("store/measure/test_layer.py", "results do not depend on threads"),
    "store/paper/citation.py": ("store/test_publish.py", "sent with a file"),
    "store/paper/criteria.py": ("store/paper/test_claims.py", "claims are judged by them"),
    "store/paper/records.py": ("store/paper/test_claims.py", "claims are judged of them"),
    "store/tables/layers.py": ("store/test_main.py", "printed by `store info`"),
}
# Test files that stand for no module: what they test is the project.
OF_THE_PROJECT = {
    "test_ways_in.py",
    "test_boundaries.py",
    "test_filterscope.py",
    "test_readers.py",
    "test_readme.py",
    "test_rooms.py",
    "test_trust.py",
    PAGES,
}
OF_THE_PROJECT |= {"explorer/report/test_report.py"}


def modules() -> list[str]:
    """Every file of the packages that holds code, and of benchmarks/ those whose numbers README and docs/ show."""
    found = [path for name in BUILDINGS for kind in ("*.py", "*.js") for path in (ROOT / name).rglob(kind)]
    holds_code = [path for path in found if path.suffix == ".js" or _holds_code(path)]
    shown = [ROOT / "benchmarks" / name for name in ("results.py", "doubts.py", "families.py")]
    return sorted(path.relative_to(ROOT).as_posix() for path in [*holds_code, *shown])


def _holds_code(path: Path) -> bool:
    return any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in ast.walk(_tree(path)))


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def files_of_tests() -> list[str]:
    tests = ROOT / "tests"
    return sorted(path.relative_to(tests).as_posix() for path in tests.rglob("test_*.py"))


def own_tests(module: str, files: list[str]) -> list[str]:
    """store/measure/layer.py -> store/measure/test_layer.py, and what goes on with it: test_layer_limits.py."""
    path = Path(module)
    stem = (path.parent / f"test_{path.stem.strip('_')}").as_posix()
    return [file for file in files if file == f"{stem}.py" or file.startswith(f"{stem}_")]


def test_every_module_has_its_test_file_or_a_reason() -> None:
    files = files_of_tests()
    without = [module for module in modules() if not own_tests(module, files)]
    assert sorted(set(without) - set(ELSEWHERE)) == []


def test_every_reason_still_holds() -> None:
    known, files = set(modules()), files_of_tests()
    for module, (file, reason) in ELSEWHERE.items():
        assert module in known, f"{module} is not there any more"
        assert own_tests(module, files) == [], f"{module} has a test file of its own by now"
        assert file in files and reason, f"{module}: {file} is not there"


def test_every_test_file_stands_for_a_module() -> None:
    files = files_of_tests()
    for_a_module = {file for module in modules() for file in own_tests(module, files)}
    in_a_browser = {file for file in files if file.startswith("explorer/browser/")}  # a file a page
    assert sorted(set(files) - for_a_module - OF_THE_PROJECT - in_a_browser) == []


# ---- Assertions -----------------------------------------------------------------------------------------------------


def each_test(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node


ASSERTING = {"pytest.raises", "pytest.warns", "eventually", "eventually_true", "arrive", "wait_for_address"}


def asserts(test: ast.FunctionDef) -> bool:
    """An `assert` of its own, `pytest.raises` or `warns`, what waits for what it asserts, or a function that is called
    `assert_...`."""
    for node in ast.walk(test):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in (
                "pytest.raises",
                "pytest.warns",
                "eventually",
                "eventually_true",
                "arrive",
            ) or called.rpartition(".")[2].startswith("assert_"):
                return True
    return False


@pytest.mark.parametrize("file", files_of_tests())
def test_every_test_asserts_something_itself(file: str) -> None:
    names = [test.name for test in each_test(_tree(ROOT / "tests" / file)) if not asserts(test)]
    assert names == []


def test_a_test_without_an_assertion_is_found() -> None:
    source = """
def test_of_nothing(page):
    visit(page, "layer")
def test_in_a_browser(page):
    eventually(page, heading, "Layer")
def test_that_raises():
    with pytest.raises(ValueError):
        int("x")
def test_of_arrays():
    np.testing.assert_array_equal(1, 1)
def test_that_asserts():
    for one in range(3):
        assert one >= 0
"""
    assert [test.name for test in each_test(ast.parse(source)) if not asserts(test)] == ["test_of_nothing"]


def test_a_module_without_a_test_file_is_found() -> None:
    files = ["store/measure/test_layer.py", "store/measure/test_layer_limits.py", "store/test_main.py"]
    assert own_tests("store/measure/layer.py", files) == files[:2]
    assert own_tests("store/__main__.py", files) == files[2:]
    assert own_tests("store/measure/lay.py", files) == []
