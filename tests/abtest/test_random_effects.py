"""Variances between effects beside statsmodels; shrunken effects beside a book and simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.meta_analysis import combine_effects

from nextcall.abtest.random_effects import BetweenMethod, between_variance, shrunken

SCHOOLS = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
METHODS: tuple[BetweenMethod, ...] = ("dersimonian-laird", "paule-mandel")
ERRORS = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 12), scale=st.sampled_from([1e-9, 1.0, 1e9]))
def test_variances_are_what_they_are_defined_by(seed: int, n: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    values, errors = rng.normal(0, 2, n), rng.gamma(4.0, 0.25, n)

    def squares(tau2: float) -> float:
        weights = 1 / (errors**2 + tau2)
        return float(weights @ (values - weights @ values / weights.sum()) ** 2)

    first, full = (
        between_variance(values * scale, errors * scale, method=method) / scale**2
        for method in METHODS
    )
    if squares(0.0) <= n - 1:
        assert first == full == 0.0
    else:
        assert squares(full) == pytest.approx(n - 1)
        known = combine_effects(values, errors**2, method_re="dl").tau2
        assert first == pytest.approx(known)


def test_eight_schools_are_as_the_book_has_them() -> None:
    found = shrunken(SCHOOLS, ERRORS)
    # Gelman et al. (2013), table 5.3: quantiles of 200 draws, to the nearest integer.
    low = np.array([-2, -5, -11, -7, -9, -7, -1, -6])
    high = np.array([31, 23, 19, 21, 18, 17, 26, 33])
    median = np.array([10, 8, 7, 8, 5, 6, 10, 8])
    assert np.abs(found[:, 0] - median).max() < 2
    assert np.abs(found[:, 1] - low).max() < 3
    assert np.abs(found[:, 2] - high).max() < 8


@given(offset=st.sampled_from([0.0, 1e8]), scale=st.sampled_from([1e-100, 1.0, 1e100]))
def test_shrinking_moves_with_the_effects(offset: float, scale: float) -> None:
    plain = shrunken(SCHOOLS, ERRORS)
    moved = shrunken((SCHOOLS + offset) * scale, ERRORS * scale)
    assert moved / scale - offset == pytest.approx(plain, abs=1e-5)


@pytest.mark.parametrize("between", [0.0, 1.0])
def test_shrunken_intervals_cover_and_guesses_are_nearer(between: float) -> None:
    rng = np.random.default_rng(0)
    held, own, drawn, runs = 0, 0.0, 0.0, 100
    errors = np.tile([0.5, 1.0, 2.0], 3)
    for _ in range(runs):
        truth = between * rng.normal(size=9) + 5
        values = truth + errors * rng.normal(size=9)
        found = shrunken(values, errors)
        held += int(np.count_nonzero((found[:, 1] <= truth) & (truth <= found[:, 2])))
        own += float(((values - truth) ** 2).sum())
        drawn += float(((found[:, 0] - truth) ** 2).sum())
    assert held / (9 * runs) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / (3 * runs))
    assert drawn < 0.8 * own


def test_two_effects_are_worth_themselves() -> None:
    found = shrunken(np.array([0.0, 9.0]), np.array([1.0, 2.0]))
    assert found[:, 0].tolist() == [0.0, 9.0]
    assert found[1, 2] - found[1, 0] == pytest.approx(1.959964 * 2)
    assert between_variance(np.array([1.0]), np.array([1.0])) == 0.0


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ValueError, match="method must be one of"):
        between_variance(SCHOOLS, ERRORS, method="reml")  # type: ignore[arg-type]
