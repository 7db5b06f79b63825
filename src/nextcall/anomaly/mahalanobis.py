"""Rows of several numbers that lie far from the others, told one row at a time."""

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

from nextcall.anomaly.tails import TAIL_WIDTH, Floats, weigh
from nextcall.compiling import compiled

MOST_DIMENSIONS: Final = 64
"""Numbers in a row at most: a row costs their cube, the state their square."""

_WARM: Final = 100  # rows before the first alarm, or ...
_WARM_EACH: Final = 5  # ... this for each dimension
_EARLY: Final = (
    16.0  # rows, and two for each dimension, before a row is cut: until then all are far
)
_USUAL: Final = 0.99  # share of rows that teach whole, were they Gaussian
_FARTHEST: Final = 256.0  # usual squared distances beyond which all is as far: bins stay fine
_LARGEST: Final = 1e75  # numbers beyond count as this large: squares of squares stay finite
_LEVEL_SHARE: Final = 1e-6  # of the level: no standard deviation is smaller
_TINY: Final = 1e-75  # the standard deviation of zeros
_LEAST_PIVOT: Final = 1e-9  # of a correlation matrix: what depends on the others adds nothing

_ROWS: Final = 0
_MISSING: Final = 1
_TAIL: Final = 2
_MEAN: Final = _TAIL + TAIL_WIDTH


@compiled()
def scale_of(state: Floats, place: int, size: int) -> float:
    """Tell the standard deviation of a dimension."""
    variance: float = state[_MEAN + size + place * size + place]
    floor: float = max(_LEVEL_SHARE * abs(state[_MEAN + place]), _TINY)
    return max(math.sqrt(variance), floor)


@compiled()
def squared_distance(state: Floats, row: Floats, memory: float) -> float:
    """Tell the squared Mahalanobis distance of a row from the mean.

    The covariance is drawn to its diagonal by ``(size / (size + rows))**2``: it has an inverse from
    the second row on, and many rows may tell numbers apart that nearly depend on each other.
    """
    size = len(row)
    known = min(state[_ROWS], memory)
    kept = 1.0 - (size / (size + known)) ** 2
    lower = np.zeros((size, size))
    solved = np.zeros(size)
    scales = np.empty(size)
    total = 0.0
    for i in range(size):
        scales[i] = scale_of(state, i, size)
        for j in range(i + 1):
            if i == j:
                entry = 1.0
            else:
                entry = kept * state[_MEAN + size + i * size + j] / (scales[i] * scales[j])
            for k in range(j):
                entry -= lower[i, k] * lower[j, k]
            if i == j:
                lower[i, i] = math.sqrt(max(entry, _LEAST_PIVOT))
            else:
                lower[i, j] = entry / lower[j, j]
        part = (row[i] - state[_MEAN + i]) / scales[i]
        for k in range(i):
            part -= lower[i, k] * solved[k]
        solved[i] = part / lower[i, i]
        total += solved[i] * solved[i]
    return total


@compiled()
def step(state: Floats, row: Floats, memory: float, usual: float, rate: float) -> float:
    """Score a row and learn from it.

    Parameters
    ----------
    state : array of shape (_MEAN + size + size * size,)
        Zero before the first row; changed in place.
    row : array of shape (size,)
        One that holds a NaN counts as missing, and teaches nothing.
    memory : float
        Rows that weigh.
    usual : float
        Squared distance from which a row is cut to what teaches.
    rate : float
        Alarms a row.

    Returns
    -------
    float
        In [0, 1]: 0.5 at the rate.
    """
    size = len(row)
    for place in range(size):
        if np.isnan(row[place]):
            state[_MISSING] += 1.0
            return 0.0
    row = np.minimum(np.maximum(row, -_LARGEST), _LARGEST)
    rows = state[_ROWS]
    score = 0.0
    weight = 1.0
    if rows >= 2.0:
        distance = squared_distance(state, row, memory)
        if rows >= _EARLY + 2.0 * size:
            if distance > usual:
                weight = math.sqrt(usual / distance)
            far = math.sqrt(min(distance, _FARTHEST * usual))
            evidence, _ = weigh(state[_TAIL:_MEAN], far, math.inf)
            probability = 10.0**-evidence
            if rows >= max(_WARM, _WARM_EACH * size):
                score = rate / (rate + probability)
    gain = max(1.0 / (rows + 1.0), 1.0 / memory)
    for i in range(size):
        for j in range(i + 1):
            at = _MEAN + size + i * size + j
            both = (row[i] - state[_MEAN + i]) * (row[j] - state[_MEAN + j])
            state[at] += gain * ((1.0 - gain) * weight * weight * both - state[at])
    for i in range(size):
        state[_MEAN + i] += gain * weight * (row[i] - state[_MEAN + i])
    state[_ROWS] = rows + 1.0
    return score


@compiled()
def steps(
    state: Floats, rows: Floats, memory: float, usual: float, rate: float, scores: Floats
) -> None:
    """Score rows in their order; as `step`. `scores` is overwritten."""
    for place in range(len(rows)):
        scores[place] = step(state, rows[place], memory, usual, rate)


class MahalanobisDetector:
    """Scores rows of several numbers by their distance from the mean, in their own covariance.

    Mean and covariance fade exponentially. A row that is further away than 99 of 100 Gaussian ones
    teaches as if it lay at that distance, so that outliers do not hide the next. The distance is
    held against those of the rows before it: no law is assumed for its tail.

    Parameters
    ----------
    dimensions : int
        Numbers in a row, 1 to 64.
    rate : float
        Alarms a row that are wanted of data with nothing wrong, in (0, 0.05].
    memory : int
        Rows that weigh in mean and covariance, at least 16.

    Raises
    ------
    ValueError
        Where an option is out of range.

    Examples
    --------
    >>> rng = np.random.default_rng(2)
    >>> load = rng.normal(100, 10, 500)
    >>> rows = np.column_stack([load, 2 * load + rng.normal(0, 1, 500)])
    >>> detector = MahalanobisDetector(2)
    >>> bool((detector.score(rows) >= 0.5).any())
    False
    >>> detector.contributions([100.0, 215.0]).round().tolist()  # usual alone, not together
    [102.0, 115.0]
    >>> detector.update([100.0, 215.0]) >= 0.5
    True
    """

    def __init__(self, dimensions: int, *, rate: float = 1 / 600, memory: int = 500) -> None:
        if not 1 <= dimensions <= MOST_DIMENSIONS:
            raise ValueError(f"dimensions must be from 1 to {MOST_DIMENSIONS}, got {dimensions}.")
        if not 0.0 < rate <= 0.05:
            raise ValueError(f"rate must be above 0 and at most 0.05, got {rate}.")
        if memory < 16:
            raise ValueError(f"memory must be at least 16, got {memory}.")
        self._size = int(dimensions)
        self._settings = float(memory), float(chi2.ppf(_USUAL, dimensions)), float(rate)
        self._state = np.zeros(_MEAN + self._size * (self._size + 1))

    @property
    def rows(self) -> int:
        """Rows that were learned from."""
        return int(self._state[_ROWS])

    @property
    def missing(self) -> int:
        """Rows that held a NaN."""
        return int(self._state[_MISSING])

    def update(self, values: ArrayLike) -> float:
        """Score the next row and learn from it.

        Parameters
        ----------
        values : array-like of shape (dimensions,)
            A row with a NaN has score 0, is counted and teaches nothing.

        Returns
        -------
        float
            In [0, 1]; 0.5 and more is an alarm. 0 in the first 100 rows, or 5 a dimension.

        Raises
        ------
        ValueError
            Where a number is infinite or the shape is another.
        """
        return step(self._state, self._checked(values, (self._size,)), *self._settings)

    def score(self, rows: ArrayLike) -> NDArray[np.float64]:
        """Score many rows in their order, shape (n_rows, dimensions); as `update` on each."""
        checked = self._checked(rows, (len(np.asarray(rows)), self._size))
        scores = np.empty(len(checked))
        steps(self._state, checked, *self._settings, scores)
        return scores

    def contributions(self, values: ArrayLike) -> NDArray[np.float64]:
        """Tell what each number of a row adds to its squared distance; nothing is learned.

        The row is turned into uncorrelated numbers, each as close as can be to one of its own;
        their squares are at least 0 and sum to the squared distance.

        Returns
        -------
        numpy.ndarray of shape (dimensions,)
            NaN throughout where the row holds one; 0 before the second row.

        References
        ----------
        Garthwaite & Koch (2016), Australian & New Zealand Journal of Statistics 58(2).
        """
        row = np.clip(self._checked(values, (self._size,)), -_LARGEST, _LARGEST)
        if np.isnan(row).any():
            return np.full(self._size, np.nan)
        if self.rows < 2:
            return np.zeros(self._size)
        size = self._size
        scales = np.array([scale_of(self._state, place, size) for place in range(size)])
        below = np.tril(self._state[_MEAN + size :].reshape(size, size), -1)
        known = min(self.rows, self._settings[0])
        kept = 1.0 - (size / (size + known)) ** 2
        correlation = kept * (below + below.T) / np.outer(scales, scales)
        roots, vectors = np.linalg.eigh(correlation + np.eye(size))
        far = (row - self._state[_MEAN : _MEAN + size]) / scales
        whitened = vectors @ ((vectors.T @ far) / np.sqrt(np.maximum(roots, _LEAST_PIVOT)))
        squares: NDArray[np.float64] = whitened**2
        return squares

    def _checked(self, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
        numbers = np.ascontiguousarray(values, dtype=np.float64)
        if numbers.shape != shape:
            raise ValueError(f"values must have shape {shape}, got {numbers.shape}.")
        if np.isinf(numbers).any():
            raise ValueError("values must be finite or NaN, got an infinity.")
        return numbers
