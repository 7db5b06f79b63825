"""From the numbers of each worker to those of all: sums, or the least or most of a gauge."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from operator import add
from typing import Final, TypeAlias

from nextcall.telemetry.families import FAMILIES, OTHER, Family, Over
from nextcall.telemetry.workers import Totals

Numbers: TypeAlias = Mapping[tuple[str, ...], tuple[float, ...]]
"""By labels: one number, or the buckets (not cumulative) and the sum of a histogram."""

Told: TypeAlias = Mapping[Family, Numbers]

UNTOLD: Final[Mapping[Over, float]] = {"sum": 0.0, "least": math.inf, "most": -math.inf}
"""What stands in a place until a worker tells something."""

_NAMED: Final = {family.name: family for family in FAMILIES}
_OVER: Final[Mapping[Over, Callable[[float, float], float]]] = {
    "sum": add,
    "least": min,
    "most": max,
}


def told_by_family(of_all: Totals, of_living: Iterable[Totals]) -> Told:
    """Tell all families, each by its labels in their order.

    Parameters
    ----------
    of_all : mapping
        Sums over all workers that ever were: of these are counters and histograms.
    of_living : iterable of mapping
        Numbers of each that lives: of these are gauges.

    Examples
    --------
    >>> fresh = ("nextcall_credentials_fresh",)
    >>> told = told_by_family({}, [{fresh: (1.0,)}, {fresh: (0.0,)}])
    >>> {family.name: numbers for family, numbers in told.items() if numbers}
    {'nextcall_credentials_fresh': {(): (0.0,)}}
    """
    found: dict[Family, dict[tuple[str, ...], tuple[float, ...]]] = {each: {} for each in FAMILIES}
    for family, labels, values in _known(of_all):
        if family.kind != "gauge":
            found[family][labels] = values
    for worker in of_living:
        for family, labels, values in _known(worker):
            if family.kind == "gauge":
                numbers = found[family]
                known = (numbers[labels], values) if labels in numbers else (values,)
                numbers[labels] = (reduce(_OVER[family.over], (each for (each,) in known)),)
    return {family: dict(sorted(numbers.items())) for family, numbers in found.items()}


def _known(totals: Totals) -> Iterator[tuple[Family, tuple[str, ...], tuple[float, ...]]]:
    """Give what was counted; a file may be of another release, with other families."""
    for (name, *rest), values in totals.items():
        family, labels = _NAMED.get(name), tuple(rest)
        if family is None or len(labels) != len(family.labels) or len(values) != family.size:
            continue
        # Places for others, and of what is untold, are there before anything is counted.
        if math.isfinite(values[0]) and (set(labels) != {OTHER} or any(values)):
            yield family, labels, values
