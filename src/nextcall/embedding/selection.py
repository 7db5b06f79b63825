"""The first rows of many scores, exactly: by counting, without a sort of all."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled

_BUCKETS: Final = 2_048
_LOW: Final = np.uint64(0xFFFFFFFF)
_SIGN: Final = np.uint32(0x80000000)


@compiled()
def best_places(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Places of the `k` highest scores, best first; ties by place, at the cut too.

    What `nextcall.embedding.search.top_rows` says, for scores without NaN.
    """
    keys = np.empty(len(scores), dtype=np.uint64)
    bits = scores.view(np.uint32)
    for place in range(len(scores)):
        keys[place] = _key(bits[place], place)
    return _first(keys, min(k, len(keys)))


@compiled()
def best_nonzero_rows(
    scores: NDArray[np.float32], rows: NDArray[np.int64], k: int
) -> NDArray[np.int64]:
    """Among some rows, those `k` whose scores are highest and not 0, best first; ties by row.

    Parameters
    ----------
    scores : array of shape (n,)
        Scores of all rows.
    rows : array of shape (m,)
        Distinct, in any order.
    """
    keys = np.empty(len(rows), dtype=np.uint64)
    bits = scores.view(np.uint32)
    n = 0
    for row in rows:
        if scores[row] != 0:
            keys[n] = _key(bits[row], row)
            n += 1
    return _first(keys[:n], min(k, n))


@compiled()
def rows_above(scores: NDArray[np.int32], n_least: int) -> NDArray[np.int64]:
    """Rows of the highest scores, in order: `n_least` and those few that are nearly as high.

    Parameters
    ----------
    scores : array of shape (n,)
    n_least : int
        From 1 to n.
    """
    low, high = scores[0], scores[0]
    for score in scores:
        low, high = min(low, score), max(high, score)
    least = np.int64(low)
    shift = 0
    while (np.int64(high) - least) >> shift >= _BUCKETS:
        shift += 1
    counts = np.zeros(_BUCKETS, dtype=np.int64)
    for score in scores:
        counts[(np.int64(score) - least) >> shift] += 1
    bucket, n = _BUCKETS, 0
    while n < n_least:
        bucket -= 1
        n += counts[bucket]
    edge = least + (np.int64(bucket) << shift)
    rows = np.empty(n, dtype=np.int64)
    found = row = 0
    while found < n:
        rows[found] = row  # no branch: is written over unless it counts
        found += int(scores[row] >= edge)
        row += 1
    return rows


@compiled()
def _key(bits: np.uint32, row: int) -> np.uint64:
    """Give a number that is higher for a higher float of these bits, then for a lower row."""
    if bits == _SIGN:
        bits = np.uint32(0)  # -0 is 0
    ordered = ~bits if bits & _SIGN else bits | _SIGN
    return (np.uint64(ordered) << np.uint64(32)) | (_LOW - np.uint64(row))


@compiled()
def _first(keys: NDArray[np.uint64], k: int) -> NDArray[np.int64]:
    """Rows of the `k` highest keys, the highest first; `keys` are moved about."""
    n, kept = len(keys), 0  # of the keys, those before `kept` are chosen, those up to n are open
    while kept < k < n:
        low, high = keys[kept], keys[kept]
        for i in range(kept, n):
            low, high = min(low, keys[i]), max(high, keys[i])
        shift = np.uint64(0)
        while (high - low) >> shift >= np.uint64(_BUCKETS):
            shift += np.uint64(1)
        counts = np.zeros(_BUCKETS, dtype=np.int64)
        for i in range(kept, n):
            counts[np.int64((keys[i] - low) >> shift)] += 1
        bucket, above = _BUCKETS - 1, 0
        while kept + above + counts[bucket] < k:
            above += counts[bucket]
            bucket -= 1
        # All above that bucket are chosen, all below it are not, and it alone stays open.
        first = low + (np.uint64(bucket) << shift)
        last = first + ((np.uint64(1) << shift) - np.uint64(1))
        open_keys = np.empty(counts[bucket], dtype=np.uint64)
        n_open, begin = 0, kept
        for i in range(begin, n):
            key = keys[i]
            if key > last:
                keys[kept] = key
                kept += 1
            elif key >= first:
                open_keys[n_open] = key
                n_open += 1
        keys[kept : kept + n_open] = open_keys
        n = kept + n_open
    chosen = np.sort(keys[:k])
    rows = np.empty(k, dtype=np.int64)
    for i in range(k):
        rows[i] = np.int64(_LOW - (chosen[k - 1 - i] & _LOW))
    return rows
