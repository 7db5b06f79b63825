import numpy as np
import pytest
from numpy.typing import NDArray
from statsmodels.stats.power import NormalIndPower

from nextcall.abtest.users_needed import needed_users, power_of


def evidence(rng: np.random.Generator, batches: int, users: int) -> NDArray[np.float64]:
    """Means and variances of users whose difference is 0.2 with a variance of 1."""
    drawn = rng.normal(0.2, 1.0, (batches, users))
    return np.column_stack([drawn.mean(axis=1), drawn.var(axis=1, ddof=1)])


def test_users_are_those_of_the_usual_formula() -> None:
    found = needed_users({"t": [[0.2, 4.0]] * 3}, against="t", alpha=0.01, power=0.9)
    arm = NormalIndPower().solve_power(effect_size=0.2, alpha=0.01, power=0.9)
    assert found["users"][0] == pytest.approx(2 * arm, rel=1e-6)  # 4 is 2 (1 + 1), of both arms
    assert power_of(found["users"][0], 0.2, 4.0, alpha=0.01) == pytest.approx(0.9, abs=1e-6)
    assert found[["low", "high"]].to_numpy() == pytest.approx(found["users"][0])


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    true, held, times_held = 196.2, 0, 0
    for _ in range(100):
        own = evidence(rng, 10, 500)
        paired = own * [1.0, 4.0]  # needs four times as many, of the same users
        table = needed_users({"own": own, "paired": paired}, against="paired")
        row = table.to_dict("records")[0]
        held += row["low"] <= true <= row["high"]
        times_held += row["times_low"] <= 4.0 + 1e-9 and row["times_high"] >= 4.0 - 1e-9
    assert 0.87 <= held / 100 <= 0.99
    assert times_held == 100


def test_power_is_the_level_without_users_and_two_sided() -> None:
    assert power_of([0.0], 0.5, 1.0) == pytest.approx([0.05])
    assert power_of([40.0], -0.5, 1.0) == pytest.approx(power_of([40.0], 0.5, 1.0))


@pytest.mark.parametrize(
    ("batches", "against", "power", "told"),
    [
        (1, "t", 0.8, "evidence must be of at least two batches, got 1"),
        (3, "u", 0.8, r"against must be one of \['t'\], got 'u'"),
        (3, "t", 1.0, "power must lie between 0 and 1, got 1.0"),
    ],
)
def test_what_cannot_be_is_refused(batches: int, against: str, power: float, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        needed_users({"t": [[0.2, 4.0]] * batches}, against=against, power=power)
