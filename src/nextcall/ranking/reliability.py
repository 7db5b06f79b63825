"""How far the confidences of answers can be relied on: stated, beside the share that was right."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def brier_score(correct: ArrayLike, confidence: ArrayLike) -> float:
    """Compute the mean squared error of confidences, in [0, 1]; lower is better.

    Parameters
    ----------
    correct : array-like of shape (n,)
        1 where the answer was right, else 0; a share between them where the outcome was averaged.
    confidence : array-like of shape (n,)
        Probability that was given to being right.

    Raises
    ------
    ValueError
        Where shapes differ, nothing is given, or a value is not in [0, 1].

    References
    ----------
    Brier (1950), Monthly Weather Review 78(1).

    Examples
    --------
    >>> brier_score([1, 0], [0.5, 0.5])
    0.25
    """
    outcomes, stated = _checked_confidence(correct, confidence)
    return float(np.mean((outcomes - stated) ** 2))


def reliability_table(correct: ArrayLike, confidence: ArrayLike, *, bins: int = 15) -> pd.DataFrame:
    """Compare stated confidence with the share that was right, in bins of equal mass.

    Arguments and errors are those of `brier_score`. Answers with the same confidence count with the
    mean of their outcomes, so their order makes no difference where a bin ends among them.

    Parameters
    ----------
    bins : int
        Bins, at least 1; sizes differ by one at most, and none is empty.

    Returns
    -------
    DataFrame
        One row a bin, from low to high: ``n``, ``lower`` and ``upper`` (least and greatest
        confidence), ``confidence`` (its mean) and ``accuracy`` (share that was right).
    """
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}.")
    outcomes, stated = _checked_confidence(correct, confidence)
    _, level_of, counts = np.unique(stated, return_inverse=True, return_counts=True)
    averaged = (np.bincount(level_of, weights=outcomes) / counts)[level_of]
    order = np.argsort(stated, kind="stable")
    rows = [
        {
            "n": len(part),
            "lower": stated[part[0]],
            "upper": stated[part[-1]],
            "confidence": stated[part].mean(),
            "accuracy": averaged[part].mean(),
        }
        for part in np.array_split(order, min(bins, len(order)))
    ]
    return pd.DataFrame(rows)


def expected_calibration_error(
    correct: ArrayLike, confidence: ArrayLike, *, bins: int = 15
) -> float:
    """Compute the mean gap of confidence and accuracy in bins of equal mass; lower is better.

    Arguments and errors are those of `reliability_table`; the result is in [0, 1]. Even perfect
    confidences give more than 0 on few answers: up to about 0.4 / sqrt(answers a bin).

    References
    ----------
    Naeini, Cooper & Hauskrecht (2015), AAAI; equal mass after Nixon et al. (2019), CVPR workshops.

    Examples
    --------
    >>> expected_calibration_error([1, 1, 0, 0], [0.75, 0.75, 0.25, 0.25], bins=2)
    0.25
    """
    table = reliability_table(correct, confidence, bins=bins)
    gaps = (table["accuracy"] - table["confidence"]).abs().to_numpy()
    return float(np.average(gaps, weights=table["n"].to_numpy()))


def _checked_confidence(correct: ArrayLike, confidence: ArrayLike) -> tuple[Floats, Floats]:
    outcomes = np.asarray(correct, dtype=np.float64)
    stated = np.asarray(confidence, dtype=np.float64)
    if outcomes.ndim != 1 or outcomes.shape != stated.shape or outcomes.size == 0:
        raise ValueError(
            "correct and confidence must be of one dimension, equally long and not empty, "
            f"got shapes {outcomes.shape} and {stated.shape}."
        )
    for name, values in (("correct", outcomes), ("confidence", stated)):
        outside = values[~((values >= 0) & (values <= 1))]
        if outside.size:
            raise ValueError(f"{name} must be in [0, 1], got {outside[0]}.")
    return outcomes, stated
