"""A specification is read field by field, and what cannot be is named."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nextcall.abtest.analysis import analyze
from nextcall.abtest.bayes import NormalPrior
from nextcall.abtest.beta_chances import Beta
from nextcall.abtest.design import design
from nextcall.abtest.look import LookPlan
from nextcall.abtest.metrics import Aim, Mean, Metric, Proportion, Quantile, Ratio
from nextcall.abtest.plan_files import save_plan
from nextcall.abtest.posteriors import Beliefs
from nextcall.abtest.specification import read_question
from nextcall.abtest.target import Target

SPEC: dict[str, Any] = {
    "control": "A",
    "unit": "user",
    "strata": "country",
    "shares": {"A": 1, "B": 1},
    "alpha": 0.1,
    "plan": {"n": 5000, "method": "always-valid"},
    "earlier": [100],
    "adjust": "bh",
    "segments": ["country", "platform"],
    "time": "day",
    "bayes": {"prior": {"sd": 0.1}, "shares": {"a": 2, "b": 8}, "rope": 0.01},
    "metrics": [
        {"mean": "spent", "covariate": ["before"], "winsorize": [0, 0.99], "better": "lower"},
        {"proportion": "bought", "guardrail": True},
        {"ratio": ["clicks", "visits"], "margin": 0.02},
        {"quantile": "spent", "share": 0.9},
        {"mean": "clicks"},
    ],
}


def test_everything_that_can_be_asked_is_read() -> None:
    found = read_question(SPEC)
    assert found.metrics == (
        Mean("spent", covariate=("before",), winsorize=(0, 0.99), aim=Aim(better="lower")),
        Proportion("bought", aim=Aim(guardrail=True)),
        Ratio("clicks", "visits", aim=Aim(margin=0.02)),
        Quantile("spent", 0.9),
        Mean("clicks"),
    )
    assert found.plan == LookPlan(n=5000, method="always-valid", alpha=0.1)
    assert (found.unit, found.earlier, found.adjust) == ("user", (100.0,), "bh")
    assert found.shares == {"A": 1.0, "B": 1.0}
    assert found.segments == ("country", "platform")
    expected = Beliefs(prior=NormalPrior(sd=0.1), shares=Beta(a=2, b=8), rope=0.01)
    assert (found.time, found.beliefs) == ("day", expected)
    names = ["variant", "user", "country", "day", "platform", "spent", "before", "bought", "clicks"]
    assert found.columns == (*names, "visits")
    plain = read_question({"control": "A", "metrics": [{"quantile": "spent"}]})
    assert (plain.metrics, plain.plan, plain.shares) == ((Quantile("spent", 0.5),), 0.05, None)


def test_an_answer_is_that_of_the_same_call() -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"variant": ["A", "B"] * 300})
    for name in ("spent", "clicks"):
        rows[name] = rng.normal(5, 1, 600)
    rows["half"] = np.arange(600) // 300
    spec = {
        "control": "A",
        "adjust": "bonferroni",
        "strata": "half",
        "metrics": [{"mean": "spent"}],
    }
    spec["metrics"] += [{"mean": "clicks"}, {"quantile": "clicks"}]  # type: ignore[operator]
    found = read_question(spec).answer(rows)
    asked: list[Metric] = [Mean("spent"), Mean("clicks"), Quantile("clicks", 0.5)]
    expected = analyze(rows, control="A", metrics=asked, strata="half").adjusted("bonferroni")
    pd.testing.assert_frame_equal(found.to_frame(), expected.to_frame())
    second = found.comparisons[1]
    assert second.adjusted_pvalue == pytest.approx(min(1, 2 * second.pvalue))
    assert found.to_dict()["comparisons"][1]["metric"] == "clicks"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"control": ...}, "must have a field 'control'"),
        ({"metrics": ...}, "must have a field 'metrics'"),
        ({"colour": 1}, "the specification has no field 'colour'; there are"),
        ({"metrics": "spent"}, "metrics must be a list, got 'spent'"),
        ({"metrics": ["spent"]}, "a metric must be a mapping, got 'spent'"),
        ({"metrics": [{"share": 0.5}]}, r"a metric must have one of .*, got \['share'\]"),
        ({"metrics": [{"mean": "a", "ratio": ["a", "b"]}]}, "a metric must have one of"),
        ({"metrics": [{"mean": ["a"]}]}, "mean must name a column, got"),
        ({"metrics": [{"mean": "a", "share": 0.5}]}, "a mean has no field 'share'"),
        ({"metrics": [{"proportion": "a", "covariate": "b"}]}, "a proportion has no field"),
        ({"metrics": [{"ratio": ["a"]}]}, "ratio must name a numerator and a denominator"),
        ({"metrics": [{"mean": "a", "winsorize": [0.1]}]}, "winsorize must hold two shares"),
        ({"metrics": [{"mean": "a", "better": "up"}]}, "better must be one of"),
        ({"plan": {"method": "fixed-horizon"}}, "plan must have a field 'n'"),
        ({"plan": 7}, "plan must be a mapping, got 7"),
        ({"alpha": "x"}, "alpha must be int, got 'x'"),
        ({"unit": 3}, "unit must be str, got 3"),
        ({"segments": 3}, "segments must be a list, got 3"),
        ({"segments": [3]}, "segments must name a column, got 3"),
        ({"time": 3}, "time must be str, got 3"),
        ({"bayes": 3}, "bayes must be a mapping, got 3"),
        ({"bayes": {"prior": {"mean": 0}}}, "prior must have a field 'sd'"),
        ({"bayes": {"shares": {"a": 0}}}, "a must be finite and above 0, got 0"),
    ],
)
def test_what_cannot_be_asked_is_named(change: dict[str, Any], message: str) -> None:
    spec = {name: each for name, each in {**SPEC, **change}.items() if each is not ...}
    with pytest.raises(ValueError, match=message):
        read_question(spec)


def test_a_plan_is_read_from_its_file(tmp_path: Path) -> None:
    plan = design(Target(metric="mean", baseline=10.0, sd=4.0, mde=0.5), alpha=0.1)
    save_plan(plan, tmp_path / "plan.json")
    spec = {"control": "A", "metrics": [{"mean": "spent"}], "plan": "plan.json"}
    found = read_question(spec, folder=tmp_path)
    assert (found.design, found.plan, found.segments) == (plan, None, ())
    other = read_question({**spec, "alpha": 0.01, "segments": "country"}, folder=tmp_path)
    assert (other.plan, other.segments) == (0.01, ("country",))
    with pytest.raises(FileNotFoundError):
        read_question(spec, folder=tmp_path / "elsewhere")


def test_a_specification_is_a_mapping() -> None:
    with pytest.raises(ValueError, match="the specification must be a mapping, got None"):
        read_question(None)
