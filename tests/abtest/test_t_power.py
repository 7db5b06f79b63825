"""Powers of t tests beside the noncentral t law and simulated tests."""

import numpy as np
import pytest
from scipy import stats

from nextcall.abtest.t_power import between, beyond, critical


@pytest.mark.parametrize("dof", [1.0, 2.0, 3.7, 10.0, 99.0, 101.0, 1e3, 4e5, 6e5, 1e7])
@pytest.mark.parametrize("shift", [-2.0, 0.0, 1.0, 3.0, 8.0])
@pytest.mark.parametrize("alpha", [0.5, 0.05, 0.001])
def test_it_is_the_noncentral_t_law(dof: float, shift: float, alpha: float) -> None:
    bound = critical(alpha, dof)
    law = stats.nct(dof, shift) if shift else stats.t(dof)
    assert beyond(shift, bound, dof) == pytest.approx(law.sf(bound), abs=1e-10)


@pytest.mark.parametrize("dof", [1e9, 1e12, 1e14, 1e16, 1e200])
def test_many_degrees_of_freedom_are_a_known_error(dof: float) -> None:
    near = 2 / dof + 1e-14
    assert beyond(2.8, 1.96, dof) == pytest.approx(beyond(2.8, 1.96), abs=near)
    assert between(3.0, 4.0, 1.6, dof) == pytest.approx(between(3.0, 4.0, 1.6), abs=near)
    assert critical(0.025, dof) == pytest.approx(1.959963984540054, abs=5 / dof + 1e-12)


@pytest.mark.parametrize("dof", [4.0, 30.0])
def test_two_one_sided_tests_reject_as_often_as_drawn_ones(dof: float) -> None:
    rng = np.random.default_rng(5)
    z, s = rng.normal(size=400_000), np.sqrt(rng.chisquare(dof, 400_000) / dof)
    bound = critical(0.05, dof)
    both = ((z + 3.0) / s > bound) & ((z - 3.5) / s < -bound)
    expected = both.mean()
    error = np.sqrt(expected * (1 - expected) / 400_000)
    assert between(3.0, 3.5, bound, dof) == pytest.approx(expected, abs=4 * error)


def test_margins_within_the_error_are_never_shown() -> None:
    assert between(1.0, 1.0, 1.645) == 0.0
