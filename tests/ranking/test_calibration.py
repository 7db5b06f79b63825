"""Confidence against a truth that is known: answers drawn from a softmax of the scores."""

import json
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nextcall.ranking.calibration import Calibration
from nextcall.ranking.reliability import expected_calibration_error

DEPTH = 20


def drawn(
    n: int, *, sharpness: float, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Scores, answers, and the true probability of each candidate.

    One candidate of each query is right, with the probabilities of a softmax of
    ``sharpness * scores``.
    """
    rng = np.random.default_rng(seed)
    spread = rng.uniform(0.2, 2.5, size=(n, 1))
    scores = -np.sort(-rng.normal(size=(n, DEPTH)) * spread, axis=1)
    weight = np.exp(sharpness * scores)
    truth = weight / weight.sum(axis=1, keepdims=True)
    answer = (truth.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    relevant = np.zeros((n, DEPTH), dtype=np.bool_)
    relevant[np.arange(n), answer] = True
    return scores, relevant, truth


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 2.5])
def test_confidence_of_the_first_answer_is_calibrated(sharpness: float) -> None:
    scores, relevant, _ = drawn(1500, sharpness=sharpness, seed=0)
    history = np.random.default_rng(1).random(1500) < 0.5
    fitted = Calibration.fit(scores, relevant, history)
    n, bins = 1500, 15
    scores, relevant, truth = drawn(n, sharpness=sharpness, seed=2)
    stated = np.array([fitted.confidence(row, has_history=False)[0] for row in scores])
    error = expected_calibration_error(relevant[:, 0].astype(float), stated, bins=bins)
    # A perfect confidence has an error of up to 0.4 / sqrt(answers a bin) from chance alone; the
    # logistic form adds at most a hundredth to it.
    assert error < 0.4 / np.sqrt(n / bins) + 0.01
    assert np.abs(stated - truth[:, 0]).mean() < 0.05


def test_history_that_makes_answers_surer_shows() -> None:
    """Planted: without calls before it, four queries in ten have no right answer at all."""
    scores, relevant, _ = drawn(2000, sharpness=1.0, seed=0)
    rng = np.random.default_rng(1)
    history = rng.random(2000) < 0.5
    relevant[~history & (rng.random(2000) < 0.4)] = False
    fitted = Calibration.fit(scores, relevant, history)
    for known in (False, True):
        chosen = np.flatnonzero(history == known)[:300]
        stated = [fitted.confidence(scores[row], has_history=known)[0] for row in chosen]
        assert np.mean(stated) == pytest.approx(relevant[chosen, 0].mean(), abs=0.06)


@given(
    scores=st.lists(st.floats(-50, 50), min_size=1, max_size=40),
    weights=st.lists(st.floats(-3, 3), min_size=5, max_size=5),
    has_history=st.booleans(),
)
def test_confidence_is_a_probability_that_never_rises(
    scores: list[float], weights: list[float], *, has_history: bool
) -> None:
    best_first = np.sort(np.array(scores))[::-1]
    stated = Calibration(tuple(weights)).confidence(best_first, has_history=has_history)
    assert stated.shape == best_first.shape
    assert ((stated >= 0) & (stated <= 1)).all()
    assert (np.diff(stated) <= 0).all()


def test_platt_with_one_input_is_the_special_case() -> None:
    """The log-odds of the softmax share alone give the softmax back."""
    scores = np.array([2.0, 1.0, 0.0, -1.0])
    softmax = np.exp(scores) / np.exp(scores).sum()
    stated = Calibration((1.0, 0.0, 0.0, 0.0, 0.0)).confidence(scores, has_history=False)
    np.testing.assert_allclose(stated, softmax)
    only = Calibration((0.0, 0.0, 0.0, 1.0, log(3))).confidence(scores[:1], has_history=True)
    np.testing.assert_allclose(only, 1 / (1 + np.exp(-1) / 3))


def test_queries_may_have_fewer_candidates() -> None:
    """Padding teaches nothing: the same queries in a wider table give the same weights."""
    scores, relevant, _ = drawn(300, sharpness=1.0, seed=0)
    history = np.zeros(300, dtype=np.bool_)
    few = 4
    narrow = Calibration.fit(scores[:, :few], relevant[:, :few], history)
    padded = np.full((300, 10), -np.inf)
    padded[:, :few] = scores[:, :few]
    answers = np.zeros((300, 10), dtype=np.bool_)
    answers[:, :few] = relevant[:, :few]
    # The other candidates of a query weigh as much as its best: here a third each, there a ninth.
    wide = Calibration.fit(padded, answers, history)
    assert np.isfinite(wide.weights).all()
    for row in scores[:20, :few]:
        np.testing.assert_allclose(
            wide.confidence(row, has_history=False),
            narrow.confidence(row, has_history=False),
            atol=0.1,
        )
    single = Calibration.fit(scores[:, :1], relevant[:, :1], history)
    stated = single.confidence(scores[0, :1], has_history=False)
    assert stated == pytest.approx(relevant[:, 0].mean(), abs=0.15)


def test_the_constant_takes_up_the_share_that_is_right() -> None:
    """At its optimum a logistic model with a constant is right on average where it was fitted."""
    scores, relevant, _ = drawn(800, sharpness=1.0, seed=3)
    fitted = Calibration.fit(scores, relevant, np.zeros(800, dtype=np.bool_))
    top = np.array([fitted.confidence(row, has_history=False)[0] for row in scores])
    assert top.mean() == pytest.approx(relevant[:, 0].mean(), abs=0.02)


def test_json_brings_the_same_weights_back() -> None:
    fitted = Calibration((0.1, 1 / 3, -2e-9, 0.0, 5.0))
    assert Calibration.from_dict(json.loads(json.dumps(fitted.to_dict()))) == fitted


@pytest.mark.parametrize(
    "values",
    [{}, {"weights": None}, {"weights": [1.0] * 4}, {"weights": "12345"},
     {"weights": [1, 2, 3, 4, None]}, {"weights": [1, 2, 3, 4, "x"]},
     {"weights": [1, 2, 3, 4, float("nan")]}],
)  # fmt: skip
def test_values_of_another_form_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="calibration must hold 5 weights"):
        Calibration.from_dict(values)


def test_no_query_is_refused() -> None:
    empty = np.empty((0, 3))
    with pytest.raises(ValueError, match="at least one query, got none"):
        Calibration.fit(empty, empty.astype(np.bool_), np.empty(0, dtype=np.bool_))
