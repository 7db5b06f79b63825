"""The bare Markov chain, over many sessions at once: inverse CDF look-ups and nothing else."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

_TOLERANCE = 1e-9  # how far a row of probabilities may be from 1


@dataclass(frozen=True, slots=True)
class WeightedRows:
    """Rows of weighted choices, one after the other as in a CSR matrix; rows may differ in length.

    The cumulative distribution of row r lies in (r, r + 1], so that one binary search over the
    whole finds a choice for any number of rows at once.

    Examples
    --------
    >>> rows = WeightedRows.of_matrix([[0.5, 0.5], [0.0, 1.0]])
    >>> rows.draw(np.array([0, 0, 1]), np.array([0.2, 0.7, 0.2])).tolist()
    [0, 1, 3]
    """

    offsets: NDArray[np.int64]
    """Shape (n_rows + 1,): row r holds the entries from ``offsets[r]`` to ``offsets[r + 1]``."""
    cumulative: NDArray[np.float64]
    """Shape (n_entries,): ascending; what an entry's row is, plus its cumulative probability."""
    last: NDArray[np.int64]
    """Shape (n_rows,): last entry of each row that has a weight; -1 for a row without one."""

    @classmethod
    def of_rows(cls, offsets: ArrayLike, weights: ArrayLike) -> Self:
        """Normalise the weights of each row.

        Raises
        ------
        ValueError
            Where a weight is negative or no number, or `offsets` does not cover `weights`.
        """
        bounds = np.asarray(offsets, dtype=np.int64)
        given = np.asarray(weights, dtype=np.float64)
        if not (np.isfinite(given).all() and (given >= 0).all()):
            raise ValueError("weights must be finite and at least 0.")
        if bounds[0] != 0 or bounds[-1] != len(given) or (np.diff(bounds) < 0).any():
            raise ValueError(f"offsets must ascend from 0 to {len(given)}, the number of weights.")
        n_rows = len(bounds) - 1
        row = np.repeat(np.arange(n_rows), np.diff(bounds))
        total = np.bincount(row, weights=given, minlength=n_rows)
        running = np.concatenate([[0.0], np.cumsum(given)])
        before = running[bounds[:-1]]
        within = (running[1:] - before[row]) / np.where(total > 0, total, 1.0)[row]
        last = np.full(n_rows, -1, dtype=np.int64)
        positive = np.flatnonzero(given > 0)
        np.maximum.at(last, row[positive], positive)
        return cls(bounds, row + np.clip(within, 0.0, 1.0), last)

    @classmethod
    def of_matrix(cls, matrix: ArrayLike) -> Self:
        """Take a matrix of weights; entry ``r * n_columns + c`` is column c of row r."""
        weights = np.asarray(matrix, dtype=np.float64)
        n_rows, n_columns = weights.shape
        return cls.of_rows(np.arange(n_rows + 1) * n_columns, weights.ravel())

    def draw(self, rows: NDArray[np.int64], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
        """Choose an entry in each of `rows`, by a number in [0, 1) for each; -1 in an empty row."""
        found = np.searchsorted(self.cumulative, rows + uniform, side="right")
        # A row's number plus a uniform just below 1 may round up to the next row's first entry.
        return np.minimum(found, self.last[rows])


def walk_chain(
    start: ArrayLike,
    matrix: ArrayLike,
    n_sessions: int,
    *,
    rng: np.random.Generator,
    max_calls: int = 1000,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Walk a Markov chain that ends, many sessions at once.

    Parameters
    ----------
    start : array-like of shape (n_states,)
        Probability of each first state.
    matrix : array-like of shape (n_states, n_states + 1)
        Probability of each next state; the last column ends the session.
    n_sessions : int
        How many sessions; at least 1.
    rng : numpy.random.Generator
        Source of the randomness.
    max_calls : int
        A session that is still going on is cut here.

    Returns
    -------
    states : numpy.ndarray of int64
        Every session's states, one session after the other.
    lengths : numpy.ndarray of int64, shape (n_sessions,)
        Calls of each session, at least 1.

    Raises
    ------
    ValueError
        Where the shapes do not fit, a row does not sum to 1, or a number is too small.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> states, lengths = walk_chain([1, 0], [[0, 1, 0], [0, 0, 1]], 2, rng=rng)
    >>> states.tolist(), lengths.tolist()
    ([0, 1, 0, 1], [2, 2])
    """
    first, following = check_chain(start, matrix)
    if n_sessions < 1:
        raise ValueError(f"n_sessions must be at least 1, got {n_sessions}.")
    if max_calls < 1:
        raise ValueError(f"max_calls must be at least 1, got {max_calls}.")
    n_states = len(first)
    starts = WeightedRows.of_matrix(first[None, :])
    rows = WeightedRows.of_matrix(following)
    state = starts.draw(np.zeros(n_sessions, dtype=np.int64), rng.random(n_sessions))
    active = np.arange(n_sessions)
    lengths = np.zeros(n_sessions, dtype=np.int64)
    steps = []
    for step in range(1, max_calls + 1):
        steps.append((active, state))
        lengths[active] = step
        state = rows.draw(state, rng.random(len(state))) - state * (n_states + 1)
        goes_on = state < n_states
        active, state = active[goes_on], state[goes_on]
        if not len(active):
            break
    offsets = np.cumsum(lengths) - lengths
    states = np.empty(int(lengths.sum()), dtype=np.int64)
    for step, (who, what) in enumerate(steps):
        states[offsets[who] + step] = what
    return states, lengths


def check_chain(
    start: ArrayLike, matrix: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give a chain's start and matrix as arrays, when they are one.

    Raises
    ------
    ValueError
        Where the shapes do not fit, an entry is negative or a row does not sum to 1.
    """
    first = np.asarray(start, dtype=np.float64)
    following = np.asarray(matrix, dtype=np.float64)
    if first.ndim != 1 or following.shape != (len(first), len(first) + 1):
        raise ValueError(
            "matrix must have a row for each state of start and one column more, "
            f"got start {first.shape} and matrix {following.shape}."
        )
    for name, rows in (("start", first[None, :]), ("matrix", following)):
        if not (rows >= 0).all() or (np.abs(rows.sum(axis=1) - 1) > _TOLERANCE).any():
            raise ValueError(f"{name} must hold probabilities, every row summing to 1.")
    return first, following
