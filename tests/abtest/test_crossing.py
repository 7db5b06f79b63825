"""Known crossing probabilities: a level, a bound that is met with a closed form, a simulation."""

from math import e, pi

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from nextcall.abtest.crossing import crossing_probability


def level(height: float) -> float:
    """Give the probability that |B| reaches a level by time 1, by its series."""
    k = np.arange(200)
    terms = (-1.0) ** k / (2 * k + 1) * np.exp(-(((2 * k + 1) * pi / height) ** 2) / 8)
    return float(1 - 4 / pi * terms.sum())


@pytest.mark.parametrize("height", [0.7, 1.5, 2.2414, 4.0])
def test_a_level_is_met_as_its_series_says(height: float) -> None:
    def curve(time: NDArray[np.float64]) -> NDArray[np.float64]:
        return height / np.sqrt(time)

    two = crossing_probability(curve, 1e-4, 1.0, two_sided=True)
    one = crossing_probability(curve, 1e-4, 1.0, two_sided=False)
    assert two == pytest.approx(level(height), rel=1e-3)
    assert one == pytest.approx(2 * norm.sf(height), rel=1e-3)  # the reflection principle


@pytest.mark.parametrize("start", [2.0, 3.0, 4.0])
def test_the_bound_of_robbins_and_siegmund_is_met_as_they_say(start: float) -> None:
    ever = 2 * float(norm.sf(start) + start * norm.pdf(start))

    def curve(time: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.sqrt(start**2 + np.log(time))

    found = [crossing_probability(curve, 1.0, e**last, two_sided=True) for last in (4, 10, 18)]
    assert found == sorted(found)
    # What is met later than e^18 is about a bound's that begins there.
    late = np.sqrt(start**2 + 18)
    assert ever - 4 * float(norm.sf(late) + late * norm.pdf(late)) < found[-1] * (1 + 2e-3)
    assert found[-1] < ever * (1 + 2e-3)
    # One side alone: half of it, and half of what meets both.
    one = crossing_probability(curve, 1.0, e**18, two_sided=False)
    assert found[-1] / 2 * (1 - 1e-6) <= one < found[-1] / (2 - found[-1])


def test_a_look_is_a_look() -> None:
    def curve(time: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.full(time.shape, 2.0)

    assert crossing_probability(curve, 3.0, 3.0, two_sided=True) == pytest.approx(2 * norm.sf(2))
    assert crossing_probability(curve, 3.0, 3.0, two_sided=False) == pytest.approx(norm.sf(2))


def test_what_is_too_far_is_never_met() -> None:
    def curve(time: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.full(time.shape, 50.0)

    assert crossing_probability(curve, 1.0, 9.0, two_sided=True) == 0
