import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nextcall.synth.effects import EffectSettings, PlantedExperiment, plant_effects

USERS = [f"u{n}" for n in range(20_000)]
SETTINGS = EffectSettings(
    conversion_lift=0.3, revenue_lift=0.1, revenue_spread=0.5, click_lift=-0.2
)


@pytest.fixture(scope="module")
def planted() -> PlantedExperiment:
    return plant_effects(USERS, rng=np.random.default_rng(11), settings=SETTINGS)


def _sides(planted: PlantedExperiment) -> dict[str, pd.DataFrame]:
    frame = planted.outcomes
    return {name: frame[frame["variant"] == name] for name in ("control", "treatment")}


@pytest.mark.parametrize("variant", ["control", "treatment"])
def test_means_are_those_of_the_truth(planted: PlantedExperiment, variant: str) -> None:
    truth = planted.truth.set_index("metric")[variant]
    side = _sides(planted)[variant]
    converted = int(side["converted"].sum())
    assert stats.binomtest(converted, len(side), truth["conversion"]).pvalue > 0.001
    assert stats.ttest_1samp(side["revenue"], truth["revenue"]).pvalue > 0.001
    linear = side["clicks"] - truth["clicks_per_session"] * side["sessions"]
    assert stats.ttest_1samp(linear, 0.0).pvalue > 0.001
    assert (side["clicks"] <= side["sessions"]).all()


def test_effects_are_the_difference_of_the_means(planted: PlantedExperiment) -> None:
    truth = planted.truth
    np.testing.assert_allclose(truth["absolute"], truth["treatment"] - truth["control"])
    np.testing.assert_allclose(truth["relative"], truth["treatment"] / truth["control"] - 1)


def test_users_are_assigned_by_a_coin(planted: PlantedExperiment) -> None:
    treated = int((planted.outcomes["variant"] == "treatment").sum())
    assert stats.binomtest(treated, len(USERS), 0.5).pvalue > 0.001
    fewer = plant_effects(USERS, rng=np.random.default_rng(1), treated=0.1)
    treated = int((fewer.outcomes["variant"] == "treatment").sum())
    assert stats.binomtest(treated, len(USERS), 0.1).pvalue > 0.001


@pytest.mark.parametrize("variant", ["control", "treatment"])
def test_the_covariate_has_the_correlation_that_was_asked_for(
    planted: PlantedExperiment, variant: str
) -> None:
    side = _sides(planted)[variant]
    found = np.corrcoef(side["revenue"], side["revenue_before"])[0, 1]
    # Fisher's z has a standard error of 1 / sqrt(n), more for heavy tails: six instead of four.
    assert np.arctanh(found) == pytest.approx(np.arctanh(0.6), abs=6 / np.sqrt(len(side)))


def test_the_covariate_knows_nothing_of_the_variant(planted: PlantedExperiment) -> None:
    one, other = (side["revenue_before"] for side in _sides(planted).values())
    assert stats.ks_2samp(one, other).pvalue > 0.001


def test_full_correlation_is_identity() -> None:
    settings = EffectSettings(correlation=1.0)
    frame = plant_effects(USERS[:50], rng=np.random.default_rng(0), settings=settings).outcomes
    np.testing.assert_allclose(frame["revenue"], frame["revenue_before"])


def test_pvalues_of_an_a_a_test_are_uniform() -> None:
    pvalues: dict[str, list[float]] = {"converted": [], "revenue": [], "clicks": []}
    for seed in range(60):
        planted = plant_effects(USERS[:800], rng=np.random.default_rng(seed))
        assert not planted.truth[["absolute", "relative"]].to_numpy().any()
        one, other = _sides(planted).values()
        for metric, values in pvalues.items():
            values.append(stats.ttest_ind(one[metric], other[metric], equal_var=False).pvalue)
    for metric, values in pvalues.items():
        assert stats.kstest(values, "uniform").pvalue > 0.001, metric


def test_sessions_of_a_user_are_alike(planted: PlantedExperiment) -> None:
    control = _sides(planted)["control"]
    several = control[control["sessions"] >= 4]
    rate = several["clicks"] / several["sessions"]
    binomial = (0.3 * 0.7 / several["sessions"]).mean()
    assert rate.var() > 1.2 * binomial


def test_rates_of_all_and_nothing_are_kept() -> None:
    settings = EffectSettings(click_rate=0.5, click_lift=1.0)
    frame = plant_effects(USERS[:200], rng=np.random.default_rng(0), settings=settings).outcomes
    treated = frame[frame["variant"] == "treatment"]
    assert (treated["clicks"] == treated["sessions"]).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"conversion": 1.5}, r"conversion must be in \[0, 1\], got 1.5"),
        ({"correlation": -0.1}, r"correlation must be in \[0, 1\]"),
        ({"revenue_spread": 0.0}, "revenue_spread must be above 0"),
        ({"conversion": 0.6, "conversion_lift": 1.0}, "conversion_lift must keep its metric"),
        ({"revenue_lift": -1.5}, "revenue_lift must keep its metric"),
    ],
)
def test_effects_out_of_range_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EffectSettings(**settings)


def test_arguments_out_of_range_are_refused(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="users must be at least one id, each once"):
        plant_effects([], rng=rng)
    with pytest.raises(ValueError, match="users must be at least one id, each once"):
        plant_effects(["a", "a"], rng=rng)
    with pytest.raises(ValueError, match=r"treated must be in \(0, 1\), got 1"):
        plant_effects(["a"], rng=rng, treated=1)
    with pytest.raises(ValueError, match="sessions must be above 1, got 1"):
        plant_effects(["a"], rng=rng, sessions=1)
