"""Steps of the named detectors: many values at once, and one value of a key at an address."""

from collections.abc import Callable
from functools import cache
from math import nan
from typing import Final

import numpy as np
from numba import float64, int64
from numpy.typing import NDArray

from nextcall.anomaly.named_kernels import (
    COLD,
    COLD_WIDTH,
    HOT_WIDTH,
    NEW_MEAN,
    POINTS,
    PREVIOUS,
    RARITY,
    Floats,
    step,
)
from nextcall.anomaly.named_rarity import TAIL, rarity_at
from nextcall.compiling import compiled, entry_point, floats_at

_BLOCK: Final = 1 << 18  # values: with six scores each 12 MB
TOLD: Final = RARITY + TAIL - NEW_MEAN  # columns of a cold row that are told
TOLD_WIDTH: Final = TOLD + 4


@compiled()
def steps(
    addresses: NDArray[np.int64], key_of: NDArray[np.int64], values: Floats, times: Floats
) -> tuple[Floats, NDArray[np.uint8]]:
    """Do `step` with many values, key after key, each key's in their order.

    Block by block of values, so that what is written here and there stays in the cache.

    Parameters
    ----------
    addresses : array of shape (n_keys,)
        Of the hot rows.
    key_of, values : arrays of shape (n_values,)
    times : array of shape (n_values,) or (0,)

    Returns
    -------
    scores : array of shape (6, n_values)
        Risk, and the magnitudes of the five kinds.
    flags : array of shape (n_values,)
    """
    n, n_keys = len(key_of), len(addresses)
    scores, flags = np.empty((6, n)), np.empty(n, dtype=np.uint8)
    block = max(_BLOCK, n_keys)
    for first in range(0, n, block):
        order, ends = by_key(key_of[first : first + block], n_keys)
        begin = 0
        for key in range(n_keys):
            hot = floats_at(addresses[key], HOT_WIDTH)
            cold = floats_at(int(hot[COLD]), COLD_WIDTH)
            for place in range(begin, ends[key]):
                point = first + order[place]
                when = times[point] if len(times) > 0 else nan
                (
                    scores[0, point], flags[point], scores[1, point], scores[2, point],
                    scores[3, point], scores[4, point], scores[5, point],
                ) = step(hot, cold, values[point], when)  # fmt: skip
            begin = ends[key]
    return scores, flags


@compiled()
def risks(
    addresses: NDArray[np.int64], key_of: NDArray[np.int64], values: Floats, times: Floats
) -> Floats:
    """Do what `steps` does, and give the risks alone; arguments as there."""
    n_keys = len(addresses)
    order, ends = by_key(key_of, n_keys)
    risk = np.empty(len(key_of))
    begin = 0
    for key in range(n_keys):
        hot = floats_at(addresses[key], HOT_WIDTH)
        cold = floats_at(int(hot[COLD]), COLD_WIDTH)
        for place in range(begin, ends[key]):
            point = order[place]
            when = times[point] if len(times) > 0 else nan
            risk[point] = step(hot, cold, values[point], when)[0]
        begin = ends[key]
    return risk


@compiled()
def by_key(key_of: NDArray[np.int64], n_keys: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order points by their keys, each key's as they came.

    Returns
    -------
    order : array of shape (n_values,)
    ends : array of shape (n_keys + 1,)
        Place in `order` after each key's last point; the last one has no meaning.
    """
    ends = np.zeros(n_keys + 1, dtype=np.int64)
    for key in key_of:
        ends[key + 1] += 1
    for key in range(n_keys):
        ends[key + 1] += ends[key]
    order = np.empty(len(key_of), dtype=np.int64)
    for point in range(len(key_of)):
        order[ends[key_of[point]]] = point
        ends[key_of[point]] += 1
    return order, ends


@compiled(hold_lock=True)
def risk_at(address: int, value: float) -> float:
    """Do `step` without a time, with the rows at the address of the hot one; give the risk."""
    hot = floats_at(address, HOT_WIDTH)
    return step(hot, floats_at(int(hot[COLD]), COLD_WIDTH), value, nan)[0]


@compiled(hold_lock=True)
def judged_at(address: int, value: float, when: float) -> tuple[float, int]:
    """Do `step` with the rows at the address of the hot one; give risk and flags."""
    hot = floats_at(address, HOT_WIDTH)
    judged = step(hot, floats_at(int(hot[COLD]), COLD_WIDTH), value, when)
    return judged[0], judged[1]


@compiled(hold_lock=True)
def told_at(address: int) -> Floats:
    """Give what is told of the newest point, where a detector passed its limit.

    Returns
    -------
    array of shape (TOLD_WIDTH,)
        The columns of the cold row from `NEW_MEAN` on, less the history; then `POINTS` and
        `PREVIOUS` of the hot one, once in how many points, and the number of an alarm.
    """
    hot = floats_at(address, HOT_WIDTH)
    cold = floats_at(int(hot[COLD]), COLD_WIDTH)
    told = np.empty(TOLD_WIDTH)
    for place in range(TOLD):
        told[place] = cold[NEW_MEAN + place]
    told[TOLD], told[TOLD + 1] = hot[POINTS], hot[PREVIOUS]
    told[TOLD + 2], told[TOLD + 3] = rarity_at(int(hot[COLD]) + 8 * RARITY)
    return told


@cache
def told_entry() -> Callable[[int], Floats]:
    """Give `told_at` for an integer, which saves the look at its type."""
    return entry_point(told_at, int64)


@cache
def risk_entry() -> Callable[[int, float], float]:
    """Give `risk_at` for arguments of exactly these types, which saves the look at them."""
    return entry_point(risk_at, int64, float64)


@cache
def judged_entry() -> Callable[[int, float, float], tuple[float, int]]:
    """Give `judged_at` for arguments of exactly these types, which saves the look at them."""
    return entry_point(judged_at, int64, float64, float64)
