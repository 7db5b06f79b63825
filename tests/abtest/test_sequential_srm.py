import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from nextcall.abtest.sequential_srm import (
    SequentialSampleRatio,
    log_evidence,
    sample_ratio_path,
)


@given(
    observed=st.lists(st.integers(0, 10**5), min_size=3, max_size=3),
    concentration=st.sampled_from([0.5, 10.0, 1e4]),
)
def test_evidence_is_the_ratio_of_likelihoods(observed: list[int], concentration: float) -> None:
    shares, counts = np.array([0.7, 0.2, 0.1]), np.array(observed)
    prior = concentration * shares
    slow = (
        special.gammaln(prior + counts).sum()
        - special.gammaln(prior).sum()
        - special.gammaln(concentration + counts.sum())
        + special.gammaln(concentration)
        - counts @ np.log(shares)
    )
    found = log_evidence(observed, shares.tolist(), concentration=concentration)
    assert found == pytest.approx(slow, rel=1e-8, abs=1e-7)


def test_evidence_keeps_its_digits_at_many_units() -> None:
    # Balanced counts: by Stirling, half the log of (n + concentration) / concentration.
    n, concentration = 10**14, 1000.0
    found = log_evidence([n // 2] * 2, [0.5, 0.5], concentration=concentration)
    approximate = -0.5 * np.log((n + concentration) / concentration)
    assert found == pytest.approx(approximate, abs=1e-3)
    per_variant = log_evidence([n // 2 + 10**6, n // 2 - 10**6], [0.5, 0.5], concentration=1000.0)
    assert per_variant - found == pytest.approx(2 * 10**12 / n, rel=1e-6)


def test_path_and_looks_agree_after_every_unit() -> None:
    rng, shares = np.random.default_rng(0), [0.8, 0.1, 0.1]
    drawn = rng.choice(3, p=[0.7, 0.15, 0.15], size=600)
    state, looks = SequentialSampleRatio.start(shares, concentration=50), []
    for variant in drawn.tolist():
        state = state.observe([int(variant == place) for place in range(3)])
        looks.append(state.pvalue)
    path = sample_ratio_path(drawn, shares, concentration=50)
    np.testing.assert_allclose(path, looks, rtol=1e-9)
    assert np.all(np.diff(path) <= 0)
    assert path[-1] < 0.01
    assert [each.observed for each in state.variants] == np.bincount(drawn).tolist()
    once = SequentialSampleRatio.start(shares, concentration=50).observe(
        np.bincount(drawn).tolist()
    )
    assert once.log_evidence == pytest.approx(state.log_evidence)
    assert once.pvalue >= state.pvalue


def test_looking_after_every_unit_holds_the_level() -> None:
    rng, runs, alpha = np.random.default_rng(1), 1000, 0.05
    units = (rng.random((runs, 3000)) < 0.3).astype(np.int64)
    alarms = sum(
        sample_ratio_path(row, [0.7, 0.3], concentration=100)[-1] <= alpha for row in units
    )
    assert alarms / runs <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / runs)
    assert alarms > 0  # the level is used


def test_a_mismatch_is_found() -> None:
    units = (np.random.default_rng(2).random(50_000) < 0.52).astype(np.int64)
    path = sample_ratio_path(units, [1, 1])
    assert path[-1] < 1e-6
    assert path[100] > 0.01


def test_counts_by_name_may_come_in_any_order() -> None:
    state = SequentialSampleRatio.start({"A": 1, "B": 3})
    state = state.observe({"B": 30, "A": 10}).observe({"A": 0, "B": 0})
    assert [each.observed for each in state.variants] == [10, 30]
    assert state.pvalue == 1.0
    assert sample_ratio_path(np.array([], dtype=np.int64), [1, 1]).size == 0


def test_what_is_no_unit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"concentration must be finite and above 0, got 0\."):
        SequentialSampleRatio.start([1, 1], concentration=0)
    with pytest.raises(ValueError, match="variants must be whole numbers in one dimension"):
        sample_ratio_path([0.5], [1, 1])
    with pytest.raises(ValueError, match="variants must lie between 0 and 1, got 0 to 2"):
        sample_ratio_path([0, 2], [1, 1])
