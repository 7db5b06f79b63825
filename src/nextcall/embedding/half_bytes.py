"""Vectors of half a byte a dimension, and a scan of many for those near a query."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled
from nextcall.embedding.half_products import SCANNED_DIMENSIONS, product
from nextcall.embedding.selection import least_of, ordered, places_from

_HALF: Final = SCANNED_DIMENSIONS // 2
_DEVIATIONS: Final = 3.0  # either side of the mean; 2.5, 3.5 and the widest vector kept fewer
_EVERY: Final = 16  # of many rows are a sample


def to_halves(vectors: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Round each dimension to 16 steps about its mean, and put two dimensions into a byte.

    Returns
    -------
    array of shape (n, dimensions // 2), and the step of each dimension, shape (dimensions,)
        A byte holds dimension d in its low half, and dimension ``d + dimensions // 2`` in its high
        one. Seven and a half taken off, times the step, and the mean added, it is within half a
        step of what lies within three standard deviations of the mean; what lies beyond, is there.
    """
    mean = vectors.mean(axis=0)
    steps = (vectors.std(axis=0) * (_DEVIATIONS / 8)).astype(np.float32)
    steps[steps == 0] = 1
    scaled = (vectors - mean) / steps
    levels = np.clip(np.floor(scaled, out=scaled) + 8, 0, 15).astype(np.uint8)
    low, high = np.split(levels, 2, axis=1)
    return low | high << 4, steps


@compiled()
def rounded(query: NDArray[np.float32], steps: NDArray[np.float32]) -> NDArray[np.int8]:
    """Round a query to bytes, in units that differ by query, for products with half bytes.

    The mean of `to_halves` adds the same to every product and so is left out.
    """
    scaled = query * steps
    highest = np.float32(0)
    for value in scaled:
        highest = max(highest, abs(value))
    factor = np.float32(127) / highest if highest > 0 else np.float32(0)
    whole = np.empty(len(query), dtype=np.int8)
    for d in range(len(query)):
        whole[d] = np.int8(np.rint(scaled[d] * factor))
    return whole


@compiled()
def rows_near(
    packed: NDArray[np.uint8], runs: NDArray[np.int64], query: NDArray[np.int8], n_least: int
) -> NDArray[np.int64]:
    """Rows whose products with a query are the highest, in order, among some runs of rows.

    Parameters
    ----------
    packed : array of shape (n, SCANNED_DIMENSIONS // 2)
        As `to_halves` gives it.
    runs : array of shape (n_runs, 2)
        First row of each run and the row behind its last; they do not overlap.
    query : array of shape (SCANNED_DIMENSIONS,)
        As `rounded` gives it.
    n_least : int
        From 1 to the rows of all runs.

    Returns
    -------
    array of shape (n_rows,)
        `n_least` rows and those few that are nearly as high, in the order of the runs.
    """
    flat = packed.reshape(-1)
    size = np.uint64(_HALF)
    n_rows = 0
    for run in range(len(runs)):
        n_rows += runs[run, 1] - runs[run, 0]
    kept = np.empty(n_rows + 1, dtype=np.int64)
    values = np.empty(n_rows + 1, dtype=np.uint32)
    edge, n = np.uint32(0), 0
    sampled = n_least // _EVERY + 4 * int(np.sqrt(n_least // _EVERY)) + 4
    if n_rows > 4 * _EVERY * sampled:  # a sample tells from which product on a row is kept
        for run in range(len(runs)):
            for row in range(runs[run, 0], runs[run, 1], _EVERY):
                values[n] = ordered(np.int32(product(flat, np.uint64(row) * size, query)))
                n += 1
        edge = least_of(values[:n], sampled)[0]
        n = 0
    while n < n_least:  # twice where the sample misled
        n = 0
        for run in range(len(runs)):
            for row in range(runs[run, 0], runs[run, 1]):
                value = ordered(np.int32(product(flat, np.uint64(row) * size, query)))
                values[n] = value
                kept[n] = row  # no branch: is written over unless it counts
                n += int(value >= edge)
        edge = np.uint32(0)
    edge, n_near = least_of(values[:n], n_least)
    near: NDArray[np.int64] = kept[places_from(values[:n], edge, n_near)]
    return near
