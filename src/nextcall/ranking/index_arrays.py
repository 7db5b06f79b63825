"""Words and facts of the operations of an index, as kernels read them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled


class Words(NamedTuple):
    """Words of the operations of an index; the fields are those of `lexical_index.FIELDS`."""

    weights: NDArray[np.float32]
    """Of each term, shape (n_terms + 1,)."""
    ids: NDArray[np.int32]
    """Terms of all fields side by side, shape (n_operations, width)."""
    bounds: NDArray[np.int64]
    """Columns at which the fields begin, and the width."""
    field_weights: NDArray[np.float32]
    """Sum of the terms' weights, shape (n_operations, n_fields)."""
    bigrams: NDArray[np.int32]
    """Pairs of neighbouring name terms, shape (n_operations, width)."""
    bigram_counts: NDArray[np.float32]
    """How many pairs there are, shape (n_operations,)."""


class Facts(NamedTuple):
    """Facts of the operations of an index, each of shape (n_operations,)."""

    action: NDArray[np.int8]
    service: NDArray[np.int32]
    resource: NDArray[np.int32]
    verb: NDArray[np.int32]
    plural: NDArray[np.float32]


@compiled()
def field_sums(
    present: NDArray[np.float32],
    ids: NDArray[np.int32],
    bounds: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Sum the weights that are present among the terms of each field of some rows.

    Parameters
    ----------
    present : array of shape (n_terms,)
        Weight of each term where it is present, else 0; the last, the padding's, is 0.
    ids : array of shape (n_operations, width)
        Terms of all fields side by side; a field is filled up with the padding.
    bounds : array of shape (n_fields + 1,)
        Columns at which the fields begin, and the width.
    rows : array of shape (n_rows,)

    Returns
    -------
    array of shape (n_fields, n_rows)
        Summed in the order in which ``np.add.reduceat`` sums: the first term, and to it the others
        by eight sums side by side.
    """
    sums = np.empty((len(bounds) - 1, len(rows)), dtype=np.float32)
    padding = len(present) - 1
    eight = np.empty(8, dtype=np.float32)
    for place in range(len(rows)):
        terms = ids[rows[place]]
        for field in range(len(bounds) - 1):
            start, end = bounds[field] + 1, bounds[field + 1]
            rest = np.float32(0)
            i = start
            if end - start >= 8:
                for j in range(8):
                    eight[j] = present[terms[start + j]]
                i = start + 8
                while i + 8 <= end and terms[i] != padding:
                    for j in range(8):
                        eight[j] += present[terms[i + j]]
                    i += 8
                rest = ((eight[0] + eight[1]) + (eight[2] + eight[3])) + (
                    (eight[4] + eight[5]) + (eight[6] + eight[7])
                )
            while i < end and terms[i] != padding:
                rest += present[terms[i]]
                i += 1
            sums[field, place] = present[terms[start - 1]] + rest
    return sums
