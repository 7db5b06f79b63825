import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.abtest.overlap import overlap


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=50))
def test_the_effective_size_is_kongs(weights: list[float]) -> None:
    every = np.array(weights)
    found = overlap(every)
    expected = every.sum() ** 2 / (every**2).sum()
    assert found.effective_size == pytest.approx(expected)
    assert found.max_share == pytest.approx(every.max() / every.sum())
    assert found.mean_weight == pytest.approx(every.mean())
    if len(weights) > 1:
        spread = every.std(ddof=1) / len(every) ** 0.5
        assert found.mean_weight_se == pytest.approx(spread, abs=1e-12)
    else:
        assert np.isnan(found.mean_weight_se)


def test_huge_weights_do_not_overflow() -> None:
    assert overlap([1e300, 1e300]).effective_size == 2.0


def test_good_overlap_gives_no_warning() -> None:
    rng = np.random.default_rng(0)
    assert overlap(rng.choice([0.5, 1.5], size=1_000)).warnings == ()
    assert overlap(np.ones(3)).warnings == ()


def test_each_fault_is_named() -> None:
    rng = np.random.default_rng(1)
    (wrong,) = overlap(rng.uniform(0.4, 0.8, size=400)).warnings
    assert "The mean weight is 0.595 and should be 1" in wrong
    weights = np.zeros(1_000)
    weights[:20] = 50
    (far,) = overlap(weights).warnings
    assert "effective sample size is 20.0 of 1000" in far
    (heavy,) = overlap([*[0.9] * 90, 10.0]).warnings
    assert "One row holds 11%" in heavy
    assert overlap([0.0, 0.0]).warnings == ("The log holds no action that the policy would take.",)


def test_what_cannot_be_is_refused() -> None:
    for wrong in ([], [[1.0]]):
        with pytest.raises(ValueError, match="weights must have one dimension and a value"):
            overlap(wrong)
    for value in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="weights must be finite and at least 0"):
            overlap([value])
