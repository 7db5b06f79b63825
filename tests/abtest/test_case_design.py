"""Quantities of cases beside those of the peers, and of nastier cases."""

import json
from collections.abc import Mapping
from math import inf, isnan
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from nextcall.abtest.case_design import QUANTITIES
from nextcall.locations import shared_dir

_MEAN = {"metric": "mean", "sd": 30, "mde_abs": 2, "alpha": 0.05, "power": 0.8, "ratio": 1}
_SHARE = {"metric": "proportion", "p": 0.1} | {key: _MEAN[key] for key in ("alpha", "power")}
_ARMS = {
    "n_c": 50,
    "mean_c": 3.0,
    "var_c": 4.0,
    "n_t": 60,
    "mean_t": 2.9,
    "var_t": 5.0,
    "margin": 0.8,
    "direction": "lower_better",
    "alpha": 0.05,
}


def _cases(kind: str) -> list[dict[str, Any]]:
    path = shared_dir() / "data" / "abtest" / f"{kind}.json"
    if not path.exists():
        pytest.skip(f"{path} is not there: the shared evaluation data is not installed.")
    cases: list[dict[str, Any]] = json.loads(path.read_text())
    return cases


@pytest.mark.parametrize("kind", list(QUANTITIES))
def test_every_quantity_that_peers_agree_on_is_theirs(kind: str) -> None:
    for case in _cases(kind):
        found = QUANTITIES[kind](case["input"], Path())
        for name, expected in case["reference"].items():
            value = float(expected["value"])
            # What one peer gives, or several give differently, is within their own solvers' error.
            tolerance = expected.get("tolerance_rel") or 1e-4
            assert found[name] == pytest.approx(value, rel=tolerance, abs=1e-9), name


def _found(kind: str, case: Mapping[str, object], **changed: object) -> dict[str, Any]:
    return dict(QUANTITIES[kind]({**case, **changed}, Path()))


@pytest.mark.parametrize("scale", [1e-30, 1e-9, 1e12, 1e60])
def test_scales_change_effects_only(scale: float) -> None:
    plain, scaled = _found("power", _MEAN), _found("power", _MEAN, sd=30 * scale, mde_abs=2 * scale)
    for name, value in plain.items():
        expected = value * scale if "mde" in name else value
        assert scaled[name] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("changed", [{"alpha": 0.5}, {"alpha": 0.001}, {"ratio": 999.0}])
def test_extremes_have_answers(changed: dict[str, float]) -> None:
    for case in (_MEAN, {**_SHARE, "ratio": 1, "mde_abs": -0.09}):
        assert all(0 < value < inf for value in _found("power", case, **changed).values())


def test_an_arm_of_a_unit_or_less_leaves_the_normal_quantities() -> None:
    found = _found("power", _MEAN, ratio=1e-4)
    unknown = {name for name, value in found.items() if isnan(value)}
    assert unknown == {"t_mde_at_n5000", "t_power_at_n1000"}


def test_a_tiny_effect_needs_very_many_units() -> None:
    found = _found("power", _MEAN, sd=1e6, mde_abs=1e-6)
    plain = _found("power", _MEAN)
    for name in ("z_n_control", "t_n_control"):
        expected = plain["z_n_control"] * (1e12 / 15) ** 2
        assert found[name] == pytest.approx(expected, rel=1e-9)


def test_lower_may_be_better() -> None:
    found = _found("noninferiority", _ARMS)
    expected = stats.ttest_ind_from_stats(
        2.9 - 0.8, 5**0.5, 60, 3.0, 2.0, 50, equal_var=False, alternative="less"
    )
    assert found["p_value"] == pytest.approx(expected.pvalue)
    assert (found["ci_low"], found["ci_bound"]) == (-inf, found["ci_high"])


def test_what_cannot_be_tested_is_unknown() -> None:
    assert isnan(_found("noninferiority", _ARMS, n_c=1)["p_value"])
    assert isnan(_found("noninferiority", _ARMS, var_c=0, var_t=0)["p_value"])


@pytest.mark.parametrize(
    ("kind", "case", "changed", "said"),
    [
        ("power", _MEAN, {"mde_abs": 0}, "mde_abs must not be 0"),
        ("power", _MEAN, {"sd": "2"}, "sd must be a finite number, got '2'"),
        ("power", _MEAN, {"sd": None}, "sd must be a finite number, got None"),
        ("power", _MEAN, {"alpha": float("nan")}, "alpha must be a finite number, got nan"),
        ("power", _MEAN, {"metric": "ratio"}, "metric must be 'mean' or 'proportion', got 'ratio'"),
        ("power", _SHARE, {"ratio": 1, "mde_abs": 0.95}, "baseline . effect must lie between"),
        ("noninferiority", _ARMS, {"direction": "up"}, "direction must be one of"),
        ("noninferiority", _ARMS, {"n_t": 0}, "n_t must be at least 1, got 0"),
        ("noninferiority", _ARMS, {"var_c": -1}, "var_c must be at least 0, got -1"),
        ("noninferiority", _ARMS, {"mean_t": inf}, "mean_t must be a finite number, got inf"),
    ],
)
def test_a_case_that_cannot_be_is_refused(
    kind: str, case: Mapping[str, object], changed: Mapping[str, object], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        _found(kind, case, **changed)
