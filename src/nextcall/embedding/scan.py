"""Dot products of one query with many vectors: whole ones, and bytes in their stead."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled

SCANNED_DIMENSIONS: Final = 128
"""Bytes of a vector that `scan_bytes` reads; known when it is compiled, it is faster by a third."""


def to_bytes(vectors: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round each dimension to 255 steps.

    Returns
    -------
    array of shape (n, dimensions), and the step of each dimension, shape (dimensions,)
        Their product is within half a step of the vectors.
    """
    steps = (np.abs(vectors).max(axis=0) / 127).astype(np.float32)
    steps[steps == 0] = 1
    return np.rint(vectors / steps).astype(np.int8), steps


@compiled()
def scan_bytes(
    rows: NDArray[np.int8], steps: NDArray[np.float32], query: NDArray[np.float32]
) -> NDArray[np.int32]:
    """Give the dot products with a query of what `to_bytes` made, in units that differ by query.

    The query is rounded to 16 bits: a sum of `SCANNED_DIMENSIONS` products is below 2**30.
    """
    scaled = query * steps
    highest = np.float32(0)
    for value in scaled:
        highest = max(highest, abs(value))
    factor = np.float32(32_767) / highest if highest > 0 else np.float32(0)
    whole = np.empty(len(query), dtype=np.int16)
    for d in range(len(query)):
        whole[d] = np.int16(np.rint(scaled[d] * factor))
    scores = np.empty(len(rows), dtype=np.int32)
    for row in range(len(rows)):
        total = np.int32(0)
        for d in range(SCANNED_DIMENSIONS):  # in 32 bits throughout, for vector instructions
            product = np.int32(np.int32(rows[row, d]) * np.int32(whole[d]))
            total = np.int32(total + product)
        scores[row] = total
    return scores


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
