"""A committed report that no longer fits its sources shows."""

import json
from pathlib import Path

import pytest

from nextcall.runs import check
from nextcall.runs.check import check_manifest
from nextcall.runs.run import RunResult


@pytest.fixture
def plain(project: Path, done: RunResult, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the experiment's parameters those that the report was run with."""
    monkeypatch.setattr(check, "package_sha256", lambda: done.manifest.package_sha256)
    path = project / "experiments" / "counting.yaml"
    path.write_text(path.read_text().replace("{count: 5}", "{count: 5, seed: 7}"))
    return project


def _check(project: Path, *, package: bool = False) -> list[str]:
    return check_manifest(project / "reports" / "counting", project, package=package)


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_report_fits_what_it_was_made_from(plain: Path) -> None:
    assert _check(plain, package=True) == []


def test_files_that_are_not_committed_do_not_count(plain: Path) -> None:
    for name in ("data/things.csv", "data/folder/one.txt", "reports/counting/counting.ipynb"):
        (plain / name).unlink()
    (plain / "data" / "folder").rmdir()
    assert _check(plain) == []


def test_words_may_change(plain: Path) -> None:
    path = plain / "experiments" / "counting.yaml"
    _edit(path, "Things", "Counted things")
    _edit(path, "How many", "Just how many")
    assert _check(plain) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "difference"),
    [
        ("notebooks/counting.py", "quiet", "loud", "notebooks/counting.py has changed."),
        ("data/things.csv", "a,b", "a,c", "data/things.csv has changed."),
        ("experiments/counting.yaml", "count: 5", "count: 6", "Parameter count is 6, was 5."),
        ("experiments/counting.yaml", "things.csv", "gone.csv", "counting.yaml names other data."),
        ("experiments/counting.yaml", "question", "query", "question must be given."),
        ("experiments/counting.yaml", "count: 5", "cuont: 5", "must be a parameter that"),
        ("reports/counting/result.json", "5", "6", "result.json is not the file that the run"),
        ("reports/counting/report.html", "5", "6", "report.html is not the file that the run"),
        ("reports/counting/manifest.json", '"smoke": false', '"smoke": true', "of a small run."),
        ("reports/counting/manifest.json", '"dirty": null', '"dirty": true', "uncommitted"),
    ],
)
def test_what_changed_is_named(plain: Path, name: str, old: str, new: str, difference: str) -> None:
    _edit(plain / name, old, new)
    found = _check(plain)
    assert len(found) == 1
    assert difference in found[0]


def test_parameters_that_were_laid_over_show(project: Path) -> None:
    assert _check(project) == ["Parameter seed is 0, was 7."]


def test_another_notebook_and_a_missing_experiment_show(plain: Path) -> None:
    notebooks = plain / "notebooks"
    (notebooks / "other.py").write_text((notebooks / "counting.py").read_text())
    path = plain / "experiments" / "counting.yaml"
    _edit(path, "notebooks/counting.py", "notebooks/other.py")
    assert _check(plain) == ["The notebook is notebooks/other.py, was notebooks/counting.py."]
    path.unlink()
    assert _check(plain) == ["experiments/counting.yaml is gone."]


def test_the_package_counts_when_asked(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "package_sha256", lambda: "other")
    assert _check(plain) == []
    assert _check(plain, package=True) == ["The sources of the package have changed."]


def test_a_damaged_manifest_is_an_error(plain: Path) -> None:
    (plain / "reports" / "counting" / "manifest.json").write_text(json.dumps({}))
    with pytest.raises(ValueError, match="must be given"):
        _check(plain)
