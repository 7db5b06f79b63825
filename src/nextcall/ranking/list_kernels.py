"""Lists of rows that retrievers propose: scored, fused and looked up, touching those rows alone."""

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled


@compiled()
def add_postings(
    scores: NDArray[np.float32],
    terms: NDArray[np.int32],
    data: NDArray[np.float32],
    rows: NDArray[np.int32],
    starts: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Add to the scores of all rows what each term gives to those of its list.

    Parameters
    ----------
    scores : array of shape (n_rows,)
        All 0 before.
    data, rows, starts : arrays
        Term t gives ``data[i] > 0`` to row ``rows[i]`` for each i from ``starts[t]`` up to
        ``starts[t + 1]``.

    Returns
    -------
    array of shape (n_scored,)
        Rows whose score is no longer 0, each once, in the order in which they came.
    """
    length = 0
    for term in terms:
        length += starts[term + 1] - starts[term]
    scored = np.empty(min(length, len(scores)) + 1, dtype=np.int64)
    n = 0
    for term in terms:
        for i in range(starts[term], starts[term + 1]):
            row = rows[i]
            scored[n] = row  # no branch: is written over unless the row is new
            n += int(scores[row] == 0)
            scores[row] += data[i]
    return scored[:n]


@compiled()
def add_gains(
    fused: NDArray[np.float32],
    seen: NDArray[np.int64],
    n_seen: int,
    listed: NDArray[np.int64],
    gains: NDArray[np.float32],
    weight: np.float32,
) -> int:
    """Add to each listed row the gain of its place times a weight.

    Parameters
    ----------
    seen : array
        Its first `n_seen` entries are the rows whose sum is not 0; those that are new follow, and
        one entry more must be free.
    gains : array of shape (n_places,)
        Positive; at least as many as there are listed rows.

    Returns
    -------
    int
        Rows seen now.
    """
    for place in range(len(listed)):
        row = listed[place]
        seen[n_seen] = row
        n_seen += int(fused[row] == 0)
        fused[row] += gains[place] * weight
    return n_seen


@compiled()
def places_in_lists(
    rows: NDArray[np.int64],
    lists: tuple[NDArray[np.int64], ...],
    depth: int,
    n_rows: int,
) -> NDArray[np.float32]:
    """Place of each row in each list, from 0; `depth` where a list does not hold it.

    Returns
    -------
    array of shape (n_lists, len(rows))
    """
    which = np.full(n_rows, -1, dtype=np.int32)
    for i in range(len(rows)):
        which[rows[i]] = i
    places = np.full((len(lists), len(rows)), depth, dtype=np.float32)
    for number, listed in enumerate(lists):
        for place in range(len(listed)):
            i = which[listed[place]]
            if i >= 0:
                places[number, i] = place
    return places


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
        Weight of each term where it is present, else 0.
    ids : array of shape (n_operations, width)
        Terms of all fields side by side.
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
                while i + 8 <= end:
                    for j in range(8):
                        eight[j] += present[terms[i + j]]
                    i += 8
                rest = ((eight[0] + eight[1]) + (eight[2] + eight[3])) + (
                    (eight[4] + eight[5]) + (eight[6] + eight[7])
                )
            while i < end:
                rest += present[terms[i]]
                i += 1
            sums[field, place] = present[terms[start - 1]] + rest
    return sums
