"""Lists of rows that retrievers propose: scored, fused and looked up."""

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled
from nextcall.embedding.scan import dots_of_rows
from nextcall.embedding.selection import best_nonzero_rows, best_places, best_positive_rows

Postings = tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int64]]
"""Data, rows and starts of lists: term t gives ``data[i] > 0`` to row ``rows[i]`` for each i from
``starts[t]`` up to ``starts[t + 1]``."""


@compiled()
def add_postings(
    scores: NDArray[np.float32],
    terms: NDArray[np.int32],
    data: NDArray[np.float32],
    rows: NDArray[np.int32],
    starts: NDArray[np.int64],
) -> None:
    """Add to the scores of all rows what each term gives to those of its list.

    Parameters
    ----------
    scores : array of shape (n_rows,)
    data, rows, starts : arrays
        `Postings`.
    """
    for term in terms:
        for i in range(np.uint64(starts[term]), np.uint64(starts[term + 1])):
            scores[np.uint64(rows[i])] += data[i]


@compiled()
def search_postings(
    postings: tuple[Postings, ...],
    terms: NDArray[np.int32],
    scores: NDArray[np.float32],
    listed: NDArray[np.int64],
    counts: NDArray[np.int64],
    best: NDArray[np.float32],
) -> None:
    """Score all rows by each of some sets of lists, and find the best that share a term.

    Parameters
    ----------
    scores : array of shape (n_sets, n_rows)
        All 0 before.
    listed : array of shape (n_sets, depth)
        Is filled with rows, best first, ties by row.
    counts : array of shape (n_sets,)
        Is filled with how many of these there are, `depth` at most.
    best : array of shape (n_sets,)
        Is filled with the highest scores.
    """
    for number, (data, rows, starts) in enumerate(postings):
        add_postings(scores[number], terms, data, rows, starts)
        found = best_positive_rows(scores[number], listed.shape[1])
        counts[number] = len(found)
        listed[number, : len(found)] = found
        best[number] = scores[number, found[0]] if len(found) else np.float32(0)


@compiled()
def fuse_lists(
    listed: NDArray[np.int64],
    counts: NDArray[np.int64],
    weights: NDArray[np.float32],
    gains: NDArray[np.float32],
    n_rows: int,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Sum up over lists the gain of each place times the list's weight.

    Parameters
    ----------
    listed : array of shape (n_lists, depth)
    counts : array of shape (n_lists,)
        Rows of each list; what stands behind them counts for nothing.
    gains : array of shape (depth,)
        Positive.

    Returns
    -------
    array of shape (n_rows,), array of shape (n_seen,)
        The sums, and the rows where they are not 0, in the order in which they came.
    """
    fused = np.zeros(n_rows, dtype=np.float32)
    seen = np.empty(counts.sum() + 1, dtype=np.int64)
    n_seen = 0
    for number in range(len(listed)):
        for place in range(counts[number]):
            row = listed[number, place]
            seen[n_seen] = row  # no branch: is written over unless the row is new
            n_seen += int(fused[row] == 0)
            fused[row] += gains[place] * weights[number]
    return fused, seen[:n_seen]


@compiled()
def rows_of_same(codes: NDArray[np.int32], chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows that have the code of one of some rows, ascending.

    Parameters
    ----------
    codes : array of shape (n_rows,)
        At least 0.
    chosen : array of shape (n_chosen,)
        Rows.
    """
    highest = codes[chosen[0]] if len(chosen) else -1
    for row in chosen:
        highest = max(highest, codes[row])
    is_asked = np.zeros(highest + 1, dtype=np.bool_)
    for row in chosen:
        is_asked[codes[row]] = True
    rows = np.empty(len(codes) + 1, dtype=np.int64)
    n = 0
    for row in range(len(codes)):
        rows[n] = row  # no branch: is written over unless it counts
        n += int(codes[row] <= highest and is_asked[codes[row]])
    return rows[:n]


@compiled()
def fuse_within(
    vectors: NDArray[np.float32],
    query: NDArray[np.float32],
    lexical: NDArray[np.float32],
    lists: tuple[NDArray[np.int64], NDArray[np.int64]],
    near: NDArray[np.int64],
    weights: tuple[NDArray[np.float32], NDArray[np.float32]],
    gains: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Fuse the lists of each retriever, over all rows and over some that are near.

    Parameters
    ----------
    vectors : array of shape (n_rows, dimensions)
    query : array of shape (dimensions,)
    lexical : array of shape (n_retrievers - 1, n_rows)
        Scores by all retrievers but the first, which goes by the vectors.
    lists : two arrays
        Rows, shape (n_retrievers, depth), and how many there are of each, over all rows.
    near : array of shape (n_near,)
        Rows, ascending; where there is none, only the lists over all count.
    weights : two arrays of shape (n_retrievers,)
        Of the lists over all rows, and of those within; one of 0 leaves a list out.
    gains : array of shape (depth,)

    Returns
    -------
    As `fuse_lists`.
    """
    listed, counts = lists
    n_lists, depth = listed.shape
    every = np.empty((2 * n_lists, depth), dtype=np.int64)
    sizes = np.zeros(2 * n_lists, dtype=np.int64)
    every[:n_lists] = listed
    if len(near):
        similarity = dots_of_rows(vectors, near, query)
        best = near[best_places(similarity, depth)]
        for number in range(n_lists):
            if number > 0:
                best = best_nonzero_rows(lexical[number - 1], near, depth)
            every[n_lists + number, : len(best)] = best
            sizes[n_lists + number] = len(best) if weights[1][number] > 0 else 0
    for number in range(n_lists):
        sizes[number] = counts[number] if weights[0][number] > 0 else 0
    both = np.concatenate((weights[0], weights[1]))
    return fuse_lists(every, sizes, both, gains, len(vectors))


@compiled()
def look_up(
    vectors: NDArray[np.float32],
    query: NDArray[np.float32],
    lexical: NDArray[np.float32],
    lists: tuple[NDArray[np.int64], NDArray[np.int64]],
    rows: NDArray[np.int64],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give the scores and the places of some rows by each retriever.

    Parameters are those of `fuse_within`.

    Returns
    -------
    two arrays of shape (n_retrievers, len(rows))
        Places as `places_in_lists` gives them.
    """
    scores = np.empty((1 + len(lexical), len(rows)), dtype=np.float32)
    scores[0] = dots_of_rows(vectors, rows, query)
    for number in range(len(lexical)):
        for place in range(len(rows)):
            scores[1 + number, place] = lexical[number, rows[place]]
    return scores, places_in_lists(rows, lists[0], lists[1], len(vectors))


@compiled()
def places_in_lists(
    rows: NDArray[np.int64], listed: NDArray[np.int64], counts: NDArray[np.int64], n_rows: int
) -> NDArray[np.float32]:
    """Place of each row in each list, from 0; the lists' depth where a list does not hold it.

    Parameters
    ----------
    listed, counts : arrays
        As in `fuse_lists`.

    Returns
    -------
    array of shape (n_lists, len(rows))
    """
    which = np.full(n_rows, -1, dtype=np.int32)
    for i in range(len(rows)):
        which[rows[i]] = i
    places = np.full((len(listed), len(rows)), listed.shape[1], dtype=np.float32)
    for number in range(len(listed)):
        for place in range(counts[number]):
            i = which[listed[number, place]]
            if i >= 0:
                places[number, i] = place
    return places


@compiled()
def reciprocal_ranks(
    scores: NDArray[np.float32], order: NDArray[np.int64], constant: float
) -> NDArray[np.float32]:
    """Give ``1 / (constant + rank)``, ranks from 1, where ties share their mean rank.

    Parameters
    ----------
    scores : array of shape (n,)
    order : array of shape (n,)
        Places of the scores, the highest first.
    """
    shared = np.empty(len(scores), dtype=np.float32)
    start = 0
    while start < len(order):
        end = start + 1
        while end < len(order) and scores[order[end]] == scores[order[start]]:
            end += 1
        gain = np.float32(1.0 / (constant + (start + 1 + end) / 2))
        for place in range(start, end):
            shared[order[place]] = gain
        start = end
    return shared
