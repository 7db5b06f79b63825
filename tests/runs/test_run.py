"""A notebook is run for real; its report folder is whole or absent."""

import json
import shutil
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
import pytest

from nextcall.files import sha256_file
from nextcall.runs import run
from nextcall.runs.experiment import Experiment, load_experiment
from nextcall.runs.manifest import read_manifest
from nextcall.runs.notebook import NotebookError
from nextcall.runs.run import RunResult, run_experiment

NEW_CELL = "\n# %%\nNone\n"


def _load(project: Path) -> Experiment:
    return load_experiment(project / "experiments" / "counting.yaml")


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_run_leaves_a_whole_report_and_nothing_else(done: RunResult) -> None:
    assert done.executed
    assert _names(done.folder.parent) == {"counting"}
    assert _names(done.folder) == {
        "counting.ipynb", "report.html", "result.json", "manifest.json", "picture.png",
        "python.txt",
    }  # fmt: skip
    assert done.report.read_text().startswith("<!DOCTYPE html>")


def test_parameters_reach_the_notebook(done: RunResult) -> None:
    assert done.result["count"] == 5  # of the experiment, not the notebook's 3
    assert done.result["seed"] == 7  # laid over both
    assert done.result["rate"] == 0.5  # the notebook's default
    assert done.result == json.loads((done.folder / "result.json").read_text())


def test_the_kernel_is_this_interpreter_with_threads_that_do_not_spin(done: RunResult) -> None:
    assert (done.folder / "python.txt").read_text() == sys.executable
    assert done.result["passive"] == 1


def test_the_kernel_takes_no_port_that_another_may_have_taken(done: RunResult) -> None:
    assert done.result["portless"] == 1


def test_the_executed_notebook_names_the_final_folder_and_no_machine(done: RunResult) -> None:
    text = (done.folder / "counting.ipynb").read_text()
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    printed = next(cell.outputs[0].text for cell in notebook.cells if cell.get("outputs"))
    assert printed == "counted in ../reports/counting, reports/counting, from notebooks\n"
    assert str(done.folder.parent.parent) not in text
    assert str(done.folder.parent.parent) not in done.report.read_text()


def test_progress_counts_every_code_cell(done: RunResult, ticks: Any) -> None:
    cells = nbformat.read(done.folder / "counting.ipynb", as_version=4).cells
    assert ticks.total == ticks.seen == sum(cell.cell_type == "code" for cell in cells)
    assert ticks.ended


def test_the_manifest_says_what_the_run_was_made_of(done: RunResult) -> None:
    root = done.folder.parent.parent
    manifest = read_manifest(done.folder / "manifest.json")
    assert manifest == done.manifest
    assert manifest.name == "counting"
    assert manifest.question == "How many are there?"
    assert manifest.experiment == "experiments/counting.yaml"
    assert manifest.notebook_sha256 == sha256_file(root / "notebooks" / "counting.py")
    assert manifest.data["data/things.csv"] == sha256_file(root / "data" / "things.csv")
    assert manifest.parameters == {"seed": 7, "count": 5, "rate": 0.5, "mode": "good"}
    assert (manifest.seed, manifest.smoke) == (7, False)
    assert (manifest.commit, manifest.dirty) == (None, None)
    started, finished = map(datetime.fromisoformat, (manifest.started, manifest.finished))
    assert finished >= started
    assert started.tzinfo is not None
    assert manifest.outputs == {
        name: sha256_file(done.folder / name) for name in _names(done.folder) - {"manifest.json"}
    }


@pytest.fixture
def _same_package(done: RunResult, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold the package still, which may be edited while tests run."""
    monkeypatch.setattr(run, "package_sha256", lambda: done.manifest.package_sha256)


@pytest.mark.usefixtures("_same_package")
def test_a_report_is_kept_while_nothing_changed(project: Path, done: RunResult) -> None:
    kept = run_experiment(
        _load(project), output=project / "reports", overrides={"seed": 7}, if_changed=True
    )
    assert not kept.executed
    assert kept.manifest == done.manifest
    assert kept.result == done.result


def test_a_small_run_has_a_folder_of_its_own_and_does_without_data(project: Path) -> None:
    shutil.rmtree(project / "data")
    done = run_experiment(_load(project), output=project / "reports", smoke=True)
    assert done.folder.name == "counting-smoke"
    assert done.result["count"] == 1
    assert done.manifest.smoke
    assert done.manifest.data == {"data/things.csv": None, "data/folder": None}
    assert "small run" in done.report.read_text()


def _is_kept(project: Path, *, seed: int = 7, smoke: bool = False) -> bool:
    """Whether `if_changed` keeps the report that is there; starts no kernel."""
    plan = run._plan(
        _load(project), output=project / "reports", overrides={"seed": seed}, smoke=smoke
    )
    return run._kept(project / "reports" / "counting", plan) is not None


@pytest.mark.usefixtures("_same_package")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("notebooks/counting.py", NEW_CELL),
        ("data/things.csv", "other"),
        ("data/folder/two.txt", "2"),
        ("reports/counting/result.json", '{"count": 1000}'),
        ("reports/counting/manifest.json", "{"),
    ],
)
def test_a_report_is_not_kept_when_a_file_changed(project: Path, name: str, text: str) -> None:
    assert _is_kept(project)
    path = project / name
    before = path.read_text() if path.exists() and name.endswith(".py") else ""
    path.write_text(before + text)
    assert not _is_kept(project)


@pytest.mark.usefixtures("_same_package")
def test_a_report_is_not_kept_when_a_file_of_it_is_gone(project: Path) -> None:
    (project / "reports" / "counting" / "picture.png").unlink()
    assert not _is_kept(project)


@pytest.mark.usefixtures("_same_package")
def test_a_report_is_not_kept_for_other_parameters_packages_or_versions(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not _is_kept(project, seed=8)
    assert not _is_kept(project, smoke=True)
    monkeypatch.setattr(run, "versions", lambda: {"python": "2.7"})
    assert not _is_kept(project)
    monkeypatch.undo()
    monkeypatch.setattr(run, "package_sha256", lambda: "other")
    assert not _is_kept(project)


@pytest.mark.parametrize(
    ("mode", "fault"),
    [
        ("raise", r"cell In \[4\], which begins .*, raised RuntimeError: the counter is broken"),
        ("die", "the kernel stopped"),
    ],
)
def test_a_failed_notebook_is_kept_and_the_old_report_stays(
    project: Path, done: RunResult, mode: str, fault: str
) -> None:
    with pytest.raises(NotebookError, match=fault) as caught:
        run_experiment(_load(project), output=project / "reports", overrides={"mode": mode})
    failed = project / "reports" / "counting.failed"
    assert str(failed / "counting.ipynb") in str(caught.value)
    assert "a quiet warning" in (failed / "counting.ipynb").read_text()
    assert _names(project / "reports") == {"counting", "counting.failed"}
    assert read_manifest(project / "reports" / "counting" / "manifest.json") == done.manifest


@pytest.mark.parametrize(
    ("mode", "error", "fault"),
    [
        ("nothing", FileNotFoundError, "must write result.json"),
        ("nan", ValueError, r"counting\.failed/result\.json: count must be finite, got nan"),
    ],
)
def test_a_notebook_without_a_sound_result_is_no_report(
    project: Path, mode: str, error: type[Exception], fault: str
) -> None:
    with pytest.raises(error, match=fault):
        run_experiment(_load(project), output=project / "new", overrides={"mode": mode})
    assert _names(project / "new") == {"counting.failed"}
    assert (project / "new" / "counting.failed" / "counting.ipynb").is_file()


def test_figures_must_be_results(project: Path) -> None:
    experiment = replace(_load(project), figures={"counts": "Things"})
    (project / "new" / "counting.failed").mkdir(parents=True)
    with pytest.raises(ValueError, match="figures must be results, got 'counts'"):
        run_experiment(experiment, output=project / "new")


@pytest.mark.parametrize(
    ("overrides", "fault"),
    [
        ({"cuont": 3}, "'cuont' must be a parameter that the notebook declares"),
        ({"count": "3"}, "count must be int, got '3'"),
        ({"out": "x"}, "out must be left to the run"),
    ],
)
def test_bad_parameters_are_refused_before_anything_runs(
    project: Path, overrides: dict[str, object], fault: str
) -> None:
    with pytest.raises(ValueError, match=fault):
        run_experiment(_load(project), output=project / "new", overrides=overrides)
    assert not (project / "new").exists()


def test_missing_data_is_named(project: Path) -> None:
    (project / "data" / "things.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"data must exist, got data/things\.csv"):
        run_experiment(_load(project), output=project / "new")
