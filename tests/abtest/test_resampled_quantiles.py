"""The bootstrap distribution of a quantile beside every resample there is, and many of them."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.abtest.resampled_quantiles import (
    ResampledQuantile,
    chance_of_difference,
    difference_quantile,
)


@pytest.mark.parametrize("share", [0.03, 0.25, 1 / 3, 0.5, 0.77, 0.99])
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_the_law_is_that_of_all_resamples(n: int, share: float) -> None:
    values = np.array([3.0, -1.0, 7.5, 4.0, 1e3])[:n]
    law = ResampledQuantile.of(values, share)
    every = np.quantile(np.array(list(product(values, repeat=n))), share, axis=1)
    assert law.chances.sum() == pytest.approx(1.0)
    assert law.values @ law.chances == pytest.approx(every.mean())
    assert law.se == pytest.approx(every.std())
    for bound in np.unique(every):
        below = law.chance_below(np.array([bound + 1e-9]))[0]
        assert below == pytest.approx((every <= bound + 1e-9).mean())


@pytest.mark.parametrize(("n", "share"), [(400, 0.9), (401, 0.5), (2_000, 0.001)])
def test_the_error_is_that_of_resampling(n: int, share: float) -> None:
    rng = np.random.default_rng(2)
    values = rng.pareto(3.0, n)
    drawn = np.quantile(values[rng.integers(0, n, (4_000, n))], share, axis=1)
    law = ResampledQuantile.of(values, share)
    assert law.se == pytest.approx(drawn.std(), rel=5 / np.sqrt(2 * 4_000))


@given(
    n=st.integers(2, 1_000),
    share=st.floats(0.001, 0.999),
    offset=st.sampled_from([0.0, 1e8, -1e12]),
    scale=st.sampled_from([2.0**-900, 1.0, 2.0**900]),
)
def test_the_error_moves_with_the_values(n: int, share: float, offset: float, scale: float) -> None:
    values = np.random.default_rng(n).integers(-1_000, 1_000, n).astype(float)
    plain = ResampledQuantile.of(values, share).se
    assert ResampledQuantile.of(values + offset, share).se == pytest.approx(plain, rel=1e-4)
    assert ResampledQuantile.of(values * scale, share).se / scale == pytest.approx(plain, rel=1e-9)


def test_bounds_of_differences_have_the_chance_they_are_asked_for() -> None:
    rng = np.random.default_rng(0)
    control, treatment = (ResampledQuantile.of(rng.normal(size=80), 0.3) for _ in range(2))
    pairs = np.subtract.outer(treatment.values, control.values).ravel()
    chances = np.multiply.outer(treatment.chances, control.chances).ravel()
    order = np.argsort(pairs)
    sums = np.cumsum(chances[order])
    for chance in (1e-6, 0.025, 0.5, 0.999):
        found = difference_quantile(control, treatment, chance)
        assert found == pytest.approx(pairs[order][np.searchsorted(sums, chance)], abs=1e-9)
        assert chance_of_difference(control, treatment, found) >= chance


def test_differences_of_constants_are_one_value() -> None:
    one, other = (ResampledQuantile.of(np.full(9, value), 0.5) for value in (1e12, 1e12 + 1))
    assert difference_quantile(one, other, 0.025) == 1.0
    assert one.se == 0.0
