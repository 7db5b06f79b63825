"""Dot products of one query with many vectors: whole ones, and bytes in their stead."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled
from nextcall.embedding.selection import least_of, ordered, places_from, unordered

SCANNED_DIMENSIONS: Final = 128
"""Bytes of a vector that are scanned; known when it is compiled, it is faster by a third."""

FIRST_DIMENSIONS: Final = 64
"""Those of them that are read of every vector, and not only of the nearest by these."""

_EVERY: Final = 8  # of all rows are a sample
_LOWEST: Final = np.int32(-(2**31))


def to_bytes(vectors: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round each dimension to 255 steps.

    Returns
    -------
    array of shape (n, dimensions), and the step of each dimension, shape (dimensions,)
        Their product is within half a step of the vectors.
    """
    highest = np.maximum(vectors.max(axis=0), -vectors.min(axis=0))
    steps = (highest / 127).astype(np.float32)
    steps[steps == 0] = 1
    scaled = vectors / steps
    return np.rint(scaled, out=scaled).astype(np.int8), steps


@compiled(any_order=True)
def projected(
    query: NDArray[np.float32], axes: NDArray[np.int8], steps: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Project a query on axes that are rounded to bytes, each in steps of its own.

    Parameters
    ----------
    axes : array of shape (n_axes, dimensions)
    steps : array of shape (n_axes,)
    """
    values = np.empty(len(axes), dtype=np.float32)
    for axis in range(len(axes)):
        line = axes[axis]
        total = np.float32(0)
        for d in range(len(query)):
            total += np.float32(line[d]) * query[d]
        values[axis] = total * steps[axis]
    return values


@compiled()
def rounded(query: NDArray[np.float32], steps: NDArray[np.float32]) -> NDArray[np.int16]:
    """Round a query to 16 bits, in units that differ by query, for products with bytes.

    A sum of `SCANNED_DIMENSIONS` such products is below 2**30.
    """
    scaled = query * steps
    highest = np.float32(0)
    for value in scaled:
        highest = max(highest, abs(value))
    factor = np.float32(32_767) / highest if highest > 0 else np.float32(0)
    whole = np.empty(len(query), dtype=np.int16)
    for d in range(len(query)):
        whole[d] = np.int16(np.rint(scaled[d] * factor))
    return whole


@compiled()
def rows_near(
    first: NDArray[np.int8],
    others: NDArray[np.int8],
    query: NDArray[np.int16],
    n_rough: int,
    n_least: int,
) -> NDArray[np.int64]:
    """Rows whose products with a query are the highest, in order; nearly all of them.

    Every row is scored by its first dimensions. About `n_rough` rows are scored by the others too,
    and of these the best are given. A sample of rows tells the score from which on they are kept.

    Parameters
    ----------
    first : array of shape (n, FIRST_DIMENSIONS)
    others : array of shape (n, SCANNED_DIMENSIONS - FIRST_DIMENSIONS)
    query : array of shape (SCANNED_DIMENSIONS,)
        As `rounded` gives it.
    n_rough, n_least : int
        From 1 to n; the first is at least the second.

    Returns
    -------
    array of shape (n_rows,)
        `n_least` rows and those few that are nearly as high.
    """
    n = len(first)
    head, tail = first.reshape(-1), others.reshape(-1)
    rows = np.empty(n + 1, dtype=np.int64)
    scores = np.empty(n + 1, dtype=np.int32)
    edge, found = _LOWEST, 0
    if n > _EVERY * n_rough // 2:
        sample = np.empty(n // _EVERY, dtype=np.uint32)
        for i in range(len(sample)):
            sample[i] = ordered(_first_product(head, i * _EVERY, query))
        edge = unordered(least_of(sample, n_rough // _EVERY + 1)[0])
    while found < n_least:  # twice where the sample misled
        found = 0
        for row in range(n):
            score = _first_product(head, row, query)
            rows[found] = row  # no branch: is written over unless it counts
            scores[found] = score
            found += int(score >= edge)
        edge = _LOWEST
    values = np.empty(found, dtype=np.uint32)
    for i in range(found):
        values[i] = ordered(np.int32(scores[i] + _other_product(tail, rows[i], query)))
    least, n_kept = least_of(values, n_least)
    kept = places_from(values, least, n_kept)
    for i in range(n_kept):
        kept[i] = rows[kept[i]]
    return kept


@compiled()
def _first_product(flat: NDArray[np.int8], row: int, query: NDArray[np.int16]) -> np.int32:
    """Product of a row's first dimensions; in 32 bits throughout, for vector instructions."""
    start = np.uint64(row * FIRST_DIMENSIONS)
    total = np.int32(0)
    for d in range(np.uint64(FIRST_DIMENSIONS)):
        product = np.int32(np.int32(flat[start + d]) * np.int32(query[d]))
        total = np.int32(total + product)
    return total


@compiled()
def _other_product(flat: NDArray[np.int8], row: int, query: NDArray[np.int16]) -> np.int32:
    """Product of a row's other dimensions."""
    start = np.uint64(row * (SCANNED_DIMENSIONS - FIRST_DIMENSIONS))
    total = np.int32(0)
    for d in range(np.uint64(SCANNED_DIMENSIONS - FIRST_DIMENSIONS)):
        factor = np.int32(query[np.uint64(FIRST_DIMENSIONS) + d])
        total = np.int32(total + np.int32(np.int32(flat[start + d]) * factor))
    return total


@compiled(any_order=True)
def dots_of_rows(
    vectors: NDArray[np.float32], rows: NDArray[np.int64], query: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Give some rows' dot products with a query, without a copy of the rows."""
    scores = np.empty(len(rows), dtype=np.float32)
    for place in range(len(rows)):
        vector = vectors[rows[place]]
        total = np.float32(0)
        for d in range(len(query)):
            total += vector[d] * query[d]
        scores[place] = total
    return scores


@compiled(any_order=True)
def dots_among_rows(
    vectors: NDArray[np.float32], rows: NDArray[np.int64], others: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Give some rows' dot products with some others, shape (n_rows, n_others)."""
    scores = np.empty((len(rows), len(others)), dtype=np.float32)
    for place in range(len(rows)):
        vector = vectors[rows[place]]
        for other in range(len(others)):
            query = vectors[others[other]]
            total = np.float32(0)
            for d in range(len(query)):
                total += vector[d] * query[d]
            scores[place, other] = total
    return scores
