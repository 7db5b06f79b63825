"""Vectors in lists about centres, so that a query scans the nearest lists alone."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled

_LISTS: Final = 5.0  # times the square root of the vectors
_SAMPLE: Final = 12  # vectors a list that the centres are learned from
_ROUNDS: Final = 4  # six, of twice the sample, move recall by 0.001 and take three times as long
_BLOCK: Final = 4_096  # vectors that are compared with the centres at a time
_SPREAD: Final = np.float32(0.3)  # what a list's spread adds: its best stand above its centre


class InvertedLists(NamedTuple):
    """Which vectors stand in which list (k-means; Lloyd's rounds on a sample)."""

    order: NDArray[np.int64]
    """Rows of the vectors, list by list, ascending in each, shape (n,)."""
    starts: NDArray[np.int64]
    """Places in `order` at which the lists begin, and its length, shape (n_lists + 1,)."""
    centres: NDArray[np.float32]
    """Mean of the vectors of each list, shape (n_lists, dimensions)."""
    spreads: NDArray[np.float32]
    """Root of their mean square distance from it, shape (n_lists,)."""

    @classmethod
    def build(cls, vectors: NDArray[np.float32]) -> "InvertedLists":
        """Put vectors into lists; about 5 CPU seconds for 170,000 of 128 dimensions.

        Nothing is drawn: the centres begin at, and learn from, vectors evenly spaced.

        Parameters
        ----------
        vectors : array of shape (n, dimensions)
            At least one.
        """
        n_lists = min(int(_LISTS * np.sqrt(len(vectors))), len(vectors))
        some = vectors[:: max(len(vectors) // (_SAMPLE * n_lists), 1)]
        centres = vectors[np.arange(n_lists) * len(vectors) // n_lists]
        for _ in range(_ROUNDS):
            centres = _means(some, _nearest_centres(some, centres), centres)
        lists = _nearest_centres(vectors, centres)
        sizes = np.bincount(lists, minlength=n_lists)
        centres = _means(vectors, lists, centres)
        squares = np.concatenate(
            [
                np.square(vectors[i : i + _BLOCK] - centres[lists[i : i + _BLOCK]]).sum(axis=1)
                for i in range(0, len(vectors), _BLOCK)
            ]
        )
        mean_squares = np.bincount(lists, squares, minlength=n_lists) / np.maximum(sizes, 1)
        return cls(
            order=np.argsort(lists, kind="stable"),
            starts=np.concatenate([[0], np.cumsum(sizes)]),
            centres=centres,
            spreads=np.sqrt(mean_squares).astype(np.float32),
        )


@compiled(any_order=True)
def nearest_runs(
    query: NDArray[np.float32],
    starts: NDArray[np.int64],
    centres: NDArray[np.float32],
    spreads: NDArray[np.float32],
    n_rows: int,
) -> NDArray[np.int64]:
    """Choose the lists that most likely hold the highest products with a query.

    Parameters
    ----------
    query : array of shape (dimensions,)
    starts, centres, spreads : arrays
        As `InvertedLists` has them.
    n_rows : int
        The lists together hold at least as many, from 1 to all, and no list could be spared.

    Returns
    -------
    array of shape (n_runs, 2)
        First place of each list and the place behind its last, ascending.
    """
    length = np.float32(np.sqrt((query * query).sum()))
    promises = np.empty(len(centres), dtype=np.float32)
    for number in range(len(centres)):
        total = np.float32(0)
        for d in range(len(query)):
            total += centres[number, d] * query[d]
        promises[number] = total + _SPREAD * length * spreads[number]
    # Halve what the last promise that is kept lies between: sooner than a sort of all.
    low, high = promises.min(), promises.max()
    while True:
        middle = low + (high - low) * np.float32(0.5)
        if middle in (low, high):
            break
        held = 0
        for number in range(len(centres)):
            size = starts[number + 1] - starts[number]
            held += size if promises[number] >= middle else 0
        if held >= n_rows:
            low = middle
        else:
            high = middle
    runs = np.empty((len(centres), 2), dtype=np.int64)
    n = 0
    for number in range(len(centres)):
        if promises[number] >= low and starts[number] < starts[number + 1]:
            runs[n, 0], runs[n, 1] = starts[number], starts[number + 1]
            n += 1
    return runs[:n]


def _nearest_centres(
    vectors: NDArray[np.float32], centres: NDArray[np.float32]
) -> NDArray[np.int64]:
    halves = 0.5 * np.square(centres).sum(axis=1)
    return np.concatenate(
        [
            (vectors[i : i + _BLOCK] @ centres.T - halves).argmax(axis=1)
            for i in range(0, len(vectors), _BLOCK)
        ]
    )


def _means(
    vectors: NDArray[np.float32], lists: NDArray[np.int64], centres: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Mean of the vectors of each list; a list without one keeps its centre."""
    means = centres.copy()
    held, firsts = np.unique(lists[order := np.argsort(lists, kind="stable")], return_index=True)
    sums = np.add.reduceat(vectors[order], firsts, axis=0)
    means[held] = sums / np.diff(np.append(firsts, len(vectors)))[:, None]
    return means.astype(np.float32)
