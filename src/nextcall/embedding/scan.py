"""Dot products of one query with many vectors, and with axes that are rounded to bytes."""

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled


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
