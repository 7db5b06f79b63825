"""Which of the 10,000 buckets go where: shares in percent, and their changes."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heapreplace
from itertools import pairwise
from math import isclose, isfinite

import numpy as np
from numpy.typing import NDArray

from nextcall.abtest.hashing import BUCKETS

_A_PERCENT = BUCKETS // 100


@dataclass(frozen=True, slots=True)
class Span:
    """Buckets from `start` up to, but not with, `stop`.

    Parameters
    ----------
    start, stop : int
        From 0 to 10,000.
    owner : str
        The variant (of a test) or test (of a layer) that they go to.
    active : bool
        Whether they still do: those that were given up remember whose they were, and are the first
        to be taken back.
    """

    start: int
    stop: int
    owner: str
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Whose each bucket is: the state that a test or layer is kept by from change to change.

    Made by `allocate`, changed by `reallocate`, kept as `to_dict`.

    Parameters
    ----------
    owners : sequence of str
        Variants or tests in the order of their codes, which no change of shares alters.
    spans : sequence of Span
        In order, without overlap; buckets in none of them were never anyone's.

    Raises
    ------
    ValueError
        Where owners repeat, or a span is out of place or of no owner.

    Examples
    --------
    >>> halves = allocate({"A": 2.5, "B": 2.5})
    >>> halves.spans[1]
    Span(start=250, stop=500, owner='B', active=True)
    >>> halves.shares
    {'A': 2.5, 'B': 2.5}
    >>> Allocation.from_dict(halves.to_dict()) == halves
    True
    """

    owners: Sequence[str]
    spans: Sequence[Span]
    codes: NDArray[np.int16] = field(init=False, repr=False, compare=False)
    """Of each bucket: the place of its owner in `owners`, or -1 where it is no one's now."""

    def __post_init__(self) -> None:
        """Refuse what cannot be, and look up each bucket once."""
        object.__setattr__(self, "owners", tuple(self.owners))
        object.__setattr__(self, "spans", tuple(self.spans))
        if repeated := [name for name, n in Counter(self.owners).items() if n > 1]:
            raise ValueError(f"owners must differ, got {repeated[0]!r} twice.")
        codes, end = np.full(BUCKETS, -1, np.int16), 0
        for span in self.spans:
            if not end <= span.start < span.stop <= BUCKETS:
                raise ValueError(
                    f"spans must rise from 0 to {BUCKETS} without overlap, got {span} after {end}."
                )
            if span.owner not in self.owners:
                raise ValueError(f"owner of a span must be one of {self.owners}, got {span}.")
            if span.active:
                codes[span.start : span.stop] = self.owners.index(span.owner)
            end = span.stop
        codes.flags.writeable = False
        object.__setattr__(self, "codes", codes)

    @property
    def shares(self) -> dict[str, float]:
        """Percentage of all buckets that goes to each owner now."""
        counts = np.bincount(self.codes[self.codes >= 0], minlength=len(self.owners))
        return {name: int(n) / _A_PERCENT for name, n in zip(self.owners, counts, strict=True)}

    def to_dict(self) -> dict[str, object]:
        """Give the state as plain data, for JSON."""
        return {
            "owners": list(self.owners),
            "spans": [[span.start, span.stop, span.owner, span.active] for span in self.spans],
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, object]) -> "Allocation":
        """Read what `to_dict` gave.

        Raises
        ------
        ValueError
            Where it is no such state.
        """
        match state:
            case {"owners": [*owners], "spans": [*rows]}:
                names = [name for name in owners if isinstance(name, str)]
                if len(names) == len(owners):
                    return cls(owners=names, spans=[_span(row) for row in rows])
        raise ValueError(f"state must hold owners and spans, got {state!r}.")


def allocate(shares: Mapping[str, float]) -> Allocation:
    """Give buckets to variants (or tests) for the first time, one range each.

    Parameters
    ----------
    shares : mapping of str to float
        Percentages of all units, to 0.01, at most 100 together. What is left goes to no one.

    Raises
    ------
    ValueError
        Where a share is negative, finer than 0.01 or not a number, or they are over 100 together.

    Examples
    --------
    >>> allocate({"A": 33.33, "B": 66.67}).spans[1]
    Span(start=3333, stop=10000, owner='B', active=True)
    """
    return reallocate(Allocation(owners=(), spans=()), shares)


def reallocate(allocation: Allocation, shares: Mapping[str, float]) -> Allocation:
    """Change shares, and move as few buckets as can be.

    Who grows keeps all that it had, and takes first what it once gave up, then what was never
    anyone's, then what others gave up before, and only at the end what they give up now. Who
    shrinks gives up its highest buckets. So a ramp up moves no one who is in, and a ramp down and
    up again brings the same units back.

    Parameters
    ----------
    allocation : Allocation
    shares : mapping of str to float
        As `allocate` takes them. An owner that is not named has 0; a new one gets the next code.

    Raises
    ------
    ValueError
        As `allocate`.

    Examples
    --------
    >>> ramp = reallocate(allocate({"A": 2.5, "B": 2.5}), {"A": 10, "B": 10})
    >>> [(span.start, span.stop, span.owner) for span in ramp.spans]
    [(0, 250, 'A'), (250, 500, 'B'), (500, 1250, 'A'), (1250, 2000, 'B')]
    """
    wanted = _counts(shares)
    owners = tuple(dict.fromkeys((*allocation.owners, *wanted)))
    last = np.full(BUCKETS, -1)  # whose each bucket is, or was
    for span in allocation.spans:
        last[span.start : span.stop] = owners.index(span.owner)
    active = allocation.codes >= 0
    missing = np.zeros(len(owners), int)
    for code, name in enumerate(owners):
        held = np.flatnonzero(active & (last == code))
        missing[code] = wanted.get(name, 0) - len(held)
        active[held[wanted.get(name, 0) :]] = False
    never, given_up = last == -1, (last >= 0) & (allocation.codes < 0)
    for preferred in ("own", "never", "given up", "any"):
        for code in np.flatnonzero(missing > 0).tolist():
            match preferred:
                case "own":
                    among = last == code
                case "never":
                    among = never
                case "given up":
                    among = given_up
                case _:
                    among = ~active
            taken = np.flatnonzero(among & ~active)[: missing[code]]
            last[taken], active[taken] = code, True
            missing[code] -= len(taken)
    return Allocation(owners=owners, spans=tuple(_spans(owners, last, active)))


def shares_at(shares: Mapping[str, float], exposure: float) -> dict[str, float]:
    """Give the shares of a test that only part of all units may enter, each to 0.01.

    Webster's method shares the buckets out: a larger exposure takes none from any variant, unlike
    rounding or the largest remainder.

    Parameters
    ----------
    shares : mapping of str to float
        Of those who enter: percentages, to 0.01, 100 together.
    exposure : float
        Percentage of all units, to 0.01.

    Raises
    ------
    ValueError
        Where the shares are not 100 together, or as `allocate`.

    Examples
    --------
    >>> shares_at({"A": 33.33, "B": 33.33, "C": 33.34}, 0.05)
    {'A': 0.02, 'B': 0.01, 'C': 0.02}
    """
    weights = _counts(shares)
    if sum(weights.values()) != BUCKETS:
        raise ValueError(f"shares must be 100 together, got {dict(shares)}.")
    names = list(weights)
    # The next bucket goes to the largest weight / (buckets so far + 1/2).
    queue = [(-2.0 * weights[name], place, 0) for place, name in enumerate(names)]
    heapify(queue)
    for _ in range(_counts({"exposure": exposure})["exposure"]):
        _, place, n = queue[0]
        heapreplace(queue, (-weights[names[place]] / (n + 1.5), place, n + 1))
    given = {names[place]: n / _A_PERCENT for _, place, n in queue}
    return {name: given[name] for name in names}


def _counts(shares: Mapping[str, float]) -> dict[str, int]:
    counts = {}
    for name, share in shares.items():
        exact = share * _A_PERCENT
        if not (isfinite(share) and 0 <= share <= 100):
            raise ValueError(f"share of {name!r} must lie between 0 and 100, got {share}.")
        if not isclose(exact, round(exact), rel_tol=0, abs_tol=1e-6):
            raise ValueError(f"share of {name!r} must be a multiple of 0.01, got {share}.")
        counts[name] = round(exact)
    if sum(counts.values()) > BUCKETS:
        raise ValueError(f"shares must be at most 100 together, got {dict(shares)}.")
    return counts


def _spans(
    owners: Sequence[str], last: NDArray[np.int64], active: NDArray[np.bool_]
) -> Iterator[Span]:
    changes = np.flatnonzero((np.diff(last) != 0) | np.diff(active)) + 1
    ends = [0, *changes.tolist(), BUCKETS]
    for start, stop in pairwise(ends):
        if last[start] >= 0:
            yield Span(start, stop, owners[last[start]], bool(active[start]))


def _span(row: object) -> Span:
    match row:
        case [int(start), int(stop), str(owner), bool(active)]:
            return Span(start, stop, owner, active)
    raise ValueError(f"span must be [start, stop, owner, active], got {row!r}.")
