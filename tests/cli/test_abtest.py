"""`nextcall abtest`: plans from the command line, and what they do when they are simulated."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nextcall.abtest.design import design
from nextcall.abtest.plan_files import load_plan
from nextcall.abtest.target import Target, Traffic
from nextcall.abtest.unit_variance import design_effect, quantile_sd
from nextcall.cli.abtest import app
from nextcall.cli.main import main

_MEAN = ("--baseline", 10, "--sd", 4, "--mde", "5%")


def _run(*arguments: object) -> str:
    given = [str(argument) for argument in arguments]
    result = CliRunner().invoke(app, given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_proportion_is_planned_shown_and_written(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    shown = _run(
        *("design", "--metric", "proportion", "--baseline", 0.1, "--mde", 0.01),
        *("--daily-units", 3000, "--output", path),
    )
    target = Target(metric="proportion", baseline=0.1, mde=0.01)
    assert load_plan(path) == design(target, traffic=Traffic(daily_units=3000.0))
    assert shown.splitlines() == [
        "variant      share   units",
        "control      0.500  14,751",
        "treatment 1  0.500  14,751",
        "",
        "figure  value",
        "units   29,502",
        "effect  0.01 on 0.1",
        "power   0.8",
        "alpha   0.05",
        "days    14",
    ]


def test_looks_are_shown_with_their_bounds(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    options = ("--looks", 3, "--method", "group-sequential", "--output", path)
    lines = _run("design", *_MEAN, *options).splitlines()
    plan = load_plan(path)
    assert lines[-3].split() == ["1", f"{round(sum(plan.n) / 3):,}", f"{plan.looks.bounds[0]:.3f}"]
    assert any(line.startswith("units at the stop, on average") for line in lines)


def test_a_look_too_early_has_no_bound() -> None:
    options = ("--looks", 4, "--method", "always-valid", "--mde", 4)
    lines = _run("design", *_MEAN, *options).splitlines()
    assert lines[-4].split()[-1] == "-"


def test_several_variants_a_covariate_and_clusters(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    shown = _run(
        *("design", *_MEAN, "--allocation", "0.5,0.3,0.2", "--correction", "bonferroni"),
        *("--rho", 0.5, "--icc", 0.1, "--cluster-size", 3, "--cluster-cv", 0.5),
        *("--output", path),
    )
    plan = load_plan(path)
    assert plan.allocation == (0.5, 0.3, 0.2)
    assert plan.target.factor == pytest.approx(0.75 * design_effect(0.1, 3, 0.5))
    assert "alpha of a treatment (bonferroni)  0.025" in shown
    _run("design", *_MEAN, "--variants", 4, "--output", path)
    assert load_plan(path).allocation == (0.25,) * 4


def test_a_quantile_and_a_margin(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    _run(
        *("design", "--metric", "quantile", "--baseline", 200, "--share", 0.95),
        *("--density", 0.001, "--goal", "non-inferiority", "--margin", "5%"),
        *("--alternative", "less", "--output", path),
    )
    target = load_plan(path).target
    assert target.sd == quantile_sd(0.95, 0.001)
    assert (target.margin, target.mde, target.alternative) == (10.0, 0.0, "less")


def test_a_plan_is_simulated(tmp_path: Path) -> None:
    plan, figures = tmp_path / "plan.json", tmp_path / "figures.json"
    _run("design", *_MEAN, "--looks", 4, "--method", "group-sequential", "--output", plan)
    options = ("--plan", plan, "--runs", 2000, "--seed", 3, "--output", figures)
    lines = _run("simulate", *options).splitlines()
    assert [line.split()[0] for line in lines] == ["question", "false", "false", "power"]
    found = json.loads(figures.read_text())
    assert found["false_alarms"]["ci_lower"] < 0.05 < found["peeking"]["ci_lower"]
    assert found["power"]["ci_lower"] < 0.8 < found["power"]["ci_upper"]
    assert lines[1].split()[-3] == f"{found['false_alarms']['share']:.3f}"
    assert _run("simulate", *options[:-2]).splitlines() == lines


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--baseline", 10, "--mde", 1), "sd must be given of all but a proportion"),
        ((*_MEAN[:-1], "much"), "mde must be a number or a percentage, got 'much'"),
        ((*_MEAN, "--variants", 1), "variants must be at least 2, got 1"),
        ((*_MEAN, "--allocation", "a,b"), "allocation must be numbers and commas, got 'a,b'"),
        ((*_MEAN, "--allocation", "0.5,0.6"), "allocation must hold shares"),
        ((*_MEAN, "--share", 0.5), "share and density belong to a quantile"),
        ((*_MEAN[:2], "--metric", "quantile", "--share", 0.5), "share and density must be given"),
        ((*_MEAN, "--looks", 3), "looks must be 1 of a fixed test, got 3"),
        ((*_MEAN, "--alpha", 2), "alpha must lie between 0 and 1, got 2.0"),
    ],
)
def test_bad_input_ends_with_exit_code_2_and_one_line(
    arguments: tuple[object, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [str(argument) for argument in arguments]
    monkeypatch.setattr(sys, "argv", ["nextcall", "abtest", "design", *given])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    assert said in shown.err
    assert shown.err.count("\n") == 1
