"""Chances and expected losses of two shares, each known by a Beta law, without simulation."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

Floats = NDArray[np.float64]

_NODES: Final = 16  # of a panel two standard deviations wide: exact to rounding
_REACH: Final = 40  # standard deviations: a log-concave law leaves exp(-39) beyond them
_TURNS: Final = np.arange(-_REACH, _REACH + 1.0)  # logits between which powers turn to others
_SEEN: Final = 75.0  # a density below exp(-75) of its peak adds nothing to a quantile
_EDGE: Final = 690.0  # a logit beyond which a share is no float


@dataclass(frozen=True, slots=True, kw_only=True)
class Beta:
    """A Beta law of a share.

    Parameters
    ----------
    a, b : float
        Above 0; a posterior's are successes and failures, each plus the prior's.

    Raises
    ------
    ValueError
        Where one is out of its range.
    """

    a: float = 1.0
    b: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        for name in ("a", "b"):
            value = getattr(self, name)
            if not 0 < value < np.inf:
                raise ValueError(f"{name} must be finite and above 0, got {value}.")

    @property
    def mean(self) -> float:
        """Expected share."""
        return self.a / (self.a + self.b)

    @property
    def sd(self) -> float:
        """Standard deviation."""
        total = self.a + self.b
        return float(np.sqrt(self.a / total * (self.b / total) / (total + 1)))

    def interval(self, alpha: float) -> tuple[float, float]:
        """Give the middle 1 - `alpha` of the law."""
        low = special.betaincinv(self.a, self.b, alpha / 2)
        return float(low), float(special.betainccinv(self.a, self.b, alpha / 2))


@dataclass(frozen=True, slots=True)
class _Points:
    """Places in (0, 1), from both ends, with the weights of an integral over their logits."""

    logit: Floats
    share: Floats
    rest: Floats
    weight: Floats

    def kept(self, which: NDArray[np.bool_]) -> "_Points":
        return _Points(self.logit[which], self.share[which], self.rest[which], self.weight[which])


def chance_above(law: Beta, other: Beta, *, by: float = 0.0) -> float:
    """Give the chance that a share of the one law exceeds one of the other by more than `by`.

    To 11 digits at up to 10^9 units, small chances too (down to 1e-300); with `by` other than 0 and
    a parameter below 1, to 8.

    Parameters
    ----------
    by : float
        Between -1 and 1.

    Examples
    --------
    >>> round(chance_above(Beta(a=2, b=1), Beta(a=1, b=1)), 12)  # 1 - 1/3
    0.666666666667
    """
    points = _points(other, law, by)
    density = _density(other, points)
    return _share(float(density @ _beyond(law, points, by)), float(density.sum()))


def chance_between(law: Beta, other: Beta, *, low: float, high: float) -> float:
    """Give the chance that the one share less the other lies between two values.

    Examples
    --------
    >>> round(chance_between(Beta(a=1, b=1), Beta(a=1, b=1), low=-0.5, high=0.5), 12)
    0.75
    """
    points = _points(other, law, low, high)
    density = _density(other, points)
    upper = _beyond(law, points, low) - _beyond(law, points, high)
    lower = _short(law, points, high) - _short(law, points, low)
    small = _beyond(law, points, low) < 0.5  # each difference where its terms are small
    return _share(float(density @ np.where(small, upper, lower)), float(density.sum()))


def expected_shortfall(law: Beta, other: Beta) -> float:
    """Give by how much a share of the one law falls short of one of the other; 0 where it does not.

    Examples
    --------
    >>> round(expected_shortfall(Beta(a=1, b=1), Beta(a=1, b=1)), 12)  # of two uniform shares
    0.166666666667
    """
    points = _points(other, law, 0.0)
    apart = _short(law, points, 0.0) * _beyond(other, points, 0.0)
    return float((points.weight * points.share * points.rest) @ apart)


def difference_interval(law: Beta, other: Beta, *, alpha: float) -> tuple[float, float]:
    """Give the middle 1 - `alpha` of the one share less the other.

    Examples
    --------
    >>> low, high = difference_interval(Beta(a=1, b=1), Beta(a=1, b=1), alpha=0.5)
    >>> round(high, 9) == round(1 - 0.5**0.5, 9)  # of a triangle of shares
    True
    """

    def above(by: float) -> float:
        return _chance_quickly(law, other, by)

    middle = law.mean - other.mean
    reach = (np.sqrt(2 / alpha) + 1) * np.hypot(law.sd, other.sd)  # Cantelli: no quantile is beyond
    ends = max(middle - reach, -1.0), min(middle + reach, 1.0)
    low = optimize.brentq(lambda by: above(by) - (1 - alpha / 2), *ends, xtol=1e-16, rtol=1e-11)
    high = optimize.brentq(lambda by: above(by) - alpha / 2, *ends, xtol=1e-16, rtol=1e-11)
    return float(low), float(high)


def _chance_quickly(law: Beta, other: Beta, by: float) -> float:
    """Give `chance_above` to 1e-14, absolutely: the tails are left out."""
    points = _points(other, law, by)
    exponents = _log_density(other, points)
    seen = exponents > exponents.max() - _SEEN
    points = points.kept(seen)
    density = points.weight * np.exp(exponents[seen])
    return _share(float(density @ _beyond(law, points, by)), float(density.sum()))


def _share(part: float, whole: float) -> float:
    return min(max(part / whole, 0.0), 1.0)


def _points(law: Beta, other: Beta, *shifts: float) -> _Points:
    """Lay panels over the bulk of a law, and where the other's falls, seen from the law.

    In the logit of a share a Beta law is log-concave and smooth, whatever its parameters.
    """
    edges = [_bulk(law), _TURNS]
    for shift in shifts:
        moved = special.expit(np.concatenate([_bulk(other), _TURNS])) - shift
        edges.append(special.logit(moved[(moved > 0) & (moved < 1)]) if shift else _bulk(other))
    borders = np.unique(np.concatenate(edges))
    places, weights = _rule()
    half = np.diff(borders) / 2
    logit = ((borders[:-1] + half)[:, None] + half[:, None] * places).ravel()
    weight = (half[:, None] * weights).ravel()
    return _Points(logit, special.expit(logit), special.expit(-logit), weight)


@cache
def _rule() -> tuple[Floats, Floats]:
    places, weights = np.polynomial.legendre.leggauss(_NODES)
    return places, weights


def _bulk(law: Beta) -> Floats:
    middle = special.digamma(law.a) - special.digamma(law.b)
    spread = np.sqrt(special.polygamma(1, law.a) + special.polygamma(1, law.b))
    return np.asarray(middle + spread * np.arange(-_REACH, _REACH + 1.0, 2))


def _density(law: Beta, points: _Points) -> Floats:
    """Give weights that add up to the law's whole, but for a factor."""
    exponents = _log_density(law, points)
    return points.weight * np.exp(exponents)


def _log_density(law: Beta, points: _Points) -> Floats:
    """Give the log density of the logit, less its value at the mean.

    The terms that are linear around the mean add up to 0; they are left out before they cancel.
    """
    total = law.a + law.b
    off = (points.share - law.mean) * total
    far = off / law.a, -off / law.b
    near = [np.abs(each) < 0.5 for each in far]
    logs = (
        special.log_expit(points.logit) - np.log(law.a / total),
        special.log_expit(-points.logit) - np.log(law.b / total),
    )
    parts = [
        np.where(close, np.log1p(np.where(close, each, 0.0)), plain) - each
        for each, close, plain in zip(far, near, logs, strict=True)
    ]
    return np.asarray(law.a * parts[0] + law.b * parts[1])


def _beyond(law: Beta, points: _Points, by: float) -> Floats:
    """Give the chance that a share of the law lies more than `by` above each point."""
    chances = _tail(law, points, by, special.betaincc, special.betainc)
    return chances if by else _at_edges(chances, -points.logit, law.b, law.a)


def _short(law: Beta, points: _Points, by: float) -> Floats:
    """Give the chance that a share of the law lies below `by` above each point."""
    chances = _tail(law, points, by, special.betainc, special.betaincc)
    return chances if by else _at_edges(chances, points.logit, law.a, law.b)


def _at_edges(chances: Floats, logit: Floats, near: float, far: float) -> Floats:
    """Put in the chances at shares that are no floats, from a power law at either end."""
    whole = special.betaln(near, far)
    first, last = logit < -_EDGE, logit > _EDGE
    chances[first] = np.exp(np.minimum(near * logit[first] - np.log(near) - whole, 0.0))
    chances[last] = -np.expm1(np.minimum(-far * logit[last] - np.log(far) - whole, 0.0))
    return chances


def _tail(
    law: Beta,
    points: _Points,
    by: float,
    from_zero: Callable[..., Floats],
    from_one: Callable[..., Floats],
) -> Floats:
    """Take the end that is nearer, for a share's distance from 1 is lost beside 1."""
    share = np.clip(points.share + by, 0.0, 1.0)
    rest = np.clip(points.rest - by, 0.0, 1.0)
    low = share < 0.5
    chances = np.empty_like(share)
    chances[low] = from_zero(law.a, law.b, share[low])
    chances[~low] = from_one(law.b, law.a, rest[~low])
    return chances
