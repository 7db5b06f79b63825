from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from nextcall.abtest.multiplicity import Adjustment, adjusted_pvalues

NAMES: dict[Adjustment, str] = {
    "bonferroni": "bonferroni",
    "holm": "holm",
    "holm-sidak": "holm-sidak",
    "hochberg": "simes-hochberg",
    "hommel": "hommel",
    "bh": "fdr_bh",
    "by": "fdr_by",
}
pvalues = st.lists(
    st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1e-300, 0.01, 0.05, 0.5, 1.0])),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("method", NAMES)
@settings(max_examples=15)  # the peer's Holm takes a tenth of a second
@given(given_pvalues=pvalues)
def test_adjustments_agree_with_statsmodels(method: Adjustment, given_pvalues: list[float]) -> None:
    found = adjusted_pvalues(given_pvalues, method=method)
    with np.errstate(divide="ignore"):
        other = multipletests(given_pvalues, method=NAMES[method])[1]
    np.testing.assert_allclose(found, other, rtol=1e-12, atol=1e-300)
    assert np.all(found >= np.asarray(given_pvalues) * (1 - 1e-15))


@given(given_pvalues=st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_hommel_closes_simes(given_pvalues: list[float]) -> None:
    """Reject a question where Simes's test rejects every set of questions that holds it."""
    n = len(given_pvalues)
    closed = np.zeros(n)
    for size in range(1, n + 1):
        for chosen in combinations(range(n), size):
            rising = np.sort([given_pvalues[place] for place in chosen])
            simes = min(1.0, np.min(size * rising / np.arange(1, size + 1)))
            closed[list(chosen)] = np.maximum(closed[list(chosen)], simes)
    np.testing.assert_allclose(adjusted_pvalues(given_pvalues, method="hommel"), closed, rtol=1e-12)


@given(given_pvalues=pvalues)
def test_stronger_methods_never_find_less(given_pvalues: list[float]) -> None:
    rising: list[Adjustment] = ["by", "bh", "hommel", "hochberg", "holm", "bonferroni"]
    found = {name: adjusted_pvalues(given_pvalues, method=name) for name in NAMES}
    for sharp, blunt in pairwise(rising[1:]):
        assert np.all(found[sharp] <= found[blunt] * (1 + 1e-12))
    assert np.all(found["bh"] <= found["by"] * (1 + 1e-12))
    assert np.all(found["holm-sidak"] <= found["holm"] * (1 + 1e-12))


def test_level_holds_for_all_questions_together() -> None:
    rng, runs, alpha = np.random.default_rng(4), 2000, 0.1
    drawn = rng.random((runs, 8))
    error = 3 * np.sqrt(alpha * (1 - alpha) / runs)
    for method in NAMES:
        false = np.mean([adjusted_pvalues(row, method=method).min() <= alpha for row in drawn])
        assert false <= alpha + error


def test_no_questions_have_no_answers() -> None:
    assert adjusted_pvalues([]).size == 0


def test_what_is_no_pvalue_is_refused() -> None:
    with pytest.raises(ValueError, match=r"pvalues must lie between 0 and 1, got 1\.5"):
        adjusted_pvalues([0.5, 1.5])
    with pytest.raises(ValueError, match="pvalues must lie between 0 and 1, got nan"):
        adjusted_pvalues([float("nan")])
    with pytest.raises(ValueError, match="pvalues must have one dimension, got 2"):
        adjusted_pvalues([[0.5]])
    with pytest.raises(ValueError, match="method must be one of"):
        adjusted_pvalues([0.5], method="tukey")  # type: ignore[arg-type]  # is what is tested
