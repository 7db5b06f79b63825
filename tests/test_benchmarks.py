"""The benchmarks have one form: each says what it measures, and gives its JSON alike."""

import json
import os
import re
import runpy
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nextcall.cli.main import app
from nextcall.telemetry.comparison import LEAST_SAMPLES, read_result

FOLDER = Path(__file__).parents[1] / "benchmarks"
SHARED = FOLDER / "json_output.py"
KEPT = sorted((FOLDER / "results").glob("*.json"))
LARGEST = 20_000  # bytes of a kept result
Give = Callable[[Mapping[str, object], Path | None], None]


@pytest.fixture
def give() -> Give:
    give: Give = runpy.run_path(str(SHARED))["give"]
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
    give: Give,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = {"benchmark": "any", "seconds": [0.5, 1e-300], "said": ["a [ b\n", "c"], "none": []}
    give(found, None)
    printed = json.loads(capsys.readouterr().out)
    give(found, tmp_path / "found.json")
    assert capsys.readouterr().out == ""
    text = (tmp_path / "found.json").read_text()
    assert text.endswith("}\n")
    assert '  "seconds": [0.5, 1e-300],\n' in text
    written = json.loads(text)
    for told in (printed, written):
        run = told.pop("run")
        assert told == found
        assert list(told) == list(found)
        assert datetime.fromisoformat(run.pop("at")).utcoffset() == timedelta(0)
        assert run.pop("load_average") >= 0
        assert run.pop("cores") >= 1
        assert run["commit"] is None or re.fullmatch(r"[0-9a-f]{40}", run["commit"])
        assert run["versions"]["numpy"] == np.__version__
    assert printed == written


def test_measurements_are_cut_to_the_digits_that_tell() -> None:
    rounded = runpy.run_path(str(SHARED))["rounded"]
    assert rounded({"ms": [1234.5, 0.00123456], "mb": {"all": [2]}}) == {
        "ms": [1230.0, 0.00123],
        "mb": {"all": [2.0]},
    }


def test_rounds_and_seed_are_options_of_those_that_have_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parser_of = runpy.run_path(str(SHARED))["parser_of"]
    given = parser_of("Any.", rounds=5, seed=0).parse_args([])
    assert (given.rounds, given.seed, given.output) == (5, 0, None)
    with pytest.raises(SystemExit):
        parser_of("Any.").parse_args(["--rounds", "3"])
    assert "--rounds" in capsys.readouterr().err


def test_results_are_kept_of_what_docs_and_promises_quote() -> None:
    names = {path.stem for path in KEPT}
    assert names >= {
        "predict_http", "no_op_http", "cold_http", "cold_predict", "cached_rank", "soak",
        "service_faults", "guard_speed", "front_door", "ranking_speed", "limits_speed",
        "pages_speed", "contribution_speed",
    }  # fmt: skip
    told = (FOLDER / "README.md").read_text()
    assert names == set(re.findall(r"^\| `(\w+)` \|", told, re.MULTILINE))


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_a_kept_result_says_what_it_is_of(path: Path) -> None:
    text = path.read_text()
    told = json.loads(text)
    assert text == f"{text.strip()}\n"
    assert next(iter(told)) == "benchmark"
    assert list(told)[-1] == "run"
    assert told["benchmark"] == path.stem
    assert (FOLDER / f"{path.stem}.py").is_file()
    assert len(text) < LARGEST
    run = told["run"]
    assert re.fullmatch(r"[0-9a-f]{40}", run["commit"])
    assert run["changed"] is False
    assert datetime.fromisoformat(run["at"]).utcoffset() == timedelta(0)
    assert run["cores"] >= 1
    assert run["load_average"] >= 0
    assert run["machine"]
    assert {"nextcall", "numpy", "numba"} <= set(run["versions"])
    assert not re.search(r"/(home|root|tmp|work|Users)/", text)  # of the machine
    assert read_result(path)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("predict_http", "requests_a_second.a hundred requests.whole"),
        ("no_op_http", "requests_a_second.whole_kept"),
        ("cold_http", "milliseconds.added"),
        ("cold_predict", "milliseconds.alone.besides.p50"),
        ("cached_rank", "milliseconds.nextcall.p50"),
        ("limits_speed", "microseconds.memory"),
        ("front_door", "cpu_microseconds.key"),
    ],
)
def test_a_slower_run_is_told_from_a_kept_one_by_its_interval(
    name: str, number: str, tmp_path: Path
) -> None:
    kept = FOLDER / "results" / f"{name}.json"
    told = json.loads(kept.read_text())
    *place, last = number.split(".")
    samples = told["samples"]
    for part in place:
        samples = samples[part]
    assert len(samples[last]) >= LEAST_SAMPLES
    slower = 0.1 if number.startswith("requests_a_second") else 10.0
    samples[last] = [slower * each for each in samples[last]]
    (tmp_path / "new.json").write_text(json.dumps(told))
    for new, worse in ((kept, []), (tmp_path / "new.json", [number])):
        output = tmp_path / "compared.json"
        ran = CliRunner().invoke(
            app, ["bench", "compare", str(kept), str(new), "--output", str(output)]
        )
        assert ran.exit_code == len(worse), ran.output
        compared = json.loads(output.read_text())
        assert compared["regressions"] == worse
        (change,) = [each for each in compared["changes"] if each["name"] == number]
        assert change["ci_lower"] <= change["ratio"] <= change["ci_upper"]
