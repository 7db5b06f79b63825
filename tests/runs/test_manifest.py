"""Manifests come back as they were written; a damaged one is refused."""

import json
from pathlib import Path

import pytest

from nextcall.runs.manifest import read_manifest, write_manifest
from nextcall.runs.run import RunResult


def test_a_manifest_comes_back_as_it_was_written(tmp_path: Path, done: RunResult) -> None:
    path = tmp_path / "manifest.json"
    write_manifest(done.manifest, path)
    assert read_manifest(path) == done.manifest


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"name": None}, "name must be str, got None"),
        ({"commit": 3}, "commit must be str or null, got 3"),
        ({"data": []}, r"data must be a map, got \[\]"),
        ({"colour": "red"}, "colour must be left out"),
    ],
)
def test_a_wrong_key_is_named(
    tmp_path: Path, done: RunResult, change: dict[str, object], fault: str
) -> None:
    path = tmp_path / "manifest.json"
    raw = json.loads((done.folder / "manifest.json").read_text())
    path.write_text(json.dumps(raw | change))
    with pytest.raises(ValueError, match=fault):
        read_manifest(path)


@pytest.mark.parametrize(
    ("text", "fault"), [("{", "must be JSON"), ("[]", "must be a map"), ("{}", "must be given")]
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=fault):
        read_manifest(path)
