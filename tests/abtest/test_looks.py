"""Costs of looks beside simulated walks and published figures."""

import numpy as np
import pytest
from scipy import stats

from nextcall.abtest.looks import LookMethod, PlannedLooks, plan_looks

_RUNS = 200_000


@pytest.mark.parametrize("two_sided", [True, False])
@pytest.mark.parametrize(("method", "looks"), [("group-sequential", 4), ("always-valid", 6)])
def test_walks_with_the_inflated_units_have_the_power(
    method: LookMethod, looks: int, *, two_sided: bool
) -> None:
    planned = plan_looks(method, looks, alpha=0.05, power=0.9, two_sided=two_sided, units=5000)
    rng = np.random.default_rng(7)
    steps = rng.normal(size=(_RUNS, looks)) / np.sqrt(looks)
    once = stats.norm.isf(0.025 if two_sided else 0.05) + stats.norm.ppf(0.9)
    times = np.array(planned.information)
    for drift, expected in ((once * np.sqrt(planned.inflation), 0.9), (0.0, None)):
        z = (np.cumsum(steps, axis=1) + drift * times) / np.sqrt(times)
        shown = (np.abs(z) if two_sided else z) >= np.array(planned.bounds)
        found = shown.any(axis=1).mean()
        if expected is None:
            assert found <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / _RUNS)
        else:
            assert found == pytest.approx(expected, abs=4 * np.sqrt(0.09 / _RUNS))
            last = np.where(shown.any(axis=1), times[shown.argmax(axis=1)], 1.0)
            assert planned.expected == pytest.approx(last.mean(), abs=0.003)


def test_a_fixed_test_costs_nothing() -> None:
    planned = plan_looks("fixed", 1, units=100)
    assert (planned.inflation, planned.expected, planned.information) == (1.0, 1.0, (1.0,))
    assert planned.bounds[0] == pytest.approx(stats.norm.isf(0.025))
    assert plan_looks("group-sequential", 1, units=100).inflation == pytest.approx(1.0, abs=1e-6)


def test_more_looks_cost_a_group_sequential_test_more_and_an_always_valid_one_less() -> None:
    few, many = (plan_looks("group-sequential", looks, units=1e4).inflation for looks in (2, 10))
    assert 1 < few < many < 1.05
    few, many = (plan_looks("always-valid", looks, units=1e4).inflation for looks in (2, 10))
    assert 1 < many < few < 1.5


def test_a_tiny_test_is_looked_at_once() -> None:
    planned = plan_looks("always-valid", 3, units=20)
    assert planned.bounds[:2] == (np.inf, np.inf)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "peek"}, "method must be one of"),
        ({"looks": 0}, "looks must lie between 1 and 100, got 0"),
        ({"power": 0.01}, "power must lie above alpha"),
        ({"method": "fixed", "looks": 2}, "looks must be 1 of a fixed test, got 2"),
        ({"alpha": 0.0}, "alpha must lie between 0 and 1"),
    ],
)
def test_what_cannot_be_planned_is_refused(options: dict[str, object], said: str) -> None:
    given = {"method": "group-sequential", "looks": 3, "units": 100.0, **options}
    with pytest.raises(ValueError, match=said):
        plan_looks(**given)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "peek"}, "method must be one of"),
        ({"information": (0.5, 0.9)}, "information must end with 1"),
        ({"information": (1.0,)}, "bounds be as many"),
        ({"method": "fixed"}, "looks must be 1 of a fixed test"),
        ({"inflation": 0.0}, "inflation must be above 0"),
        ({"expected": 1.5}, "expected must lie above 0 and at most 1"),
    ],
)
def test_looks_that_cannot_be_are_refused(options: dict[str, object], said: str) -> None:
    given = {"method": "group-sequential", "information": (0.5, 1.0), "bounds": (3.0, 2.0)}
    with pytest.raises(ValueError, match=said):
        PlannedLooks(**{**given, **options})  # type: ignore[arg-type]  # wrong on purpose
