"""The index: every run once, newest first, with what one must know of it."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from nextcall.runs import index
from nextcall.runs.index import read_index, write_index
from nextcall.runs.manifest import MANIFEST, read_manifest, write_manifest
from nextcall.runs.outputs import external_loads
from nextcall.runs.run import RunResult


@pytest.fixture
def reports(project: Path, done: RunResult, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs, and folders that are none."""
    monkeypatch.setattr(index, "package_sha256", lambda: done.manifest.package_sha256)
    reports = project / "reports"
    shutil.copytree(reports / "counting", reports / "later-smoke")
    path = reports / "later-smoke" / MANIFEST
    manifest = read_manifest(path)
    later = replace(
        manifest,
        finished="2999-01-01T00:00:00+00:00",
        smoke=True,
        dirty=True,
        commit="abcdef0123456789",
        package_sha256="other",
    )
    write_manifest(later, path)
    (reports / "counting.failed").mkdir()
    shutil.copytree(reports / "counting", reports / ".counting-running")
    return reports


def test_every_run_is_a_row_newest_first(reports: Path) -> None:
    frame = read_index(reports).to_frame()
    assert frame["name"].tolist() == ["later-smoke", "counting"]
    assert frame["smoke"].tolist() == [True, False]
    assert frame["older"].tolist() == [True, False]
    assert frame["figures"].iloc[1] == "Things 5; Share that counts 0.500 [0.400, 0.600]"
    assert "later-smoke" in read_index(reports)._repr_html_()


def test_flags_are_what_a_reader_must_know(reports: Path) -> None:
    later, first = read_index(reports).runs
    assert first.flags == ()
    assert [flag.partition(":")[0] for flag in later.flags] == [
        "small run",
        "uncommitted changes",
        "the package has changed since",
    ]


def test_the_page_links_every_report_and_loads_nothing(reports: Path) -> None:
    path = write_index(reports)
    text = path.read_text()
    assert path == reports / index.INDEX
    for run in read_index(reports).runs:
        assert f'href="{run.folder.name}/report.html"' in text
        assert run.manifest.question in text
    assert "abcdef0123</code>" in text
    assert "1 January 2999, 00:00 UTC" in text
    assert ".counting-running" not in text
    assert external_loads(text) == []


def test_an_empty_folder_has_a_page_that_says_so(tmp_path: Path) -> None:
    assert "Nothing was run yet" in write_index(tmp_path / "reports").read_text()
    assert read_index(tmp_path / "nowhere").to_frame().empty


def test_a_run_without_figures_is_shown_without(reports: Path) -> None:
    path = reports / "counting" / MANIFEST
    write_manifest(replace(read_manifest(path), figures={}), path)
    assert read_index(reports).runs[1].figures == {}
    assert "counting" in write_index(reports).read_text()


def test_a_damaged_manifest_is_named(reports: Path) -> None:
    path = reports / "counting" / MANIFEST
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"counting/manifest\.json"):
        read_index(reports)
