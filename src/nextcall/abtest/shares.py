"""The share of units with an event, from counts, and the intervals of one share."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from operator import index
from types import MappingProxyType
from typing import Final, Literal, Protocol

from scipy import special

from nextcall.abtest.effect import Alternative, check_alpha, check_alternative

ShareMethod = Literal["wilson", "exact", "agresti-coull", "jeffreys"]
"""How an interval of one share is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many of an arm's units had an event.

    Parameters
    ----------
    successes : int
        Units with the event, from 0 to `n`.
    n : int
        Units, at least 1.

    Raises
    ------
    TypeError
        Where one is no whole number.
    ValueError
        Where one is out of its range.

    Examples
    --------
    >>> Share(successes=30, n=120).value
    0.25
    """

    successes: int
    n: int

    def __post_init__(self) -> None:
        """Refuse what cannot be; plain int, so that products of counts are exact."""
        for name in ("successes", "n"):
            object.__setattr__(self, name, index(getattr(self, name)))
        if self.n < 1:
            raise ValueError(f"n must be at least 1, got {self.n}.")
        if not 0 <= self.successes <= self.n:
            raise ValueError(f"successes must lie between 0 and n={self.n}, got {self.successes}.")

    @property
    def failures(self) -> int:
        """Units without the event."""
        return self.n - self.successes

    @property
    def value(self) -> float:
        """The share."""
        return self.successes / self.n

    @property
    def variance(self) -> float:
        """Of a unit: p (1 - p)."""
        return self.value * (self.failures / self.n)

    @property
    def complement(self) -> "Share":
        """The share of units without the event."""
        return Share(successes=self.failures, n=self.n)


def share_interval(
    share: Share, *, method: ShareMethod = "wilson", alpha: float = 0.05
) -> tuple[float, float]:
    """Give a two-sided interval of a share.

    Parameters
    ----------
    method : {"wilson", "exact", "agresti-coull", "jeffreys"}
        ``"wilson"`` covers 1 - `alpha` on average over shares, ``"exact"`` (Clopper-Pearson) never
        less, at the price of width. ``"agresti-coull"`` is Wilson's made simple and wider, cut at 0
        and 1. ``"jeffreys"`` holds the middle 1 - `alpha` of the posterior under Beta(1/2, 1/2); of
        no successes it leaves out 0, which the other three contain.

    Returns
    -------
    tuple of float
        Within [0, 1].

    Raises
    ------
    ValueError
        Where an option is out of its range.

    References
    ----------
    Brown, Cai & DasGupta (2001), Statistical Science 16(2).

    Examples
    --------
    >>> low, high = share_interval(Share(successes=0, n=100))
    >>> low, round(high, 4)
    (0.0, 0.037)
    >>> low, high = share_interval(Share(successes=0, n=100), method="exact")
    >>> low, round(high, 4)
    (0.0, 0.0362)
    """
    if method not in _METHODS:
        raise ValueError(f"method must be one of {tuple(_METHODS)}, got {method!r}.")
    return _METHODS[method](share, alpha=check_alpha(alpha))


def wilson_reach(share: Share, z: float) -> tuple[float, float]:
    """Give how far Wilson's interval reaches below and above the share; no digits are lost.

    Parameters
    ----------
    z : float
        Quantile of the normal law, of either sign; its size counts.
    """
    inflation = 1 + z * z / share.n
    # The middle of the interval lies `shift` above the share; the ends `half` from the middle.
    shift = z * z * (share.failures - share.successes) / share.n / (2 * share.n) / inflation
    spread = z * z * share.variance / share.n
    half = sqrt(spread + (z * z / (2 * share.n)) ** 2) / inflation
    far = half + abs(shift)
    near = spread / inflation / far if far > 0 else 0.0  # half - |shift|
    return (near, far) if shift >= 0 else (far, near)


def exact_difference(control: Share, treatment: Share) -> float:
    """Give treatment minus control, rounded once: the products of counts are whole numbers.

    Examples
    --------
    >>> exact_difference(Share(successes=1, n=3), Share(successes=2, n=3)) == 1 / 3
    True
    """
    top = treatment.successes * control.n - control.successes * treatment.n
    return top / (control.n * treatment.n)


def critical_z(alpha: float, alternative: Alternative) -> float:
    """Give how many standard errors off is too far; below 0 for a one-sided `alpha` above 1/2.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    Examples
    --------
    >>> round(critical_z(0.05, "two-sided"), 4), round(critical_z(0.05, "greater"), 4)
    (1.96, 1.6449)
    """
    two_sided = check_alternative(alternative) == "two-sided"
    return float(-special.ndtri(check_alpha(alpha) / (2 if two_sided else 1)))


def _wilson(share: Share, *, alpha: float) -> tuple[float, float]:
    z = float(-special.ndtri(alpha / 2))
    x, n, zz = share.successes, share.n, z * z
    top = 2 * x + zz + z * sqrt(zz + 4 * x * (share.failures / n))
    low = 2 * x / n * x / top if x else 0.0  # from the product of the quadratic's roots
    return low, top / (2 * (n + zz)) if share.failures else 1.0


def _exact(share: Share, *, alpha: float) -> tuple[float, float]:
    x, rest = share.successes, share.failures
    low = float(special.betaincinv(x, rest + 1, alpha / 2)) if x else 0.0
    high = float(special.betainccinv(x + 1, rest, alpha / 2)) if rest else 1.0
    return low, high


def _agresti_coull(share: Share, *, alpha: float) -> tuple[float, float]:
    z = float(-special.ndtri(alpha / 2))
    n = share.n + z * z
    middle = (share.successes + z * z / 2) / n
    half = z * sqrt(middle * ((share.failures + z * z / 2) / n) / n)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _jeffreys(share: Share, *, alpha: float) -> tuple[float, float]:
    a, b = share.successes + 0.5, share.failures + 0.5
    return float(special.betaincinv(a, b, alpha / 2)), float(special.betainccinv(a, b, alpha / 2))


class _Interval(Protocol):
    def __call__(self, share: Share, *, alpha: float) -> tuple[float, float]: ...


_METHODS: Final[Mapping[ShareMethod, _Interval]] = MappingProxyType(
    {
        "wilson": _wilson,
        "exact": _exact,
        "agresti-coull": _agresti_coull,
        "jeffreys": _jeffreys,
    }
)
