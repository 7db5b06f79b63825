"""Simulated looks are Welch's tests, and find what the theory of looks says."""

from math import sqrt

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from nextcall.abtest.confidence_sequences import asymptotic_sequence, mixture_rate
from nextcall.abtest.effect import Arm, difference
from nextcall.abtest.simulated_looks import (
    LAWS,
    MEANS,
    Reading,
    beyond,
    continuous_readings,
    count_shown,
    mixture_bounds,
    planned_readings,
    t_scores,
)


@pytest.mark.parametrize("name", LAWS)
def test_laws_have_their_means(name: str) -> None:
    values = LAWS[name](np.random.default_rng(0), (200, 1_000))
    assert values.mean() == pytest.approx(MEANS[name], abs=4 * values.std() / sqrt(200_000))


@pytest.mark.parametrize("of", [1, 3])
def test_scores_are_welchs_after_each_unit(of: int) -> None:
    drawn: list[NDArray[np.float64]] = []

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
        drawn.append(rng.exponential(size=shape))
        return drawn[-1]

    scores, dof = t_scores(draw, np.random.default_rng(0), (2, 20), effect=0.5, of=of)
    for run in range(2):
        for size in (2, 7, 20):
            known = stats.ttest_ind(
                drawn[1][run, :size] + 0.5, drawn[0][run, : of * size], equal_var=False
            )
            assert scores[run, size - 1] == pytest.approx(known.statistic)
            assert dof[run, size - 1] == pytest.approx(known.df)
    assert (scores[:, 0] == 0).all() or of > 1


def test_a_t_score_counts_as_the_z_score_that_is_as_rare() -> None:
    scores, dof = np.array([[2.0, 2.5]]), np.array([[5.0, 5.0]])
    bounds = np.array([1.96, 1.96])  # t(5) of 2.5 is as rare as a z-score of 1.9
    assert beyond(scores, dof, bounds, exact=False).tolist() == [True]
    assert beyond(scores, dof, bounds, exact=True).tolist() == [False]
    assert beyond(scores, np.full((1, 2), 1e9), bounds, exact=True).tolist() == [True]


def test_mixture_bounds_are_the_edges_of_the_sequence() -> None:
    rate = mixture_rate(400, 0.05)
    bound = float(mixture_bounds([200], rate)[0])
    arms = [Arm(n=200, estimate=value, variance=1.0) for value in (0.0, bound * 0.1)]
    found = asymptotic_sequence(difference(*arms), 400, rate=rate)
    assert found.ci_lower == pytest.approx(0.0, abs=1e-12)


def test_errors_with_and_without_looks_are_those_of_the_theory() -> None:
    runs = 4_000
    readings = {
        "once": planned_readings(300, 1)["naive"],
        **planned_readings(300, 5),
        **{f"{name}_every": each for name, each in continuous_readings(300).items()},
    }
    found = count_shown(LAWS["normal"], readings, runs=runs, rng=np.random.default_rng(0))
    error = {
        name: 3.5 * sqrt(share * (1 - share) / runs)
        for name, share in (("0.05", 0.05), ("0.142", 0.142))
    }
    assert found["once"] / runs == pytest.approx(0.05, abs=error["0.05"])
    assert found["naive"] / runs == pytest.approx(0.142, abs=error["0.142"])  # Armitage et al. 1969
    for name, count in found.items():
        if name.startswith("group"):
            assert count / runs == pytest.approx(0.05, abs=error["0.05"])
        if name.startswith(("always_valid", "mixture")):
            assert count / runs < 0.05 + error["0.05"]
    assert found["naive_every"] > found["naive"]
    effect = count_shown(
        LAWS["normal"], readings, runs=200, rng=np.random.default_rng(0), effect=1.0
    )
    assert set(effect.values()) == {200}


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="looks must lie between 1 and n = 5, got 6"):
        planned_readings(5, 6)
    with pytest.raises(ValueError, match="runs must be at least 1 and of a reading, got 5"):
        count_shown(LAWS["normal"], {}, runs=5, rng=np.random.default_rng(0))
    reading = Reading(sizes=np.array([10]), bounds=np.array([1.96]))
    with pytest.raises(ValueError, match="got 0"):
        count_shown(LAWS["normal"], {"a": reading}, runs=0, rng=np.random.default_rng(0))
