from fractions import Fraction
from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nextcall.abtest.srm import sample_ratio


@given(
    observed=st.lists(st.integers(1, 10**6), min_size=2, max_size=6),
    weights=st.lists(st.floats(0.01, 100), min_size=6, max_size=6),
)
def test_chi_square_agrees_with_scipy(observed: list[int], weights: list[float]) -> None:
    planned = np.array(weights[: len(observed)])
    found = sample_ratio(observed, planned.tolist())
    other = stats.chisquare(observed, planned / planned.sum() * sum(observed), sum_check=False)
    assert found.chi2 == pytest.approx(other.statistic, rel=1e-9, abs=1e-9)
    assert found.pvalue == pytest.approx(other.pvalue, rel=1e-6, abs=1e-300)
    if len(observed) > 2:
        assert isnan(found.exact_pvalue)


@given(
    observed=st.tuples(st.integers(0, 400), st.integers(0, 400)),
    share=st.sampled_from([0.001, 0.3, 0.5, 0.999]),
)
def test_exact_pvalue_sums_what_is_no_likelier(observed: tuple[int, int], share: float) -> None:
    total = sum(observed)
    found = sample_ratio(observed, [share, 1 - share])
    chances = stats.binom.pmf(np.arange(total + 1), total, share)
    slow = chances[chances <= chances[observed[0]] * (1 + 1e-7)].sum()
    assert found.exact_pvalue == pytest.approx(slow, rel=1e-7, abs=1e-300)


def test_each_variant_s_excess_is_given() -> None:
    found = sample_ratio({"old": 800, "new": 110, "other": 90}, {"new": 1, "old": 8, "other": 1})
    assert [each.variant for each in found.variants] == ["new", "old", "other"]
    assert [each.excess for each in found.variants] == pytest.approx([10, 0, -10])
    assert found.variants[0].relative == pytest.approx(0.1)
    assert found.variants[0].z == pytest.approx(10 / np.sqrt(90))
    lopsided = sample_ratio([100, 200, 90])
    assert lopsided.worst.variant == "1"
    assert lopsided.worst.expected == 130


def test_pvalues_are_uniform_while_the_plan_holds() -> None:
    rng = np.random.default_rng(7)
    runs = rng.multinomial(5000, [0.5, 0.3, 0.2], size=1000)
    pvalues = [sample_ratio(run.tolist(), [5, 3, 2]).pvalue for run in runs]
    assert stats.kstest(pvalues, "uniform").pvalue > 1e-3


def test_no_units_show_nothing() -> None:
    found = sample_ratio([0, 0])
    assert (found.chi2, found.pvalue, found.exact_pvalue) == (0.0, 1.0, 1.0)
    assert isnan(found.worst.z)
    assert isnan(found.worst.relative)


def test_what_is_no_count_or_plan_is_refused() -> None:
    with pytest.raises(ValueError, match="weights must be of at least two variants, got 1"):
        sample_ratio([5])
    with pytest.raises(ValueError, match="weights must be finite and above 0, got 0 for '1'"):
        sample_ratio([5, 5], [1, 0])
    with pytest.raises(ValueError, match="weights must be finite and above 0, got nan"):
        sample_ratio([5, 5], [1, float("nan")])
    with pytest.raises(ValueError, match="counts must be at least 0, got -1 for '0'"):
        sample_ratio([-1, 5])
    with pytest.raises(ValueError, match="counts must be of 3 variants, got 2"):
        sample_ratio([1, 5], [1, 1, 1])
    with pytest.raises(ValueError, match=r"variants must be \['A', 'B'\], got \['A', 'C'\]"):
        sample_ratio({"A": 1, "C": 2}, {"A": 1, "B": 1})
    with pytest.raises(TypeError):
        sample_ratio([1.5, 5])  # type: ignore[list-item]  # is what is tested


def test_large_counts_keep_their_digits() -> None:
    observed, weights = [1_000_000_003_000_000, 9_000_000_000_000_000], [0.1, 0.9]
    total = sum(observed)
    shares = [Fraction(each) / sum(map(Fraction, weights)) for each in weights]
    chi2 = sum(
        (count - total * share) ** 2 / (total * share)
        for count, share in zip(observed, shares, strict=True)
    )
    found = sample_ratio(observed, weights)
    assert found.chi2 == pytest.approx(float(chi2), rel=1e-14)
    assert found.variants[0].excess == float(observed[0] - total * shares[0])
