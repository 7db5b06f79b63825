"""Where a test stops that is looked at a few times: Brownian motion at its looks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil, inf, log, sqrt
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

_REACH: Final = 9.0  # standard deviations that are looked at: 1e-18 lies beyond
_FARTHEST: Final = 40.0  # standard deviations within which bounds are sought
_PANEL: Final = 1.5  # standard deviations of a step that one panel of nodes spans
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """The law of a path that has stayed within its bounds at every look so far.

    Steps are integrated by Gauss-Legendre nodes in panels of 1.5 standard deviations, the path's
    own or its next step's, whichever is smaller: probabilities are right to about 1e-12.

    Parameters
    ----------
    time : float
        Information of the last look, 0 before the first.
    drift : float
        Mean of the path a unit of time.

    References
    ----------
    Armitage, McPherson & Rowe (1969), JRSS A 132(2); Jennison & Turnbull (2000), Group Sequential
    Methods, chapter 19.

    Examples
    --------
    Two looks at 1.96, one after half of the information:

    >>> first = Stages.begin().next(0.5)
    >>> second = first.kept(-1.96 * 0.5**0.5, 1.96 * 0.5**0.5).next(1.0)
    >>> round(2 * (first.above(1.96 * 0.5**0.5) + second.above(1.96)), 3)
    0.083
    """

    time: float
    drift: float
    step: float = 0.0
    """Information between the look that is asked about and the one before."""
    places: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    masses: NDArray[np.float64] = field(default_factory=lambda: np.ones(1))
    low: float = -inf
    high: float = inf

    @classmethod
    def begin(cls, drift: float = 0.0) -> Self:
        """Start at 0."""
        return cls(time=0.0, drift=drift)

    def next(self, time: float) -> Self:
        """Go on to a look, and integrate over where the path may be before it."""
        step = time - self.time
        if self.step == 0.0:  # at the start
            return self._at(time, step, self.places, self.masses)
        middle, spread = self.drift * self.time, sqrt(self.time)
        low = max(self.low, middle - _REACH * spread)
        high = min(self.high, middle + _REACH * spread)
        if not low < high:
            return self._at(time, step, np.array([middle]), np.zeros(1))
        panel = _PANEL * sqrt(min(step, self.step))
        edges = np.linspace(low, high, ceil((high - low) / panel) + 1)
        half = np.diff(edges)[:, None] / 2
        places = (edges[:-1, None] + half * (_NODES + 1)).ravel()
        deviations = (places[:, None] - self.places - self.drift * self.step) / sqrt(self.step)
        density = np.exp(-deviations * deviations / 2) @ self.masses
        weights = (half * _WEIGHTS).ravel() / sqrt(2 * np.pi * self.step)
        return self._at(time, step, places, density * weights)

    def kept(self, low: float, high: float) -> Self:
        """Keep the paths that lie between two values at this look; a step on asks for `next`."""
        return type(self)(
            time=self.time,
            drift=self.drift,
            step=self.step,
            places=self.places,
            masses=self.masses,
            low=low,
            high=high,
        )

    def above(self, value: float) -> float:
        """Give the probability to have been kept so far, and to lie above a value at this look."""
        return float(ndtr((self._ahead() - value) / sqrt(self.step)) @ self.masses)

    def below(self, value: float) -> float:
        """Give the probability to have been kept so far, and to lie below a value at this look."""
        return float(ndtr((value - self._ahead()) / sqrt(self.step)) @ self.masses)

    def upper_bound(self, probability: float) -> float:
        """Give the value that is exceeded at this look with a probability; infinite below 2e-308.

        Minus infinite where no more probability than that is left.
        """
        return self._value(self.above, probability, falling=True)

    def lower_bound(self, probability: float) -> float:
        """Give the value that is not reached at this look with a probability, likewise."""
        return self._value(self.below, probability, falling=False)

    def _value(self, tail: Callable[[float], float], probability: float, *, falling: bool) -> float:
        middle, far = self.drift * self.time, _FARTHEST * sqrt(self.time)
        outer, inner = (middle + far, middle - far)[:: 1 if falling else -1]
        least = np.finfo(float).tiny  # below, floats lose their digits
        if probability <= max(tail(outer), least):
            return inf if falling else -inf
        if tail(inner) <= probability:
            return -inf if falling else inf
        goal = log(probability)
        return float(
            brentq(
                lambda value: log(max(tail(value), least)) - goal,
                outer,
                inner,
                xtol=1e-13 * sqrt(self.time),
            )
        )

    def _ahead(self) -> NDArray[np.float64]:
        return self.places + self.drift * self.step

    def _at(
        self, time: float, step: float, places: NDArray[np.float64], masses: NDArray[np.float64]
    ) -> Self:
        return type(self)(time=time, drift=self.drift, step=step, places=places, masses=masses)


def exit_probabilities(
    information: Sequence[float],
    lower: Sequence[float],
    upper: Sequence[float],
    *,
    drift: float = 0.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the probabilities to leave above and below at each look, for the first time.

    Parameters
    ----------
    information : sequence of float
        At each look, rising from above 0: shares of the planned information.
    lower, upper : sequence of float
        Bounds of the z-score at each look; may be infinite.
    drift : float
        Mean of the z-score at information 1.

    Returns
    -------
    (above, below) : arrays of shape (n_looks,)

    Raises
    ------
    ValueError
        Where information does not rise from above 0, or a bound is missing.

    Examples
    --------
    >>> above, below = exit_probabilities([0.5, 1.0], [-1.96] * 2, [1.96] * 2)
    >>> float(above.sum().round(4)), float(below.sum().round(4))
    (0.0416, 0.0416)
    """
    times = check_information(information)
    if not len(times) == len(lower) == len(upper):
        raise ValueError(
            "information, lower and upper must be as long as each other, "
            f"got {len(times)}, {len(lower)} and {len(upper)}."
        )
    above, below = np.zeros(len(times)), np.zeros(len(times))
    path = Stages.begin(drift)
    for look, time in enumerate(times):
        path = path.next(time)
        low, high = lower[look] * sqrt(time), upper[look] * sqrt(time)
        above[look], below[look] = path.above(high), path.below(low)
        path = path.kept(low, high)
    return above, below


def check_information(information: Sequence[float]) -> tuple[float, ...]:
    """Give the information of looks back.

    Raises
    ------
    ValueError
        Where there is none, or it does not rise from above 0.
    """
    times = tuple(float(time) for time in information)
    if not times:
        raise ValueError("information must hold at least 1 look, got 0.")
    rises = all(early < late for early, late in zip((0.0, *times[:-1]), times, strict=True))
    if not (rises and times[-1] < inf):
        raise ValueError(f"information must rise from above 0, got {list(times)}.")
    return times
