"""A question is answered with what belongs to it: plan, segments, days, beliefs, what to mind."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nextcall.abtest.analysis import Analysis, analyze
from nextcall.abtest.design import Plan, design
from nextcall.abtest.look import LookPlan
from nextcall.abtest.metrics import Aim, Mean, Metric, Proportion, Quantile, Ratio
from nextcall.abtest.posteriors import Beliefs
from nextcall.abtest.question import Question
from nextcall.abtest.target import Target

TARGET = Target(metric="mean", baseline=10.0, sd=2.0, mde=0.4)


def frame(
    n: int = 1800, *, lift: float = 0.0, novel: float = 0.0, seed: int = 3, variants: str = "AB"
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(n), 3)
    visit = np.tile(np.arange(3), n)
    variant = np.array(list(variants))[user % len(variants)]
    country = np.array(["de", "fr"])[rng.integers(0, 2, n)[user]]
    treated = variant == "B"
    spent = 10 + rng.normal(0, 2, n)[user] + rng.normal(size=3 * n)
    spent += treated * (lift * (country == "fr") + novel * (1 - visit / 2))
    day = rng.integers(0, 14, n)[user] + visit * 2
    return pd.DataFrame(
        {"user": user, "variant": variant, "country": country, "day": day, "spent": spent}
    ).assign(bought=spent > 11, one=1.0)


def ask(rows: pd.DataFrame, metric: Metric | None = None, **options: Any) -> Analysis:
    own: dict[str, Any] = {"unit": "user", **options}
    return Question(control="A", metrics=(metric or Mean("spent"),), **own).answer(rows)


def test_a_plain_question_is_a_plain_analysis() -> None:
    rows = frame(lift=0.5)
    found = ask(rows, strata="country", adjust="bh")
    expected = analyze(rows, control="A", metrics=[Mean("spent")], unit="user", strata="country")
    pd.testing.assert_frame_equal(found.to_frame(), expected.to_frame())
    assert (found.segments, found.times, found.plan) == ((), (), None)
    assert found.to_dict()["plan"] is None


def test_segments_that_differ_are_to_be_minded() -> None:
    rows = frame(lift=1.0)
    found = ask(rows, segments=("country",))
    assert found.verdict.variant == "B"
    assert "Mind: the effect of B differs between values of country, p " in found.verdict.sentence
    assert found.to_dict()["segments"][0]["column"] == "country"
    assert "Mind" not in ask(frame(seed=4), segments=("country",)).verdict.sentence
    lost = rows[(rows["country"] == "de") | (rows["variant"] == "B") | (rows["user"] % 6 < 2)]
    told = ask(lost, segments=("country",), shares={"A": 600, "B": 900}).verdict.sentence
    assert "the variants do not have the same mix of country" in told


def test_an_effect_that_wears_off_is_to_be_minded() -> None:
    found = ask(frame(novel=1.5), time="day")
    assert found.verdict.variant == "B"
    assert "the effect of B wears off with the days since first exposure" in found.verdict.sentence
    grows = ask(frame(novel=-1.5).assign(day=lambda rows: -rows["day"]), time="day")
    assert "the effect of B grows with the days since first exposure" in grows.verdict.sentence
    rows = frame(novel=1.5)
    rows["spent"] += 0.3 * rows["day"] * (rows["variant"] == "B")
    once = ask(rows.drop_duplicates("user"), time="day").verdict.sentence
    assert "the effect of B changes over the days of the test" in once
    dated = rows.assign(day=pd.Timestamp("2026-01-05") + pd.to_timedelta(rows["day"], unit="D"))
    dated["spent"] += 3.0 * (dated["day"].dt.day_of_week == 6) * (rows["variant"] == "B")
    assert "hangs on the day of the week" in ask(dated, time="day").verdict.sentence


def test_nothing_is_minded_of_an_invalid_test() -> None:
    rows = frame(lift=1.0)
    lost = rows[(rows["variant"] == "A") | (rows["user"] % 10 < 5)]
    found = ask(lost, segments=("country",))
    assert found.verdict.decision == "invalid"
    assert "Mind" not in found.verdict.sentence
    assert found.segments


def test_beliefs_are_added_where_asked() -> None:
    rows = frame(lift=1.0)
    found = ask(rows, beliefs=Beliefs(rope=0.01)).comparisons[0].posterior
    expected = ask(rows).bayesian(rope=0.01).comparisons[0].posterior
    assert found == expected


def planned(n: int = 1, **options: Any) -> Plan:
    return replace(design(TARGET, **options), n=(n,) * len(options.get("allocation", (1, 1))))


def test_a_plan_that_was_kept_is_read_as_planned() -> None:
    found = ask(frame(lift=1.0), design=planned(900))
    assert found.comparisons[0].look.method == "fixed-horizon"
    assert found.plan is not None
    assert found.plan.deviations == ()
    assert found.plan.comparison is not None
    assert found.plan.comparison.share_of_n == 1.0
    arm = found.comparisons[0].arms[0]
    assert found.plan.comparison.done.sd == pytest.approx(np.sqrt(arm.variance))
    assert found.to_dict()["plan"]["deviations"] == ()
    nearly = ask(frame(lift=1.0), design=planned(940))
    assert nearly.comparisons[0].look.method == "fixed-horizon"


def test_a_plan_that_was_not_kept_is_told() -> None:
    rows = frame(lift=1.0)
    early = ask(rows, design=planned(1200))
    assert early.comparisons[0].look.method == "always-valid"
    assert early.plan is not None
    assert early.plan.deviations == ("2,400 units were planned, 1,800 are there (75%).",)
    late = ask(rows, design=planned(800), time="day").plan
    assert late is not None
    assert late.deviations == ("1,600 units were planned, 1,800 are there (112%).",)
    assert late.comparison is not None
    assert late.comparison.done.days == 18
    other = ask(rows, Proportion("bought"), design=planned(900)).plan
    assert other is not None
    assert other.comparison is None
    told = ask(rows, Mean("spent", aim=Aim(margin=0.1)), design=planned(900), earlier=(600.0,)).plan
    assert told is not None
    assert told.deviations == (
        "The goal was planned to be difference, non-inferiority is asked for.",
        "1 looks were planned, this is look 2.",
    )


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (Proportion("bought"), "A mean was planned as the primary metric, a proportion is"),
        (Ratio("spent", "one"), "a ratio is analysed"),
        (Quantile("spent", 0.5), "a quantile is analysed"),
        (Mean("spent", aim=Aim(equivalence=0.1)), "equivalence is asked for"),
        (Mean("spent", aim=Aim(alternative="greater")), "planned to be two-sided, greater is"),
    ],
)
def test_another_metric_than_planned_is_told(metric: Metric, message: str) -> None:
    found = ask(frame(600), metric, design=planned(300), plan=0.01).plan
    assert found is not None
    assert any(message in each for each in found.deviations)
    assert "Alpha was planned to be 0.05, it is 0.01." in found.deviations


def test_looks_and_shares_are_the_plans() -> None:
    sequential = planned(900, method="group-sequential", looks=3)
    found = ask(frame(lift=1.0), design=sequential)
    assert found.comparisons[0].look.method == "group-sequential"
    always = planned(2000, method="always-valid", looks=3)
    found = ask(frame(lift=1.0), design=always, earlier=(100.0, 200.0, 300.0, 400.0))
    assert found.plan is not None
    assert found.plan.deviations == ("4,000 units were planned, 1,800 are there (45%).",)
    uneven = replace(design(TARGET, allocation=(0.8, 0.2)), n=(1440, 360))
    found = ask(frame(lift=1.0), design=uneven)
    assert found.verdict.decision == "invalid"
    assert found.plan is not None
    assert found.plan.deviations == (
        "Shares of 80.0%, 20.0% were planned, 50.0%, 50.0% are there.",
    )


def test_many_treatments_are_judged_as_planned() -> None:
    rows = frame(lift=1.0, variants="ABC")
    thirds = (1 / 3, 1 / 3, 1 / 3)
    assert ask(rows, design=planned(600, allocation=thirds)).adjustment == "dunnett"
    assert ask(rows, design=planned(900, allocation=thirds)).adjustment == "holm"  # early
    strict = planned(600, allocation=thirds, correction="bonferroni")
    assert ask(rows, design=strict).adjustment == "bonferroni"
    assert ask(rows, design=strict, adjust="bh").adjustment == "bh"
    assert ask(rows).adjustment == "holm"
    two = ask(rows, design=planned(900))
    assert two.plan is not None
    assert two.plan.deviations == ("2 variants were planned, 3 are there.",)
    shares = {"A": 0.5, "C": 0.2, "B": 0.3}
    uneven = replace(design(TARGET, allocation=(0.5, 0.2, 0.3)), n=(900, 360, 540))
    with pytest.raises(ValueError, match="shares must be given, control's first"):
        ask(rows, design=uneven)
    kept = rows[(rows["variant"] == "A") | (rows["user"] % 10 < 5)]
    assert ask(kept, design=uneven, shares=shares).plan is not None


def test_a_plan_without_a_figure_of_control_has_no_comparison() -> None:
    found = ask(frame(600).assign(spent=1.0), design=planned(300)).plan
    assert found is not None
    assert found.comparison is None


def test_a_test_is_read_in_one_way() -> None:
    with pytest.raises(ValueError, match="plan and design both say how a test is read"):
        ask(frame(600), design=planned(300), plan=LookPlan(n=5000))
