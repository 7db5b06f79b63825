from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nextcall.abtest.effect import Alternative
from nextcall.abtest.preference import compare_credit, delta_ab, sign_test


@given(st.integers(0, 2_000), st.integers(0, 2_000))
def test_the_sign_test_is_the_exact_binomial_one(a: int, b: int) -> None:
    for alternative in get_args(Alternative):
        expected = stats.binomtest(b, a + b, 0.5, alternative).pvalue if a + b else 1.0
        assert sign_test(a, b, alternative=alternative) == pytest.approx(expected, rel=1e-9)


def test_the_sign_test_keeps_its_precision_in_the_tail() -> None:
    assert sign_test(0, 1_000) == pytest.approx(2.0**-999, rel=1e-9)
    assert sign_test(1_000, 0, alternative="less") == pytest.approx(2.0**-1000, rel=1e-9)
    assert sign_test(10**12, 10**12) == 1.0


@given(st.integers(0, 1_000), st.integers(0, 1_000), st.integers(0, 1_000))
def test_delta_ab_is_the_share_that_prefers_b_less_a_half(a: int, b: int, ties: int) -> None:
    total = a + b + ties
    if total:
        expected = (b + ties / 2) / total - 0.5
        assert delta_ab(a, b, ties) == pytest.approx(expected, abs=1e-12)
    else:
        assert np.isnan(delta_ab(a, b, ties))


def test_without_users_the_effect_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    credit = rng.poisson([1.0, 1.2], size=(300, 2))
    (found,) = compare_credit(credit, alpha=0.1)
    expected = stats.ttest_rel(credit[:, 1], credit[:, 0])
    interval = expected.confidence_interval(0.9)
    assert found.effect.pvalue == pytest.approx(expected.pvalue)
    assert found.effect.ci_lower == pytest.approx(interval.low)
    assert found.effect.ci_upper == pytest.approx(interval.high)
    assert found.wins_a == (credit[:, 0] > credit[:, 1]).sum()
    assert found.wins_b == (credit[:, 0] < credit[:, 1]).sum()
    assert found.n_units == found.n_lists == 300


def test_per_user_the_effect_is_the_t_test_of_the_users_means() -> None:
    rng = np.random.default_rng(1)
    users = np.repeat(np.arange(50), rng.integers(1, 9, size=50))
    credit = rng.poisson(1.0, size=(len(users), 3))
    found = compare_credit(credit, users=users, per_user=True, alternative="greater")
    assert [(each.a, each.b) for each in found] == [(0, 1), (0, 2), (1, 2)]
    means = [[row[users == user].mean() for user in range(50)] for row in credit.T]
    for each in found:
        expected = stats.ttest_rel(means[each.b], means[each.a], alternative="greater")
        assert each.effect.pvalue == pytest.approx(expected.pvalue)
        assert each.n_units == 50
        assert each.n_lists == len(users)


def test_users_whose_taste_holds_over_their_lists_do_not_make_false_alarms() -> None:
    rng = np.random.default_rng(2)
    clustered = naive = 0
    for _ in range(200):
        users = np.repeat(np.arange(60), rng.integers(1, 15, size=60))
        taste = rng.normal(size=60)[users]  # whom a user prefers; 0 in the mean
        credit = np.column_stack([np.zeros(len(users)), taste + rng.normal(size=len(users))])
        clustered += compare_credit(credit, users=users)[0].effect.pvalue < 0.05
        naive += compare_credit(credit)[0].effect.pvalue < 0.05
    assert abs(clustered / 200 - 0.05) < 4 * (0.05 * 0.95 / 200) ** 0.5
    assert naive / 200 > 0.2


def test_credit_that_differs_by_rounding_is_a_tie() -> None:
    (found,) = compare_credit([[0.1 + 0.2 + 0.7, 1.0], [0.1 + 0.2, 0.3]], users=["u", "u"])
    assert (found.wins_a, found.wins_b, found.ties) == (0, 0, 1)
    assert found.sign_pvalue == 1.0
    assert found.effect.ci_upper == np.inf  # one user


def test_what_cannot_be_is_refused() -> None:
    for wrong in (-1, 2.5, np.nan):
        with pytest.raises(ValueError, match="wins_b must be a whole number, at least 0"):
            sign_test(1, wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="ties must be a whole number"):
        delta_ab(1, 1, -1)
    for shape in ((3,), (3, 1), (0, 2)):
        with pytest.raises(ValueError, match="credit must have shape"):
            compare_credit(np.zeros(shape))
    with pytest.raises(ValueError, match="credit must be finite"):
        compare_credit([[np.inf, 0.0]])
    with pytest.raises(ValueError, match=r"users must have shape \(1,\)"):
        compare_credit([[1.0, 0.0]], users=["u", "v"])
