"""The first rows of many scores, exactly: by counting, without a sort of all."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled

_BUCKETS: Final = 1_024
_EVERY: Final = 8  # of many rows are a sample
_SIDE_BY_SIDE: Final = 8  # scores that are looked at in one go
_FEW: Final = 1_000  # keys that are sorted by counting
_PARTS: Final = 256
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
def best_positive_rows(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Rows of the `k` highest scores above 0, best first; ties by row.

    Parameters
    ----------
    scores : array of shape (n,)
        At least 0, none of them -0.
    """
    bits = scores.view(np.uint32)  # higher for a higher score
    n_rows, width = np.uint64(len(bits)), np.uint64(_SIDE_BY_SIDE)
    values = np.empty(len(bits) + 1, dtype=np.uint32)
    rows = np.empty(len(bits) + 1, dtype=np.int64)
    n = np.uint64(0)
    for i in range(np.uint64(0), n_rows, np.uint64(_EVERY)):
        values[n] = bits[i]
        n += np.uint64(bits[i] > 0)
    sampled = k // _EVERY + 4 * int(np.sqrt(k // _EVERY)) + 4
    one = np.uint32(1)
    edge = least_of(values[:n], sampled)[0] if n > np.uint64(sampled) else one
    whole = n_rows - n_rows % width
    while True:  # twice where the sample misled
        n = np.uint64(0)
        for first in range(np.uint64(0), whole, width):
            highest = np.uint32(0)
            for j in range(width):
                highest = max(highest, bits[first + j])
            if highest >= edge:
                for j in range(width):  # no branch: is written over unless it counts
                    values[n] = bits[first + j]
                    rows[n] = np.int64(first + j)
                    n += np.uint64(bits[first + j] >= edge)
        for i in range(whole, n_rows):
            values[n] = bits[i]
            rows[n] = np.int64(i)
            n += np.uint64(bits[i] >= edge)
        if n >= np.uint64(k) or edge == one:
            return _best(values[:n], rows[:n], k)
        edge = one


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
        counts[np.uint64(np.uint32(value - low) >> shift)] += 1
    bucket, n = _BUCKETS, 0
    while n < n_least:
        bucket -= 1
        n += counts[np.uint64(bucket)]
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
    keys = np.empty(n + 1, dtype=np.uint64)  # all distinct: the value, then the lower row
    found = np.uint64(0)
    for place in range(len(values)):  # no branch: is written over unless it counts
        keys[found] = (np.uint64(values[place]) << np.uint64(32)) | (_LOW - np.uint64(rows[place]))
        found += np.uint64(values[place] >= edge)
    keys = keys[:n]
    if n > 2 * k:  # many are tied
        keys = _highest(keys, k)
    keys = _descending(keys)
    best = np.empty(k, dtype=np.int64)
    for i in range(k):
        best[i] = np.int64(_LOW - (keys[i] & _LOW))
    return best


@compiled()
def _descending(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Sort keys, the highest first: by counting in 256 parts, then by insertion."""
    n = len(keys)
    if n > _FEW:
        return np.sort(keys)[::-1].copy()
    low, high = keys[0], keys[0]
    for key in keys:
        low, high = min(low, key), max(high, key)
    shift = np.uint64(0)
    while (high - low) >> shift >= np.uint64(_PARTS):
        shift += np.uint64(1)
    places = np.zeros(_PARTS, dtype=np.int64)
    for key in keys:
        places[(high - key) >> shift] += 1
    first = 0
    for part in range(_PARTS):
        size = places[part]
        places[part] = first
        first += size
    order = np.empty(n, dtype=np.uint64)
    for key in keys:
        part = (high - key) >> shift
        order[places[part]] = key
        places[part] += 1
    for i in range(1, n):
        key, place = order[i], i
        while place > 0 and order[place - 1] < key:
            order[place] = order[place - 1]
            place -= 1
        order[place] = key
    return order


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
