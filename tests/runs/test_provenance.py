"""Hashes that change with the content and nothing else; git as it is."""

import hashlib
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

import nextcall
from nextcall.runs import provenance
from nextcall.runs.provenance import (
    data_sha256,
    git_state,
    machine,
    package_sha256,
    tree_sha256,
    versions,
)


def _write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_tree_hash_is_that_of_names_and_bytes_in_any_order(tmp_path: Path) -> None:
    files = {"a.py": "1", "b/c.py": "2", "b/d.json": "3"}
    one = _write(tmp_path / "one", files)
    two = _write(tmp_path / "two", dict(reversed(files.items())))
    _write(two, {"b/__pycache__/c.pyc": "x", ".hidden/e.py": "y"})
    assert tree_sha256(one) == tree_sha256(two)


@pytest.mark.parametrize("change", [{"a.py": "2"}, {"new.py": ""}, {"b/c.py": "22"}])
def test_a_tree_hash_changes_with_any_file(tmp_path: Path, change: dict[str, str]) -> None:
    root = _write(tmp_path, {"a.py": "1", "b/c.py": "2"})
    before = tree_sha256(root)
    assert tree_sha256(_write(root, change)) != before


def test_the_package_hash_covers_the_installed_sources() -> None:
    assert package_sha256() == tree_sha256(Path(nextcall.__file__).parent)


def test_data_is_hashed_by_its_bytes(tmp_path: Path) -> None:
    root = _write(tmp_path, {"a.csv": "x\n", "folder/b.csv": "y\n"})
    assert data_sha256(root, ["a.csv", "folder", "gone.csv"]) == {
        "a.csv": hashlib.sha256(b"x\n").hexdigest(),
        "folder": tree_sha256(root / "folder"),
        "gone.csv": None,
    }


def test_versions_are_those_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "_PACKAGES", ("numpy", "no-such-package-of-any-name"))
    assert versions() == {"python": versions()["python"], "numpy": version("numpy")}


def test_a_machine_has_a_core() -> None:
    kind, cores = machine()
    assert kind.strip()
    assert cores >= 1


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments],  # noqa: S607  # the user's git
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_git_tells_commit_and_changes_but_for_reports(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    _write(tmp_path, {"a.py": "1", "reports/r.json": "1"})
    assert git_state(tmp_path, exclude=reports) == (None, None)
    _git(tmp_path, "init", "-q")
    assert git_state(tmp_path, exclude=reports) == (None, None)
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-q", "-m", "first")
    commit = _git(tmp_path, "rev-parse", "HEAD")
    _write(tmp_path, {"reports/r.json": "2", "reports/new.json": "1"})
    assert git_state(tmp_path, exclude=reports) == (commit, False)
    assert git_state(tmp_path, exclude=tmp_path.parent / "elsewhere") == (commit, True)
    _write(tmp_path, {"a.py": "2"})
    assert git_state(tmp_path, exclude=reports) == (commit, True)
