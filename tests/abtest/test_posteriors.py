"""Posteriors of an analysis are those of its arms, and lead nobody to a verdict."""

from math import isnan

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nextcall.abtest.analysis import Analysis, analyze
from nextcall.abtest.bayes import NormalPrior, compare_shares
from nextcall.abtest.beta_chances import Beta
from nextcall.abtest.metrics import Aim, Mean, Proportion, Ratio
from nextcall.abtest.posteriors import posterior_of
from nextcall.abtest.shares import Share


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"variant": ["A", "B"] * 1000, "user": np.arange(2000) // 4 * 2})
    rows["user"] += np.arange(2000) % 2
    rows["spent"] = rng.normal(10, 3, 2000) + 0.2 * (rows["variant"] == "B")
    rows["bought"] = rng.random(2000) < 0.3
    rows["visits"] = rng.poisson(3, 2000) + 1
    return rows


def run(*metrics: Mean | Proportion | Ratio, unit: str | None = None) -> Analysis:
    return analyze(frame(), control="A", metrics=metrics, unit=unit)


def test_a_flat_prior_believes_the_p_value() -> None:
    (each,) = run(Mean("spent")).comparisons
    found = posterior_of(each)
    z = each.difference.value / each.difference.se
    assert found.chance_to_win == pytest.approx(stats.norm.cdf(z))
    assert (found.mean, found.sd) == pytest.approx((each.difference.value, each.difference.se))
    assert isnan(found.rope_share)
    lower = run(Mean("spent", aim=Aim(better="lower"))).comparisons[0]
    assert posterior_of(lower).chance_to_win == pytest.approx(stats.norm.cdf(-z))


def test_a_proportion_has_the_beta_binomial_model() -> None:
    (each,) = run(Proportion("bought")).comparisons
    rows = frame()
    shares = [
        Share(successes=int(own["bought"].sum()), n=len(own)) for _, own in rows.groupby("variant")
    ]
    prior = Beta(a=30, b=70)
    expected = compare_shares(*shares, prior=prior, rope=(-0.003, 0.003)).difference
    found = posterior_of(each, shares=prior, rope=0.003 / shares[0].value)
    assert found == expected
    (clustered,) = run(Proportion("bought"), unit="user").comparisons
    assert posterior_of(clustered).sd == pytest.approx(clustered.difference.se)


def test_beliefs_stand_beside_the_comparisons() -> None:
    plain = run(Mean("spent", aim=Aim(equivalence=0.05)), Ratio("spent", "visits"))
    found = plain.bayesian(prior=NormalPrior(sd=0.02))
    assert found.verdict == plain.verdict
    assert "chance_to_win" not in plain.to_frame()
    frame_ = found.to_frame()
    first = found.comparisons[0].posterior
    assert first is not None
    assert frame_["chance_to_win"][0] == first.chance_to_win
    assert 0 < frame_["rope_share"][0] < 1
    assert isnan(frame_["rope_share"][1])
    assert found.to_dict()["comparisons"][0]["posterior"]["sd"] == first.sd
    assert abs(first.mean) < abs(plain.comparisons[0].difference.value)  # drawn to the prior
    assert found.adjusted("bh").comparisons[0].posterior == first


def test_what_is_not_known_is_not_believed() -> None:
    rows = frame().assign(spent=np.nan)
    (each,) = analyze(rows, control="A", metrics=[Mean("spent")]).bayesian(rope=0.1).comparisons
    assert each.posterior is not None
    assert isnan(each.posterior.chance_to_win)
    with pytest.raises(ValueError, match="rope must be above 0, got 0"):
        run(Mean("spent")).bayesian(rope=0)
