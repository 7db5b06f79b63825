"""How likely a Brownian motion is to leave a curved region within a span of time."""

from collections.abc import Callable
from math import ceil, log
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import ndtr

Curve = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Times to bounds of the path over the root of time: z-scores, not below 0."""

_STEPS_A_LOG: Final = 32
"""Steps in which time grows e-fold: the answer is then right to about 2 parts in 10,000."""
_FEWEST, _MOST = 96, 640
_REACH: Final = 8.0  # a z-score beyond a bound that adds nothing: e^-32 of its density
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)


def crossing_probability(curve: Curve, first: float, last: float, *, two_sided: bool) -> float:
    """Give the probability that a Brownian motion from 0 meets a bound between two times.

    The path is watched at every instant from `first` to `last`: looks that are further apart meet
    the bound less often, never more.

    Parameters
    ----------
    curve : callable
        Times to the bound in z-scores; the lower bound of a two-sided region is its mirror image.
    first, last : float
        0 < first <= last.

    Notes
    -----
    The first passage's law solves a Volterra equation: that the path is beyond the bound at time t
    is the sum over when it first met it. Mid-point steps of equal length in log time.

    References
    ----------
    Peskir (2002), Studia Sci. Math. Hungarica 39: the integral equation.

    Examples
    --------
    A bound that does not move (O'Brien & Fleming's, at every instant) has a known answer.

    >>> round(crossing_probability(lambda t: 2.2414 / np.sqrt(t), 1e-4, 1.0, two_sided=True), 4)
    0.05
    """
    sides = 2.0 if two_sided else 1.0
    start = float(curve(np.array([first]))[0])
    at_once = sides * float(ndtr(-start))
    if first == last or at_once == 0.0 == float(ndtr(-_lowest(curve, first, last))):
        return at_once
    n_steps = min(max(ceil(_STEPS_A_LOG * log(last / first)), _FEWEST), _MOST)
    logs = np.linspace(log(first), log(last), 2 * n_steps + 1)
    times = np.exp(logs)
    bounds = curve(times) * np.sqrt(times)
    then, at = times[1::2], bounds[1::2]  # when it was met, in the middle of each step
    now, bound = times[2::2], bounds[2::2]
    # Paths beyond the bound at the start, and again now.
    far = start + (_NODES + 1) * _REACH / 2
    mass = _WEIGHTS * _REACH / 2 * np.exp(-far * far / 2) / np.sqrt(2 * np.pi)
    spread = np.sqrt(now - first)[:, None]
    far = far * np.sqrt(first)
    again = _beyond(bound[:, None], far, spread, two_sided=two_sided) @ mass
    late = ndtr(-bound / np.sqrt(now)) - again
    gap = np.sqrt(np.maximum(now[:, None] - then, np.finfo(float).tiny))
    kernel = np.tril(_beyond(bound[:, None], at, gap, two_sided=two_sided))
    met = solve_triangular(kernel, late, lower=True)
    return float(min(max(at_once + sides * met.sum(), 0.0), 1.0))


def _beyond(
    bound: NDArray[np.float64],
    path: NDArray[np.float64],
    spread: NDArray[np.float64],
    *,
    two_sided: bool,
) -> NDArray[np.float64]:
    """Give the probability to be above a bound, from the path (or as well from its mirror)."""
    above: NDArray[np.float64] = ndtr((path - bound) / spread)
    return above + ndtr((-path - bound) / spread) if two_sided else above


def _lowest(curve: Curve, first: float, last: float) -> float:
    return float(curve(np.geomspace(first, last, _FEWEST)).min())
