"""Votes of known answers against scikit-learn and plain loops."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.kernel_ridge import KernelRidge

from nextcall.ranking.answer_votes import AnswerVotes, TermVotes
from nextcall.ranking.likeness import Question

N_OPERATIONS = 6
ANSWERS = st.lists(
    st.lists(st.integers(0, N_OPERATIONS - 1), min_size=1, max_size=3, unique=True),
    min_size=1,
    max_size=8,
)


def _likeness(n: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cosines of random points with one another, and with a new one."""
    points = np.random.default_rng(seed).normal(size=(n + 1, 4))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points[:n] @ points[:n].T, points[:n] @ points[n]


@given(ANSWERS, st.integers(0, 99))
def test_votes_agree_with_scikit_learn_and_with_loops(answers: list[list[int]], seed: int) -> None:
    n = len(answers)
    known, new = _likeness(n, seed)
    votes = AnswerVotes(known, [np.array(rows) for rows in answers], N_OPERATIONS)
    given_ = np.zeros((n, N_OPERATIONS))
    for place, rows in enumerate(answers):
        given_[place, rows] = 1
    mean = given_.mean(axis=0)
    ridge = KernelRidge(alpha=0.5, kernel="precomputed").fit(known, given_ - mean)
    expected = mean + ridge.predict(new[None])[0]
    np.testing.assert_allclose(votes.regression(new), expected, atol=1e-9)
    weight = np.exp(10 * new)
    for operation in range(N_OPERATIONS):
        own = sorted(new[given_[:, operation] > 0], reverse=True)
        assert votes.nearest(new)[operation] == (own[0] if own else -1)
        few = np.sum(own[:3]) / 3 if own else 0
        np.testing.assert_allclose(votes.few_nearest(new)[operation], few)
        share = weight[given_[:, operation] > 0].sum() / weight.sum()
        np.testing.assert_allclose(votes.votes(new)[operation], share)


def test_terms_speak_for_the_operations_whose_prompts_have_them() -> None:
    prompts = ["cancel order", "cancel parcel", "refund order", "show users"]
    answers = [np.array([0]), np.array([0]), np.array([1]), np.array([2, 1])]
    vector = np.ones(1, dtype=np.float32)
    questions = [Question.of(prompt, vector) for prompt in prompts]
    votes = TermVotes(questions, answers, 4)
    lifts = votes.lifts(Question.of("cancel the order of zebras", vector))
    expected = np.zeros(4)
    for operation in range(3):
        own = [i for i, rows in enumerate(answers) if operation in rows]
        for term in ("cancel", "order"):
            base = (sum(term in q.terms for q in questions) + 0.5) / 5
            often = (sum(term in questions[i].terms for i in own) + 2 * base) / (len(own) + 2)
            expected[operation] += np.log(often / base) / np.sqrt(2)
    np.testing.assert_allclose(lifts, expected)
    assert lifts.argmax() == 0
    assert not votes.lifts(Question.of("zebra", vector)).any()
