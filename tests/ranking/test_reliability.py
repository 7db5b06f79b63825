import math
import re
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from nextcall.ranking.reliability import (
    brier_score,
    expected_calibration_error,
    reliability_table,
)

outcomes = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.2, 0.25, 0.5, 0.9, 1.0])),
    min_size=1,
    max_size=40,
)


@given(rows=outcomes, bins=st.integers(1, 20), seed=st.integers(0, 99))
def test_calibration_does_not_depend_on_the_order_of_answers(
    rows: list[tuple[bool, float]], bins: int, seed: int
) -> None:
    correct, confidence = np.array(rows, dtype=float).T
    order = np.random.default_rng(seed).permutation(len(rows))
    one = expected_calibration_error(correct, confidence, bins=bins)
    other = expected_calibration_error(correct[order], confidence[order], bins=bins)
    assert one == pytest.approx(other, abs=1e-12)
    assert 0 <= one <= 1
    # One bin can only hide gaps that cancel.
    coarse = expected_calibration_error(correct, confidence, bins=1)
    assert coarse == pytest.approx(abs(correct.mean() - confidence.mean()), abs=1e-12)
    assert coarse <= one + 1e-12


@given(rows=outcomes, bins=st.integers(1, 20))
def test_bins_have_equal_mass_and_hold_everything(
    rows: list[tuple[bool, float]], bins: int
) -> None:
    correct, confidence = np.array(rows, dtype=float).T
    table = reliability_table(correct, confidence, bins=bins)
    assert table["n"].sum() == len(rows)
    assert len(table) == min(bins, len(rows))
    assert table["n"].max() - table["n"].min() <= 1
    assert np.average(table["accuracy"], weights=table["n"]) == pytest.approx(correct.mean())
    assert np.average(table["confidence"], weights=table["n"]) == pytest.approx(confidence.mean())
    assert (table["lower"] <= table["upper"]).all()
    assert table["lower"].is_monotonic_increasing


def test_calibration_error_without_ties_is_its_plain_definition() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.random(1000)
    correct = rng.random(1000) < confidence**2
    rows = sorted(zip(confidence, correct, strict=True))
    gaps = []
    for i in range(10):
        part = rows[i * 100 : (i + 1) * 100]
        gaps.append(abs(fmean(c for c, _ in part) - fmean(float(y) for _, y in part)))
    ours = expected_calibration_error(correct, confidence, bins=10)
    assert ours == pytest.approx(fmean(gaps))


def test_planted_miscalibration_is_found() -> None:
    rng = np.random.default_rng(2)
    truth = rng.uniform(0.1, 0.9, 60_000)
    correct = rng.random(60_000) < truth
    assert expected_calibration_error(correct, truth) < 0.01
    assert expected_calibration_error(correct, truth + 0.1) == pytest.approx(0.1, abs=0.01)


@given(rows=outcomes)
def test_brier_score_agrees_with_scikit_learn(rows: list[tuple[bool, float]]) -> None:
    correct, confidence = np.array(rows, dtype=float).T
    expected = brier_score_loss(correct, confidence, labels=[0.0, 1.0])
    assert brier_score(correct, confidence) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("correct", "confidence", "message"),
    [
        ([], [], "not empty, got shapes (0,) and (0,)."),
        ([1], [0.5, 0.5], "equally long and not empty, got shapes (1,) and (2,)."),
        ([[1]], [[0.5]], "must be of one dimension"),
        ([2], [0.5], "correct must be in [0, 1], got 2.0."),
        ([1], [math.nan], "confidence must be in [0, 1], got nan."),
    ],
)
def test_bad_confidences_are_refused(correct: Any, confidence: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        brier_score(correct, confidence)


def test_bins_below_1_are_refused() -> None:
    with pytest.raises(ValueError, match=r"bins must be at least 1, got 0\."):
        expected_calibration_error([1], [0.5], bins=0)
