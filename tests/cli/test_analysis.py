"""`nextcall abtest analyze` and `vector`: what they show and write; bad input ends by 2."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from nextcall.cli.abtest import app
from nextcall.cli.main import main

SPEC = """
control: A
metrics:
  - mean: spent
    covariate: before
"""

MORE = """
plan: plan.json
segments: [country]
time: day
bayes: {rope: 0.01}
"""


def rows() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    before = rng.normal(10, 2, 400)
    variant = np.resize(["A", "B"], 400)
    spent = before + rng.normal(0, 1, 400) + (variant == "B")
    return pd.DataFrame({"variant": variant, "before": before, "spent": spent, "other": "text"})


def files(folder: Path, *, spec: str = SPEC, suffix: str = "csv") -> tuple[Path, Path]:
    (folder / "spec.yaml").write_text(spec, encoding="utf-8")
    data = folder / f"rows.{suffix}"
    if suffix == "csv":
        rows().to_csv(data, index=False)
    else:
        rows().to_parquet(data)
    return data, folder / "spec.yaml"


def run(*arguments: object) -> str:
    given = [str(argument) for argument in arguments]
    result = CliRunner().invoke(app, given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_test_is_analysed_from_its_file(tmp_path: Path, suffix: str) -> None:
    data, spec = files(tmp_path, suffix=suffix)
    output = tmp_path / "deep" / "result.json"
    shown = run("analyze", "--input", data, "--spec", spec, "--output", output)
    assert shown.splitlines()[1].split()[:2] == ["spent", "B"]
    assert "winner: B is better than A on spent: +" in shown
    found = json.loads(output.read_text(encoding="utf-8"))
    assert (found["winner"], found["units"]) == ("B", {"A": 200, "B": 200})
    assert found["comparisons"][0]["difference"]["value"] == pytest.approx(1, abs=0.3)
    assert run("analyze", "--input", data, "--spec", spec) == shown


def test_all_that_is_asked_is_shown_and_written(tmp_path: Path) -> None:
    data, spec = files(tmp_path, suffix="parquet", spec=f"{SPEC}{MORE}")
    full = rows()
    full["country"] = [f"c{place % 30:02}" for place in np.arange(400) // 2 * 7 % 30]
    full["day"] = pd.Timestamp("2026-01-05") + pd.to_timedelta(np.arange(400) // 40, unit="D")
    full.to_parquet(data)
    run("design", "--baseline", 10, "--sd", 2, "--mde", 0.6, "--output", tmp_path / "plan.json")
    output = tmp_path / "result.json"
    verb = ["analyze", "--input", str(data), "--spec", str(spec), "--output", str(output)]
    result = CliRunner().invoke(app, verb)
    shown = result.stdout
    for text in (
        "What is believed",
        "100.0%",
        "B on spent by country; effects differ: p 0.",
        "Effects over the days since the first day",
        "Planned and done",
        "352 units were planned, 400 are there",
        "winner: B is better than A on spent",
    ):
        assert text in shown
    assert "18 more values of country are in the result's file." in result.stderr
    found = json.loads(output.read_text(encoding="utf-8"))
    assert len(found["segments"][0]["heterogeneity"]["segments"]) == 30
    assert found["times"][0]["clock"] == "calendar"
    assert found["plan"]["comparison"]["done"]["days"] == 10
    assert found["comparisons"][0]["posterior"]["chance_to_win"] == pytest.approx(1.0)


def test_what_is_not_known_is_a_dash(tmp_path: Path) -> None:
    data, spec = files(
        tmp_path, spec="control: A\nmetrics: [{mean: one}]\nbayes: {}\nplan: p.json\nsegments: half"
    )
    full = rows().assign(one=1.0, half=np.arange(400) // 200)
    full.to_csv(data, index=False)
    run("design", "--baseline", 10, "--sd", 2, "--mde", 0.56, "--output", tmp_path / "p.json")
    shown = run("analyze", "--input", data, "--spec", spec)
    assert "-" in shown.split("What is believed")[1].splitlines()[2]
    assert "effects differ: p -" in shown
    assert "Planned and done" not in shown
    assert "Nothing was done otherwise than planned." in shown


def test_warnings_go_beside_the_result(tmp_path: Path) -> None:
    data, spec = files(tmp_path, spec="control: A\nmetrics: [{quantile: spent, share: 0.999}]")
    result = CliRunner().invoke(app, ["analyze", "--input", str(data), "--spec", str(spec)])
    assert "too few rows for the quantile" in result.stderr
    assert "too few rows for the quantile" not in result.stdout


def test_a_case_gives_every_quantity(tmp_path: Path) -> None:
    case: dict[str, Any] = {"kind": "srm", "observed": [4990, 5010], "weights": [0.5, 0.5]}
    for place, written in enumerate((case, {"input": case, "reference": {}})):
        path, output = tmp_path / f"case{place}.json", tmp_path / f"out{place}.json"
        path.write_text(json.dumps(written), encoding="utf-8")
        run("vector", "--input", path, "--output", output)
        found = json.loads(output.read_text(encoding="utf-8"))
        assert found["p_value"] == pytest.approx(0.841480581121794)


def test_what_is_unbounded_is_null_in_a_result(tmp_path: Path) -> None:
    data, spec = files(tmp_path)
    pd.DataFrame({"variant": ["A", "B"], "before": [1, 2], "spent": [1, 2]}).to_csv(
        data, index=False
    )
    output = tmp_path / "result.json"
    run("analyze", "--input", data, "--spec", spec, "--output", output)
    found = json.loads(output.read_text(encoding="utf-8"))
    assert found["decision"] == "invalid"
    assert found["comparisons"][0]["difference"]["ci_lower"] is None


@pytest.mark.parametrize(
    ("spec", "data", "message"),
    [
        ("control: [", None, "is no YAML"),
        ("metrics: [{mean: spent}]", None, "the specification must have a field 'control'"),
        ("control: A\nmetrics: [{mean: gone}]", None, "must have a column 'gone'"),
        ("control: A\nmetrics: [{mean: other}]", None, "other must hold numbers, got 'text'"),
        ("control: A\nmetrics: []", None, "metrics must hold at least one"),
        (SPEC, "a,b\n1\n1,2,3\n", "cannot be read"),
    ],
)
def test_bad_input_ends_by_2_and_leaves_no_file(
    tmp_path: Path,
    spec: str,
    data: str | None,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, asked = files(tmp_path, spec=spec)
    if data is not None:
        path.write_text(data, encoding="utf-8")
    output = tmp_path / "result.json"
    verb = ["nextcall", "abtest", "analyze", "--input", str(path), "--spec", str(asked)]
    monkeypatch.setattr(sys, "argv", [*verb, "--output", str(output)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is no JSON"), ("[1]", "must hold one case, got list"), ('{"kind": "x"}', "kind must")],
)
def test_cases_that_cannot_be_end_by_2(
    tmp_path: Path,
    text: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "case.json"
    path.write_text(text, encoding="utf-8")
    verb = ["nextcall", "abtest", "vector", "--input", str(path), "--output", f"{path}.out"]
    monkeypatch.setattr(sys, "argv", verb)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
