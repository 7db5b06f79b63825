"""Treatments judged together: beside scipy, a multivariate normal law, and simulated levels."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nextcall.abtest.analysis import Analysis, analyze
from nextcall.abtest.look import LookPlan
from nextcall.abtest.metrics import Aim, Mean, Metric, Proportion, Quantile, Ratio


def frame(n: int = 900, *, seed: int = 0, sd: tuple[float, ...] = (1, 1, 1, 1)) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    code = np.arange(n) % 4
    spent = 10 + rng.normal(size=n) * np.array(sd)[code] + 0.12 * code
    bought = rng.random(n) < 0.3
    return pd.DataFrame(
        {"variant": np.array(list("ABCD"))[code], "spent": spent, "bought": bought, "one": 1.0}
    )


def run(rows: pd.DataFrame, *metrics: Metric, **options: Any) -> Analysis:
    found = analyze(rows, control="A", metrics=metrics or [Mean("spent")], **options)
    return found.adjusted("dunnett")


def test_alike_arms_are_scipys() -> None:
    rows = frame()
    control, *others = (own["spent"].to_numpy() for _, own in rows.groupby("variant"))
    expected = stats.dunnett(*others, control=control, rng=np.random.default_rng(0))
    interval = expected.confidence_interval(0.95)
    found = run(rows).comparisons
    for place, each in enumerate(found):
        assert each.adjusted_pvalue == pytest.approx(expected.pvalue[place], rel=0.1, abs=2e-3)
        assert each.difference.ci_lower == pytest.approx(interval.low[place], abs=0.012)
        assert each.difference.ci_upper == pytest.approx(interval.high[place], abs=0.012)


def test_arms_of_unequal_variance_have_the_multivariate_law() -> None:
    found = run(frame(4000, sd=(1, 3, 1, 0.5))).comparisons
    errors = np.array([[arm.se**2 for arm in each.arms] for each in found])
    leans = np.sqrt(errors[:, 0] / errors.sum(axis=1))
    covariance = np.outer(leans, leans)
    np.fill_diagonal(covariance, 1.0)
    law = stats.multivariate_normal(np.zeros(3), covariance)
    for each in found:
        z = -stats.norm.ppf(each.pvalue / 2)
        inside = law.cdf(np.full(3, z), lower_limit=np.full(3, -z), rng=np.random.default_rng(0))
        assert each.adjusted_pvalue == pytest.approx(1 - inside, rel=0.03, abs=1e-4)
        reach = -stats.norm.ppf(each.level / 2)
        assert each.difference.ci_upper == pytest.approx(
            each.difference.value + reach * each.difference.se, rel=2e-3
        )
    outside = 1 - law.cdf(
        np.full(3, reach), lower_limit=np.full(3, -reach), rng=np.random.default_rng(0)
    )
    assert outside == pytest.approx(0.05, abs=1e-3)


def test_the_chance_of_any_false_find_is_alpha() -> None:
    sd = (1.0, 1.0, 2.0, 3.0)
    level = run(frame(400, sd=sd)).comparisons[0].level
    runs, rng = 8000, np.random.default_rng(1)
    means = rng.normal(size=(runs, 4)) * np.array(sd) / 10
    errors = np.array(sd) ** 2 * rng.chisquare(99, (runs, 4)) / 99 / 100
    total = errors[:, :1] + errors[:, 1:]
    dof = total**2 / ((errors[:, :1] ** 2 + errors[:, 1:] ** 2) / 99)
    pvalues = 2 * stats.t.sf(np.abs(means[:, 1:] - means[:, :1]) / np.sqrt(total), dof)
    found = np.mean(np.min(pvalues, axis=1) < level)
    assert found == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / runs))


def test_it_finds_no_less_than_bonferroni_and_no_more_than_each_alone() -> None:
    rows = frame()
    for metric in (Mean("spent"), Proportion("bought"), Ratio("spent", "one")):
        plain = analyze(rows, control="A", metrics=[metric])
        strict = plain.adjusted("bonferroni").comparisons
        for one, each, most in zip(
            plain.comparisons, plain.adjusted("dunnett").comparisons, strict, strict=True
        ):
            assert one.pvalue <= each.adjusted_pvalue <= most.adjusted_pvalue
            assert one.difference.ci_upper < each.difference.ci_upper
            assert one.relative.ci_lower > each.relative.ci_lower
            assert each.difference.value == one.difference.value
            assert 0.05 / 3 <= each.level < 0.05
        again = plain.adjusted("dunnett").adjusted("holm")
        assert again.comparisons == plain.comparisons


def test_one_side_and_one_treatment_are_sharper() -> None:
    rows = frame()
    two, one = run(rows), run(rows, Mean("spent", aim=Aim(alternative="greater")))
    assert two.comparisons[2].adjusted_pvalue > one.comparisons[2].adjusted_pvalue
    alone = rows[rows["variant"].isin(["A", "B"])]
    assert run(alone).comparisons[0].adjusted_pvalue == pytest.approx(
        run(alone).comparisons[0].pvalue
    )
    far = run(rows.assign(spent=rows["spent"] + 1e4 * (rows["variant"] == "B")))
    assert far.comparisons[0].adjusted_pvalue == 0.0


def test_only_the_primary_metric_is_judged_so() -> None:
    rows = frame()
    found = run(rows, Mean("spent"), Proportion("bought"))
    assert [each.level < 0.05 for each in found.comparisons] == [True] * 3 + [False] * 3
    holm = analyze(rows, control="A", metrics=[Mean("spent"), Proportion("bought")])
    assert found.comparisons[3:] == holm.comparisons[3:]
    assert "simultaneous interval" in found.verdict.sentence
    assert found.to_dict()["adjustment"] == "dunnett"
    nothing = run(rows.assign(spent=1.0))
    assert nothing.verdict.decision == "invalid"


def test_a_treatment_that_does_not_vary_leans_on_control_alone() -> None:
    rows = frame()
    rows.loc[rows["variant"] == "B", "spent"] = 10.0
    assert 0 < run(rows).comparisons[0].adjusted_pvalue <= 1


@pytest.mark.parametrize(
    ("metric", "options", "message"),
    [
        (Mean("spent"), {"plan": LookPlan(n=9000)}, "where looks are always-valid"),
        (Mean("spent", aim=Aim(margin=0.1)), {}, "with a margin or equivalence"),
        (Quantile("spent", 0.5), {}, r"spent \(quantile 0.5\) \(quantile\)"),
        (Proportion("rare"), {}, r"for rare \((fisher|boschloo)\): it needs means of many"),
    ],
)
def test_where_it_does_not_hold_it_is_refused(
    metric: Metric, options: dict[str, Any], message: str
) -> None:
    rows = frame().assign(rare=np.arange(900) < 3)
    with pytest.raises(ValueError, match=f"adjust must not be 'dunnett' .*{message}.*take 'holm'"):
        run(rows, metric, **options)


def test_few_units_are_refused() -> None:
    with pytest.raises(ValueError, match="'dunnett' with 20 units in a variant: it needs 30"):
        run(frame(80))
