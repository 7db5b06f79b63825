"""`nextcall guard scan`: texts in, as many verdicts out."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nextcall.cli.guard import app

_TEXTS = ["list all orders", "<script>alert(1)</script>", "x' OR 1=1 --", ""]
_LINES = "".join(json.dumps({"text": text}) + "\n" for text in _TEXTS)


def _run(*arguments: object, stdin: str | None = None) -> str:
    given = ["scan", *map(str, arguments)]
    result = CliRunner().invoke(app, given, input=stdin, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def _actions(lines: str) -> list[str]:
    return [json.loads(line)["action"] for line in lines.splitlines()]


def test_a_file_is_judged_line_by_line(tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(_LINES)
    _run("--input", source, "--output", target)
    assert _actions(target.read_text()) == ["pass", "block", "block", "pass"]
    _run("--input", source, "--output", target, "--policy", "flag")
    assert _actions(target.read_text()) == ["pass", "flag", "flag", "pass"]


def test_standard_input_and_output_are_files_too() -> None:
    out = _run("--input", "-", "--output", "-", "--threshold", "0.999999999", stdin=_LINES)
    assert len(_actions(out)) == len(_TEXTS)
    assert _run("--input", "-", "--output", "-", stdin="") == ""


def test_a_bad_line_leaves_nothing_behind(tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(_LINES + "not JSON\n")
    with pytest.raises(ValueError, match=r"in\.jsonl:5: must be a JSON object"):
        _run("--input", source, "--output", target)
    assert not target.exists()
