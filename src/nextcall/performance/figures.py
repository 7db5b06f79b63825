"""What a part of the service took, call after call, and the figures that are told of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from nextcall.telemetry.latency import Latency

MOST_SAMPLES: Final = 200
"""Samples of a part that are told; of more, every so many of the sorted ones."""

_MILLISECONDS: Final = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """How long calls took.

    Attributes
    ----------
    seconds : sequence of float
        One a call that succeeded, in the order in which they ended.
    errors : int
        Calls that failed, which are none of `seconds`.
    elapsed : float
        Seconds from the first call to the end of the last.
    """

    seconds: Sequence[float]
    errors: int
    elapsed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is told of a part; milliseconds, ``nan`` where no call succeeded.

    Attributes
    ----------
    count : int
        Calls, those that failed among them.
    errors : int
        Calls that failed; percentiles leave them out.
    p50, p95, p99 : float
        Those of ``numpy.percentile``.
    mean, longest : float
    rate : float
        Successful calls a second of the time that all took together.
    samples : tuple of float
        At most `MOST_SAMPLES`, smallest first.
    """

    count: int
    errors: int
    p50: float
    p95: float
    p99: float
    mean: float
    longest: float
    rate: float
    samples: tuple[float, ...]

    @classmethod
    def of(cls, taken: Samples) -> "Figures":
        """Compute the figures of some calls.

        Examples
        --------
        >>> found = Figures.of(Samples(seconds=[0.001, 0.003], errors=1, elapsed=0.01))
        >>> found.count, found.p50, found.mean, found.rate
        (3, 2.0, 2.0, 200.0)
        """
        sorted_ = np.sort(np.asarray(taken.seconds, np.float64)) * _MILLISECONDS
        n = len(sorted_)
        p50, p95, p99 = np.percentile(sorted_, [50, 95, 99]) if n else [np.nan] * 3
        places = np.linspace(0, n - 1, min(n, MOST_SAMPLES)).round().astype(int)
        return cls(
            count=n + taken.errors,
            errors=taken.errors,
            p50=_rounded(p50),
            p95=_rounded(p95),
            p99=_rounded(p99),
            mean=_rounded(sorted_.mean() if n else np.nan),
            longest=_rounded(sorted_[-1] if n else np.nan),
            rate=_rounded(n / taken.elapsed if taken.elapsed > 0 else 0.0),
            samples=tuple(_rounded(each) for each in sorted_[places]),
        )

    def latency(self) -> Latency:
        """Give what a promise is held against, in seconds."""
        return Latency(
            count=self.count,
            errors=self.errors,
            p50=self.p50 / _MILLISECONDS,
            p95=self.p95 / _MILLISECONDS,
            p99=self.p99 / _MILLISECONDS,
            longest=self.longest / _MILLISECONDS,
        )


def _rounded(value: float) -> float:
    return round(float(value), 4)
