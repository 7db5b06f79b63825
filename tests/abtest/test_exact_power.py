"""Counted powers beside a plain loop over outcomes with scipy's tests."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportions_ztest

from nextcall.abtest.effect import Alternative
from nextcall.abtest.exact_power import ShareComparison, exact_share_power


def _pvalue(
    counts: tuple[int, int], n: tuple[int, int], alternative: Alternative, test: ShareComparison
) -> float:
    (a, b), (m, k) = counts, n
    if test == "fisher":
        table = np.array([[b, k - b], [a, m - a]])
        return float(stats.fisher_exact(table, alternative=alternative).pvalue)
    if a + b in {0, m + k}:
        return 1.0
    name = {"two-sided": "two-sided", "greater": "larger", "less": "smaller"}[alternative]
    return float(proportions_ztest([b, a], [k, m], alternative=name)[1])


@pytest.mark.parametrize("test", ["score", "fisher"])
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_every_outcome_is_counted(test: ShareComparison, alternative: Alternative) -> None:
    n, shares = (9, 14), (0.3, 0.6)
    laws = [stats.binom(size, share) for size, share in zip(n, shares, strict=True)]
    expected = sum(
        laws[0].pmf(a) * laws[1].pmf(b)
        for a in range(n[0] + 1)
        for b in range(n[1] + 1)
        if _pvalue((a, b), n, alternative, test) <= 0.05
    )
    found = exact_share_power(n, shares, alternative=alternative, test=test)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5])
def test_fishers_test_never_rejects_too_often(share: float) -> None:
    assert exact_share_power((40, 60), (share, share), test="fisher") <= 0.05


def test_sure_shares_and_single_units() -> None:
    assert exact_share_power((1, 1), (0.0, 1.0)) == 0.0
    assert exact_share_power((30, 30), (0.0, 1.0)) == pytest.approx(1.0)
    assert np.isclose(exact_share_power((20, 20), (0.0, 0.0)), 0.0)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="test must be one of"):
        exact_share_power((5, 5), (0.1, 0.2), test="wald")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="n must be at least 1, with 25,000,000 outcomes"):
        exact_share_power((5000, 5000), (0.1, 0.2))
    with pytest.raises(ValueError, match="shares must lie between 0 and 1"):
        exact_share_power((5, 5), (0.1, 1.2))
