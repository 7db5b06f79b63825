"""The verbs of `bench`: what is printed, what is written, and the exit codes."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from nextcall.cli.main import app, main

BEFORE = {"benchmark": "any", "microseconds": {"cold": 10.0, "warm": 2.0}, "rounds": 5, "rps": 100}


def written(folder: Path, name: str, content: object) -> str:
    path = folder / name
    path.write_text(json.dumps(content))
    return str(path)


def run(folder: Path, after: dict[str, Any], *options: str, code: int) -> Result:
    paths = [written(folder, "before.json", BEFORE), written(folder, "after.json", after)]
    result = CliRunner().invoke(app, ["bench", "compare", *paths, *options], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def test_a_regression_ends_with_1_and_is_shown(tmp_path: Path) -> None:
    after = {**BEFORE, "microseconds": {"cold": 12.0, "warm": 1.0}}
    result = run(tmp_path, after, code=1)
    assert result.stdout.splitlines() == [
        "number             before   after  ratio  from  to  outcome",
        "microseconds.cold  10.000  12.000  1.200     -   -  worse",
        "microseconds.warm   2.000   1.000  0.500     -   -  better",
    ]
    assert result.stderr == "1 of 4 numbers became worse by over 10%.\n"
    run(tmp_path, after, "--threshold", "0.25", code=0)


def test_nothing_worse_ends_with_0(tmp_path: Path) -> None:
    result = run(tmp_path, BEFORE, code=0)
    assert result.stdout == ""
    shown = run(tmp_path, BEFORE, "--all", code=0)
    assert len(shown.stdout.splitlines()) == 5


def test_the_comparison_is_written_as_json(tmp_path: Path) -> None:
    output = tmp_path / "made" / "compared.json"
    after = {"microseconds": {"cold": [30, 31, 32, 33, 34]}, "rps": 100, "new": 1}
    result = run(tmp_path, after, "--output", str(output), code=1)
    told = json.loads(output.read_text(), parse_constant=pytest.fail)
    assert told["regressions"] == ["microseconds.cold"]
    assert told["changes"][0]["ratio"] == 3.2
    assert told["changes"][0]["ci_lower"] is None
    assert told["only_before"] == ["microseconds.warm", "rounds"]
    assert f"Not in {tmp_path}/before.json: new (1 in all)." in result.stderr


def test_samples_have_intervals(tmp_path: Path) -> None:
    before = written(tmp_path, "a.json", {"ms": [10.0, 11, 12, 11, 10, 11]})
    after = written(tmp_path, "b.json", {"ms": [20.0, 22, 24, 22, 20, 22]})
    result = CliRunner().invoke(app, ["bench", "compare", before, after])
    assert result.exit_code == 1
    *_, lower, upper, outcome = result.stdout.splitlines()[1].split()
    assert 1.5 < float(lower) <= 2 <= float(upper) < 2.5
    assert outcome == "worse"


@pytest.mark.parametrize("bad", ["{", '{"none": "of them"}', '{"other": 1}', None])
def test_bad_input_ends_with_2(
    bad: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before, after = written(tmp_path, "before.json", BEFORE), tmp_path / "after.json"
    if bad is not None:
        after.write_text(bad)
    monkeypatch.setattr(sys, "argv", ["nextcall", "bench", "compare", before, str(after)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("error: ")
