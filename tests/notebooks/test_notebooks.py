"""Every experiment runs small, as a user would run it, and leaves a whole report."""

import shutil
from pathlib import Path

import pytest

from nextcall.embedding import OnnxEmbedder, vectors_key
from nextcall.embedding.wordpieces import piece_texts
from nextcall.runs.experiment import load_experiment
from nextcall.runs.notebook import has_outputs, is_fresh, read_notebook
from nextcall.runs.result import read_result
from nextcall.runs.run import RunResult, run_experiment

ROOT = Path(__file__).resolve().parents[2]
EXPERIMENTS = sorted((ROOT / "experiments").glob("*.yaml"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
MAX_BYTES = 1_500_000
MAX_CELLS = 36


@pytest.fixture(scope="session")
def word_pieces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Name the file where the first run leaves the vectors of the word pieces."""
    return tmp_path_factory.mktemp("pieces") / f"{vectors_key(OnnxEmbedder(), piece_texts())}.npy"


@pytest.fixture(scope="module", params=EXPERIMENTS, ids=lambda path: path.stem)
def run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, word_pieces: Path
) -> RunResult:
    """Run an experiment with its smoke parameters; nothing that was computed before helps.

    But for the vectors of the word pieces, which take half a minute and are the same for all: the
    first run that needs them computes them. Coverage does not watch it, which would take twice the
    time: rooms have tests of their own.
    """
    cache = tmp_path_factory.mktemp("cache")
    own = cache / "vectors" / word_pieces.name
    if word_pieces.exists():
        own.parent.mkdir()
        shutil.copyfile(word_pieces, own)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        patch.setenv("NEXTCALL_CACHE_DIR", str(cache))
        patch.setenv("NEXTCALL_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        reports = tmp_path_factory.mktemp("reports")
        done = run_experiment(load_experiment(request.param), output=reports, smoke=True)
    if own.exists():
        shutil.copyfile(own, word_pieces)
    return done


def test_every_experiment_runs_small(run: RunResult) -> None:
    assert run.executed
    result = read_result(run.folder / "result.json")  # refuses what is not finite
    assert result == run.result
    assert set(run.manifest.figures) <= set(result)
    executed = read_outputs(run)
    assert not [output for output in executed if output["output_type"] == "error"]


def test_reports_are_small_and_show_figures(run: RunResult) -> None:
    page = run.report.read_text()
    assert len(page.encode()) < MAX_BYTES
    assert page.count("data:image/png") >= 1, "figures are shown, not only returned"
    assert "Figure size" not in page
    assert "<h2" in page


def test_reports_say_no_path_of_the_machine(run: RunResult) -> None:
    assert str(ROOT) not in run.report.read_text()


def read_outputs(run: RunResult) -> list[dict[str, object]]:
    import nbformat  # noqa: PLC0415  # slow to load

    executed = nbformat.read(run.folder / f"{run.manifest.name}.ipynb", as_version=4)
    return [output for cell in executed.cells for output in cell.get("outputs", [])]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_short_and_have_fresh_twins(path: Path) -> None:
    cells = read_notebook(path).cells
    assert len(cells) <= MAX_CELLS
    assert not [cell for cell in cells if "class " in cell.source and cell.cell_type == "code"]
    twin = path.with_suffix(".ipynb")
    assert is_fresh(path, twin), "run `make notebooks`"
    assert not has_outputs(twin)


def test_every_notebook_has_an_experiment() -> None:
    asked = {load_experiment(path).notebook_path.name for path in EXPERIMENTS}
    assert asked == {path.name for path in NOTEBOOKS}
