"""Dot products of one query with many vectors: whole ones, and bytes in their stead."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled
from nextcall.embedding.selection import least_of, ordered, places_from

SCANNED_DIMENSIONS: Final = 128
"""Dimensions that are scanned, an even number; known when it is compiled, it is faster."""

_HALF: Final = SCANNED_DIMENSIONS // 2


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


def to_halves(vectors: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Round each dimension to 16 steps, and put two dimensions into a byte.

    Returns
    -------
    array of shape (n, dimensions // 2), and the step of each dimension, shape (dimensions,)
        A byte holds dimension d in its low half, and dimension ``d + dimensions // 2`` in its high
        one. Seven and a half taken off, and times the step, it is within half a step.
    """
    highest = np.maximum(vectors.max(axis=0), -vectors.min(axis=0))
    steps = (highest / 7.5).astype(np.float32)
    steps[steps == 0] = 1
    scaled = vectors / steps
    levels = np.clip(np.floor(scaled, out=scaled) + 8, 0, 15).astype(np.uint8)
    low, high = np.split(levels, 2, axis=1)
    return low | high << 4, steps


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
    packed: NDArray[np.uint8], query: NDArray[np.int16], n_least: int
) -> NDArray[np.int64]:
    """Rows whose products with a query are the highest, in order.

    Parameters
    ----------
    packed : array of shape (n, SCANNED_DIMENSIONS // 2)
        As `to_halves` gives it.
    query : array of shape (SCANNED_DIMENSIONS,)
        As `rounded` gives it.
    n_least : int
        From 1 to n.

    Returns
    -------
    array of shape (n_rows,)
        `n_least` rows and those few that are nearly as high.
    """
    flat = packed.reshape(-1)
    values = np.empty(len(packed), dtype=np.uint32)
    for row in range(len(packed)):
        start = np.uint64(row * _HALF)
        total = np.int32(0)
        for d in range(np.uint64(_HALF)):  # in 32 bits throughout, for vector instructions
            both = flat[start + d]
            low, high = np.int32(both & np.uint8(15)), np.int32(both >> np.uint8(4))
            total = np.int32(total + np.int32(low * np.int32(query[d])))
            total = np.int32(total + np.int32(high * np.int32(query[np.uint64(_HALF) + d])))
        values[row] = ordered(total)
    least, n = least_of(values, n_least)
    return places_from(values, least, n)


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
