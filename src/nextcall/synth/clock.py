"""When sessions begin and calls follow: a week with days and nights, and bursts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from nextcall.synth.chain import WeightedRows

HOUR: Final = 3600.0  # seconds

# Sessions an hour relative to the mean; a choice: office hours with a lunch break, quiet nights.
_DAY = (
    0.25, 0.18, 0.14, 0.12, 0.12, 0.16, 0.30, 0.60, 1.05, 1.50, 1.70, 1.65,
    1.35, 1.50, 1.70, 1.75, 1.60, 1.30, 0.95, 0.80, 0.70, 0.60, 0.48, 0.35,
)  # fmt: skip
_WEEK = (1.05, 1.15, 1.15, 1.10, 0.95, 0.45, 0.40)  # Monday first


def week_profile() -> NDArray[np.float64]:
    """Give the relative rate of sessions in each hour of the week, Monday 0:00 UTC first.

    Returns
    -------
    numpy.ndarray of shape (168,)
        Mean 1.
    """
    profile = np.outer(_WEEK, _DAY).ravel()
    result: NDArray[np.float64] = profile / profile.mean()
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class GapLaw:
    """Seconds between calls of a session: a log-normal body, a Pareto tail cut at a time-out.

    Examples
    --------
    >>> law = GapLaw(median=10.0)
    >>> float(law.cdf(10.0)) < 0.5 < float(law.cdf(60.0))
    True
    """

    median: float = 12.0
    """Median of the body, in seconds."""
    sigma: float = 1.0
    """Standard deviation of the body's logarithm."""
    tail: float = 0.1
    """Share of the gaps that are pauses, drawn from the tail."""
    tail_from: float = 60.0
    """Shortest pause, in seconds."""
    tail_index: float = 1.2
    """Exponent of the Pareto law; lower is heavier."""
    timeout: float = 1800.0
    """Longest pause, in seconds: after that it would be another session."""

    def __post_init__(self) -> None:
        if min(self.median, self.sigma, self.tail_index) <= 0:
            raise ValueError("median, sigma and tail_index must be above 0.")
        if not 0 <= self.tail <= 1:
            raise ValueError(f"tail must be in [0, 1], got {self.tail}.")
        if not 0 < self.tail_from < self.timeout:
            raise ValueError(
                f"tail_from must be above 0 and below timeout, got {self.tail_from} "
                f"and {self.timeout}."
            )

    def draw(self, n: int, *, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw gaps in seconds."""
        body = self.median * np.exp(self.sigma * rng.standard_normal(n))
        uniform = rng.random(n) * self._tail_mass
        pause = self.tail_from * (1 - uniform) ** (-1 / self.tail_index)
        return np.where(rng.random(n) < self.tail, pause, body)

    def cdf(self, seconds: ArrayLike) -> NDArray[np.float64]:
        """Give the probability of a gap of at most so many seconds (above 0)."""
        x = np.asarray(seconds, dtype=np.float64)
        body = ndtr(np.log(x / self.median) / self.sigma)
        inside = np.clip(x, self.tail_from, self.timeout)
        pause = (1 - (self.tail_from / inside) ** self.tail_index) / self._tail_mass
        result: NDArray[np.float64] = (1 - self.tail) * body + self.tail * pause
        return result

    @property
    def _tail_mass(self) -> float:
        return 1 - float((self.tail_from / self.timeout) ** self.tail_index)


def session_rates(start: datetime, days: int, profile: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the relative rate of sessions in each hour from `start`, a full hour, on."""
    first = start.weekday() * 24 + start.hour
    return profile[(first + np.arange(days * 24)) % len(profile)]


def draw_starts(
    rates: NDArray[np.float64], n_sessions: int, *, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw when sessions begin: an inhomogeneous Poisson process, given how many there are.

    Given their number, the points of such a process are independent with a density proportional
    to the rate.

    Parameters
    ----------
    rates : numpy.ndarray of shape (n_hours,)
        Relative rate in each hour, constant within it.

    Returns
    -------
    numpy.ndarray of shape (n_sessions,)
        Seconds after the first hour's begin, ascending.
    """
    hours = WeightedRows.of_matrix(rates[None, :])
    hour = hours.draw(np.zeros(n_sessions, dtype=np.int64), rng.random(n_sessions))
    return np.sort((hour + rng.random(n_sessions)) * HOUR)


def elapsed_share(seconds: NDArray[np.float64], rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the share of the cumulative rate at each time: uniform, if the rate is the true one."""
    running = np.concatenate([[0.0], np.cumsum(rates)])
    share: NDArray[np.float64] = np.interp(seconds / HOUR, np.arange(len(running)), running)
    share /= running[-1]
    return share
