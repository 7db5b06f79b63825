"""The benchmarks have one form: each says what it measures, and gives its JSON alike."""

import json
import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
SHARED = FOLDER / "json_output.py"


@pytest.fixture
def give() -> Callable[[object, Path | None], None]:
    give: Callable[[object, Path | None], None] = runpy.run_path(str(SHARED))["give"]
    return give


@pytest.mark.parametrize(
    "path", [each for each in sorted(FOLDER.glob("*.py")) if each != SHARED], ids=lambda p: p.stem
)
def test_a_benchmark_says_what_it_measures_and_where_its_json_goes(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())  # threads are set before libraries load
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setattr(sys, "argv", [path.name, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(path), run_name="__main__")
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "--output OUTPUT" in told
    assert path.read_text().split('"""')[1].strip() in told


def test_what_a_benchmark_finds_is_printed_or_written_as_the_same_json(
    give: Callable[[object, Path | None], None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = {"benchmark": "any", "seconds": [0.5, 1e-300]}
    give(found, None)
    printed = capsys.readouterr().out
    give(found, tmp_path / "found.json")
    assert capsys.readouterr().out == ""
    assert (tmp_path / "found.json").read_text() == printed
    assert json.loads(printed) == found


def test_rounds_and_seed_are_options_of_those_that_have_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parser_of = runpy.run_path(str(SHARED))["parser_of"]
    given = parser_of("Any.", rounds=5, seed=0).parse_args([])
    assert (given.rounds, given.seed, given.output) == (5, 0, None)
    with pytest.raises(SystemExit):
        parser_of("Any.").parse_args(["--rounds", "3"])
    assert "--rounds" in capsys.readouterr().err
