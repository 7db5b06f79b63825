"""Cases come out as the peers have them."""

import json
import re
from math import inf, isnan
from pathlib import Path
from typing import Any

import pytest

from nextcall.abtest.case_sequential import QUANTITIES
from nextcall.locations import shared_dir

CASE: dict[str, object] = {
    "n_c": 1000, "mean_c": 10.0, "var_c": 4.0, "n_t": 1000, "mean_t": 10.2, "var_t": 4.4,
    "tuning": 5000, "alpha": 0.05,
}  # fmt: skip
BOUNDS: dict[str, object] = {"information": [0.5, 1.0], "alpha": 0.05, "rho": 2}


def shared(name: str) -> list[dict[str, Any]]:
    path = shared_dir() / "data/abtest" / name
    if not path.exists():
        pytest.skip(f"the evaluation data is not at {shared_dir()}")
    cases: list[dict[str, Any]] = json.loads(path.read_text())
    return cases


def test_quantities_on_which_peers_agree_are_ours_too() -> None:
    for case in shared("sequential.json"):
        found = QUANTITIES["sequential"](case["input"], Path())
        for name, reference in case["reference"].items():
            # One peer seeks this one by halving, to 1e-4, and never above one half.
            if name == "greater_p_value":
                assert found[name] == pytest.approx(reference["value"], abs=1e-4) or (
                    reference["value"] == 0.4999 and found[name] == 1
                )
                continue
            goal = float(reference["value"])
            assert found[name] == pytest.approx(goal, rel=reference.get("tolerance_rel", 1e-9))


def test_bounds_are_those_that_spotify_finds() -> None:
    for case in shared("group_sequential_bounds_spotify.json"):
        found = QUANTITIES["group_sequential_bounds"](case, Path())
        assert found["z"] == pytest.approx(case["z"], abs=1e-4)


def test_extremes_have_an_answer() -> None:
    find = QUANTITIES["sequential"]
    certain = find({**CASE, "mean_t": 1e3}, Path())
    assert certain["abs_p_value"] == 0
    assert isinstance(certain["abs_log_evalue"], float)
    assert certain["abs_log_evalue"] > 1e5
    far = find({**CASE, "mean_c": 1e12, "mean_t": 1e12 + 0.25}, Path())
    assert far["abs_effect"] == 0.25
    bold = find({**CASE, "alpha": 0.5}, Path())
    assert "greater_effect" not in bold
    constant = find({**CASE, "var_c": 0, "var_t": 0}, Path())
    assert isinstance(constant["abs_p_value"], float)
    assert isnan(constant["abs_p_value"])
    assert constant["abs_ci_low"] == constant["abs_ci_high"] == constant["abs_effect"]
    free = find({**CASE, "mean_c": 0}, Path())
    assert (free["rel_delta_ci_low"], free["rel_delta_ci_high"]) == (-inf, inf)
    assert free["greater_ci_high"] == inf


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("sequential", {"n_c": None}, "n_c must be a finite number, got None."),
        ("sequential", {"n_t": 0}, "n_t must be at least 1, got 0."),
        ("sequential", {"mean_c": inf}, "mean_c must be a finite number, got inf."),
        ("sequential", {"var_t": -1.0}, "var_t must be at least 0, got -1.0."),
        ("sequential", {"tuning": 0}, "tuning must be above 0, got 0."),
        ("sequential", {"alpha": 1}, "alpha must lie between 0 and 1, got 1"),
        ("sequential", {"alpha": True}, "alpha must be a finite number, got True."),
        ("group_sequential_bounds", {"information": "0.5"}, "information must be a list"),
        ("group_sequential_bounds", {"information": [None]}, "information must be a finite"),
        ("group_sequential_bounds", {"rho": 0}, "rho must be above 0, got 0."),
    ],
)
def test_bad_fields_are_named(kind: str, change: dict[str, object], message: str) -> None:
    case = {**(CASE if kind == "sequential" else BOUNDS), **change}
    with pytest.raises(ValueError, match=re.escape(message)):
        QUANTITIES[kind](case, Path())
