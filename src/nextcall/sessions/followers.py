"""What followed which run of calls, counted and discounted; the inside of `transitions`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Followers:
    """What followed every context of one length; contexts are rows, as in a CSR matrix."""

    children: dict[int, int]
    """Row of a context, by the row of its shorter context and the one symbol more."""
    indptr: NDArray[np.int64]
    symbols: NDArray[np.int64]
    """What followed, ascending within a row."""
    kept: NDArray[np.float64]
    """Probability left to each follower after discounting."""
    passed_on: NDArray[np.float64]
    """Probability that each row leaves to the shorter context."""

    def interpolate(self, shorter: NDArray[np.float64], row: int) -> NDArray[np.float64]:
        """Mix what followed one context with the distribution after the shorter one."""
        mixed: NDArray[np.float64] = self.passed_on[row] * shorter
        entries = slice(self.indptr[row], self.indptr[row + 1])
        mixed[self.symbols[entries]] += self.kept[entries]
        return mixed

    def interpolate_at(
        self, shorter: NDArray[np.float64], row: int, codes: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Mix as `interpolate` does, for some followers only."""
        entries = slice(self.indptr[row], self.indptr[row + 1])
        symbols = self.symbols[entries]
        places = np.minimum(symbols.searchsorted(codes), len(symbols) - 1)
        own = np.where(symbols[places] == codes, self.kept[entries][places], 0.0)
        mixed: NDArray[np.float64] = self.passed_on[row] * shorter + own
        return mixed


def count_windows(
    flat: NDArray[np.int64], *, order: int, n_states: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the different runs of `order` codes that end in a state or in the end of a session.

    Parameters
    ----------
    flat : numpy.ndarray of int, shape (n,)
        Codes of all sessions, one after the other; up to ``n_states + 2``.
    order : int
        At least 1.
    n_states : int
        Its code is that of a session's end; what is above it ends no run.

    Returns
    -------
    numpy.ndarray of shape (n_windows, order)
        The runs, sorted.
    numpy.ndarray of shape (n_windows,)
        How often each occurs.

    Examples
    --------
    >>> runs, counts = count_windows(np.array([0, 1, 0, 1]), order=2, n_states=2)
    >>> runs.tolist(), counts.tolist()
    ([[0, 1], [1, 0]], [2, 1])
    """
    if len(flat) < order:
        return np.empty((0, order), dtype=np.int64), np.empty(0, dtype=np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(flat, order)
    windows = windows[windows[:, -1] <= n_states]
    ids = np.zeros(len(windows), dtype=np.int64)
    for column in windows.T:
        _, ids = np.unique(ids * (n_states + 3) + column, return_inverse=True)
    _, first, counts = np.unique(ids, return_index=True, return_counts=True)
    return windows[first], counts.astype(np.int64)


def count_followers(
    windows: NDArray[np.int64],
    counts: NDArray[np.int64],
    *,
    n_codes: int,
    discount: float,
    strength: float,
) -> list[Followers]:
    """Give the followers of the contexts of 0, 1, ... ``order - 1`` codes.

    A context of k codes is found in the k-th entry from that of its newest ``k - 1`` codes, by
    the key ``row * n_codes + oldest code``. The highest code stands in no context.
    """
    rows = np.zeros(len(counts), dtype=np.int64)
    keys = rows[:1]
    levels = []
    for length in range(windows.shape[1]):
        if length:
            oldest = windows[:, -1 - length]
            whole = oldest < n_codes - 1
            windows, counts = windows[whole], counts[whole]
            keys, rows = np.unique(rows[whole] * n_codes + oldest[whole], return_inverse=True)
        pairs, inverse = np.unique(rows * n_codes + windows[:, -1], return_inverse=True)
        seen = np.bincount(inverse, weights=counts, minlength=len(pairs))
        row_of_pair = pairs // n_codes
        indptr = np.searchsorted(row_of_pair, np.arange(len(keys) + 1))
        total = np.bincount(row_of_pair, weights=seen, minlength=len(keys)) + strength
        levels.append(
            Followers(
                children={key: row for row, key in enumerate(keys.tolist())},
                indptr=indptr,
                symbols=pairs % n_codes,
                kept=(seen - discount) / total[row_of_pair],
                passed_on=(strength + discount * np.diff(indptr)) / total,
            )
        )
    return levels
