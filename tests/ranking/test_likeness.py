"""Likeness of questions against plain definitions."""

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from nextcall.ranking.likeness import HistoryLikeness, PromptLikeness, Question

PROMPTS = (
    "cancel my order",
    "cancel the order of parcels and refund the order",
    "who directed Titanic",
    "",
)
HISTORIES = ((), (2,), (2, 2, 0), (1, 0))


def _questions() -> list[Question]:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(len(PROMPTS), 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [
        Question.of(prompt, vector, np.array(history, dtype=np.int64))
        for prompt, vector, history in zip(PROMPTS, vectors, HISTORIES, strict=True)
    ]


def _tfidf(question: Question, known: list[Question]) -> dict[str, float]:
    n = len(known)
    weights = {}
    for term, count in Counter(question.terms).items():
        holding = sum(term in one.terms for one in known)
        often = 1 + np.log(count) if holding else 1.0
        weights[term] = often * np.log((n + 1) / (holding + 0.5))
    norm = np.sqrt(sum(weight**2 for weight in weights.values())) or 1.0
    return {term: weight / norm for term, weight in weights.items()}


def _prompt_likeness(one: Question, other: Question, known: list[Question]) -> float:
    a, b = _tfidf(one, known), _tfidf(other, known)
    words = sum(weight * b[term] for term, weight in a.items() if term in b)
    return float(one.vector @ other.vector) / 2 + words / 2


@pytest.mark.parametrize("place", range(len(PROMPTS)))
def test_prompts_are_as_alike_as_their_vectors_and_words(place: int) -> None:
    known = _questions()
    likeness = PromptLikeness(known)
    expected = [_prompt_likeness(known[place], one, known) for one in known]
    np.testing.assert_allclose(likeness.to(known[place]), expected, atol=1e-6)
    np.testing.assert_allclose(likeness.matrix()[place], expected, atol=1e-6)
    if known[place].terms:
        assert likeness.to(known[place])[place] == pytest.approx(1.0, abs=1e-6)


def test_words_that_no_known_prompt_has_make_a_prompt_less_alike() -> None:
    known = _questions()
    likeness = PromptLikeness(known)
    longer = Question.of("cancel my order zebra", known[0].vector)
    expected = [_prompt_likeness(longer, one, known) for one in known]
    np.testing.assert_allclose(likeness.to(longer), expected, atol=1e-6)
    assert likeness.to(longer)[0] < likeness.to(known[0])[0]


def _history_likeness(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    a, b = ({**Counter(rows.tolist()), "none": 1} for rows in (one, other))
    shared = sum(float(np.sqrt(a[key] * b[key])) for key in a if key in b)
    same = np.array_equal(one[-1:], other[-1:])
    return 0.5 * same + 0.5 * float(shared / np.sqrt(sum(a.values()) * sum(b.values())))


def test_histories_are_as_alike_as_their_last_and_all_calls() -> None:
    known = _questions()
    likeness = HistoryLikeness(known, 5)
    for place, question in enumerate(known):
        expected = [_history_likeness(question.called, one.called) for one in known]
        np.testing.assert_allclose(likeness.to(question), expected)
        np.testing.assert_allclose(likeness.matrix()[place], expected)
