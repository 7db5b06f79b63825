"""The first rows of many scores, exactly: by counting, without a sort of all."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled

_BUCKETS: Final = 1_024
_EVERY: Final = 8  # of many rows are a sample
_LOW: Final = np.uint64(0xFFFFFFFF)
_SIGN: Final = np.uint32(0x80000000)


@compiled()
def best_places(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Places of the `k` highest scores, best first; ties by place, at the cut too.

    What `nextcall.embedding.search.top_rows` says, for scores without NaN.
    """
    values = np.empty(len(scores), dtype=np.uint32)
    bits = scores.view(np.uint32)
    places = np.empty(len(scores), dtype=np.int64)
    for place in range(len(scores)):
        values[place] = _ordered_bits(bits[place])
        places[place] = place
    return _best(values, places, k)


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
    values = np.empty(len(rows) + 1, dtype=np.uint32)
    kept = np.empty(len(rows) + 1, dtype=np.int64)
    bits = scores.view(np.uint32)
    edge, n = np.uint32(0), 0
    sampled = k // _EVERY + 4 * int(np.sqrt(k // _EVERY)) + 4
    if len(rows) > 4 * _EVERY * sampled:  # a sample tells from which score on they are looked at
        sample = np.empty(len(rows) // _EVERY, dtype=np.uint32)
        for i in range(len(sample)):
            sample[i] = _ordered_bits(bits[rows[i * _EVERY]])
        edge = least_of(sample, sampled)[0]
    while n < k:  # twice where the sample misled, or fewer are not 0
        n = 0
        for row in rows:
            value = _ordered_bits(bits[row])
            values[n] = value
            kept[n] = row  # no branch: is written over unless it counts
            n += int((scores[row] != 0) & (value >= edge))
        if edge == 0:
            break
        edge = np.uint32(0)
    return _best(values[:n], kept[:n], k)


@compiled()
def ordered(score: np.int32) -> np.uint32:
    """Give a whole number without a sign that is higher for a higher score."""
    return np.uint32(score) ^ _SIGN


@compiled()
def _ordered_bits(bits: np.uint32) -> np.uint32:
    """Give a whole number that is higher for a higher float of these bits."""
    if bits == _SIGN:
        return _SIGN  # -0 is 0
    return ~bits if bits & _SIGN else bits | _SIGN


@compiled()
def least_of(values: NDArray[np.uint32], n_least: int) -> tuple[np.uint32, int]:
    """Find a value that at least `n_least` reach and few more, and how many reach it."""
    low, high = values[0], values[0]
    for value in values:
        low, high = min(low, value), max(high, value)
    shift = np.uint32(0)
    while np.uint32(high - low) >> shift >= np.uint32(_BUCKETS):
        shift = np.uint32(shift + np.uint32(1))
    counts = np.zeros(_BUCKETS, dtype=np.int32)
    for value in values:
        counts[np.uint32(value - low) >> shift] += 1
    bucket, n = _BUCKETS, 0
    while n < n_least:
        bucket -= 1
        n += counts[bucket]
    return np.uint32(low + np.uint32(np.uint32(bucket) << shift)), n


@compiled()
def places_from(values: NDArray[np.uint32], edge: np.uint32, n: int) -> NDArray[np.int64]:
    """Places of the `n` values that are at least `edge`, in order."""
    places = np.empty(n, dtype=np.int64)
    found = place = 0
    while found < n:
        places[found] = place  # no branch: is written over unless it counts
        found += int(values[place] >= edge)
        place += 1
    return places


@compiled()
def _best(values: NDArray[np.uint32], rows: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Rows of the `k` highest values, best first; ties by row."""
    k = min(k, len(values))
    if k == 0:
        return np.empty(0, dtype=np.int64)
    edge, n = least_of(values, k)
    keys = np.empty(n, dtype=np.uint64)  # all distinct: the value, then the lower row
    places = places_from(values, edge, n)
    for i in range(n):
        place = places[i]
        keys[i] = (np.uint64(values[place]) << np.uint64(32)) | (_LOW - np.uint64(rows[place]))
    if n > 2 * k:  # many are tied
        keys = _highest(keys, k)
    keys.sort()
    best = np.empty(k, dtype=np.int64)
    for i in range(k):
        best[i] = np.int64(_LOW - (keys[len(keys) - 1 - i] & _LOW))
    return best


@compiled()
def _highest(keys: NDArray[np.uint64], k: int) -> NDArray[np.uint64]:
    """Give the `k` highest of more keys than that, all distinct, and at most as many others."""
    low, high = keys[0], keys[0]
    for key in keys:
        low, high = min(low, key), max(high, key)
    high += np.uint64(1)
    while (
        True
    ):  # more than 2 k keys reach the low end, fewer than k the high: halve what is between
        middle = low + ((high - low) >> np.uint64(1))
        n = 0
        for key in keys:
            n += int(key >= middle)
        if n < k:
            high = middle
        elif n > 2 * k:
            low = middle
        else:
            break
    highest = np.empty(n, dtype=np.uint64)
    n = 0
    for key in keys:
        if key >= middle:
            highest[n] = key
            n += 1
    return highest
