"""What the batch forms of the detectors are given, checked before anything is learned."""

from collections.abc import Hashable, Iterable, Sized
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextcall.anomaly.monitor_input import number
from nextcall.anomaly.wall_clock import instants_and_walls


def one_dimension(values: ArrayLike) -> NDArray[np.float64]:
    """Give values as an array, each as `number` reads it.

    Raises
    ------
    TypeError
        Where one is text or no number at all; the message says which.
    ValueError
        Where they have not one dimension.
    """
    given = np.asarray(values)
    if given.ndim != 1:
        raise ValueError(f"values must have one dimension, got {given.ndim}.")
    if given.dtype.kind in "biuf":
        return np.ascontiguousarray(given, dtype=np.float64)
    numbers = np.empty(len(given))
    for place, value in enumerate(given):
        try:
            numbers[place] = number(value)
        except TypeError:
            raise TypeError(f"values must be numbers, got {value!r} at {place}.") from None
    return numbers


def finite_or_nan(values: ArrayLike) -> NDArray[np.float64]:
    """Give values as `one_dimension` does; refuse infinities."""
    numbers = one_dimension(values)
    infinite = np.flatnonzero(np.isinf(numbers))
    if len(infinite):
        raise ValueError(f"values must be finite or NaN, got an infinity at {infinite[0]}.")
    return numbers


def keys_of(n_values: int, keys: Iterable[Hashable] | None) -> list[Hashable]:
    """Give the key of each value: ``""`` where none are given."""
    names: list[Hashable] = [""] * n_values if keys is None else list(keys)
    check_as_many("keys", names, n_values)
    return names


def times_of(n_values: int, times: Any) -> NDArray[np.float64]:
    """Give the seconds since 1970 of each value: ``nan`` where none are given, or none is known.

    Raises
    ------
    TypeError
        Where a time is no time.
    ValueError
        Where one has no zone, or they are not as many as the values.
    """
    if times is None:
        return np.full(n_values, np.nan)
    instants, _ = instants_and_walls(times)
    check_as_many("times", instants, n_values)
    return np.ascontiguousarray(instants)


def check_as_many(name: str, part: Sized, n_values: int) -> None:
    """Refuse what has not one entry a value."""
    if len(part) != n_values:
        raise ValueError(f"{name} must be as many as values, {n_values}, got {len(part)}.")
