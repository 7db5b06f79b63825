"""Where the level of a series changed, once all of it is there: Pelt, through ruptures."""

import importlib
import math
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextcall.anomaly.change_detector import Change

_MAD_TO_SIGMA: Final = 1.4826  # 1 / Phi^-1(3/4)
_BIC: Final = 2.0  # parameters that a change of level adds: its place and the level behind it


def find_changes_offline(
    values: ArrayLike, *, penalty: float | None = None, least_rows: int = 2
) -> list[Change]:
    """List the changes of level of a whole series that cost least; empty where there is none.

    The cost is the squared distance to the mean of each stretch, in squares of the noise's
    standard deviation (from the median deviation of differences of neighbours), and `penalty` for
    each change. Every row is tried as a place, and the least cost is found exactly.

    Parameters
    ----------
    values : array-like of shape (n_rows,)
        Finite numbers.
    penalty : float, optional
        Above 0; by default that of Schwarz's criterion, ``2 * log(n_rows)``.
    least_rows : int
        Rows of a stretch, at least 1.

    Raises
    ------
    ValueError
        Where a value is not finite, `values` has not one dimension, or an option is out of range.
    ImportError
        Where ruptures is not installed.

    References
    ----------
    Killick, Fearnhead & Eckley (2012), JASA 107: Pelt. Truong, Oudre & Vayatis (2020), Signal
    Processing 167: ruptures, whose ``KernelCPD`` with a linear kernel is Pelt for means, compiled.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1:
        raise ValueError(f"values must have one dimension, got {numbers.ndim}.")
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if len(wrong):
        raise ValueError(f"values must be finite, got {numbers[wrong[0]]} at {wrong[0]}.")
    if penalty is not None and not penalty > 0:
        raise ValueError(f"penalty must be above 0, got {penalty}.")
    if least_rows < 1:
        raise ValueError(f"least_rows must be at least 1, got {least_rows}.")
    try:
        ruptures = importlib.import_module("ruptures")
    except ImportError as error:
        raise ImportError(
            "offline change points need ruptures, which is not installed: "
            "pip install 'nextcall[changes]'."
        ) from error
    if len(numbers) < 2 * least_rows or numbers.min() == numbers.max():
        return []
    scaled = (numbers - np.median(numbers)) / _sigma(numbers)
    search = ruptures.KernelCPD(kernel="linear", min_size=least_rows, jump=1).fit(scaled)
    ends = search.predict(pen=_BIC * math.log(len(numbers)) if penalty is None else penalty)
    edges = [0, *ends]
    levels = [float(numbers[first:last].mean()) for first, last in pairwise(edges)]
    return [
        Change(
            place=int(place),
            direction="up" if after > before else "down",
            before=before,
            after=after,
        )
        for place, (before, after) in zip(ends, pairwise(levels), strict=False)
    ]


def _sigma(numbers: NDArray[np.float64]) -> float:
    """Give the standard deviation of the noise; half the smallest step where most do not move."""
    steps = np.diff(numbers)
    sigma = _MAD_TO_SIGMA * float(np.median(np.abs(steps - np.median(steps)))) / math.sqrt(2)
    return sigma or 0.5 * float(np.abs(steps[steps != 0]).min())
