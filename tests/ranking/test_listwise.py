"""Listwise weights against logistic regression, and by their laws."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from nextcall.ranking.listwise import fit_listwise

Lists = tuple[list[NDArray[np.float64]], list[NDArray[np.int8]]]


def _lists(n: int, candidates: int, truth: list[float], seed: int = 0) -> Lists:
    """Queries whose one right answer is drawn by a softmax of the weighted inputs."""
    rng = np.random.default_rng(seed)
    inputs = [rng.normal(size=(candidates, len(truth))) for _ in range(n)]
    right = [rng.choice(candidates, p=softmax(x @ truth)) for x in inputs]
    relevance = [(np.arange(candidates) == place).astype(np.int8) for place in right]
    return inputs, relevance


@pytest.mark.parametrize("strength", [0.5, 4.0])
def test_of_two_candidates_it_is_logistic_regression_of_their_difference(strength: float) -> None:
    inputs, relevance = _lists(60, 2, [1.0, -0.5, 0.0])
    differences = np.stack([x[0] - x[1] for x in inputs])
    first = np.array([y[0] for y in relevance])
    peer = LogisticRegression(C=1 / strength, fit_intercept=False, tol=1e-10)
    expected = peer.fit(differences, first).coef_[0]
    found = fit_listwise(inputs, relevance, start=np.zeros(3), strength=strength)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_planted_weights_are_found() -> None:
    truth = [2.0, 0.0, -1.0]
    found = fit_listwise(*_lists(3_000, 6, truth), start=np.zeros(3), strength=1.0)
    np.testing.assert_allclose(found, truth, atol=0.15)


def test_a_strong_ridge_stays_at_its_start() -> None:
    found = fit_listwise(*_lists(50, 6, [2.0, 0.0]), start=(0.3, 0.7), strength=1e6)
    np.testing.assert_allclose(found, (0.3, 0.7), atol=1e-3)


def test_what_is_added_to_all_candidates_of_a_query_changes_nothing() -> None:
    inputs, relevance = _lists(40, 5, [1.0, 2.0])
    moved = [x + number for number, x in enumerate(inputs)]
    found = [fit_listwise(x, relevance, start=np.zeros(2), strength=1.0) for x in (inputs, moved)]
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)


def test_several_right_answers_share_one_place() -> None:
    """Two right answers alike are worth one query, not two: their mean place is learned."""
    inputs = [np.array([[1.0], [1.0], [0.0]])]
    both = fit_listwise(inputs, [np.array([1, 1, 0], dtype=np.int8)], start=[0.0], strength=1.0)
    one = fit_listwise(inputs, [np.array([1, 0, 0], dtype=np.int8)], start=[0.0], strength=1.0)
    np.testing.assert_allclose(both, one, atol=1e-4)


def test_no_weight_is_below_the_lowest() -> None:
    inputs, relevance = _lists(200, 5, [1.0, -2.0])
    free = fit_listwise(inputs, relevance, start=(1.0, 0.0), strength=1.0)
    held = fit_listwise(inputs, relevance, start=(1.0, 0.0), strength=1.0, lowest=0.0)
    assert free[1] < -1
    assert held[1] == 0
    assert held[0] > 0


def test_queries_without_a_right_answer_teach_nothing() -> None:
    inputs, relevance = _lists(30, 4, [1.0])
    none = [np.zeros(4, dtype=np.int8)] * 30
    known = fit_listwise(inputs, relevance, start=[0.0], strength=1.0)
    mixed = fit_listwise(inputs + inputs, relevance + none, start=[0.0], strength=1.0)
    np.testing.assert_array_equal(known, mixed)
    assert fit_listwise(inputs, none, start=[0.4], strength=1.0).tolist() == [0.4]


@pytest.mark.parametrize("strength", [0.0, -1.0, float("nan")])
def test_the_strength_must_be_positive(strength: float) -> None:
    with pytest.raises(ValueError, match="strength must be positive, got"):
        fit_listwise(*_lists(3, 4, [1.0]), start=[0.0], strength=strength)
