"""Plans survive a file, and files that hold none are refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nextcall.abtest.design import Plan, design
from nextcall.abtest.plan_files import load_plan, save_plan
from nextcall.abtest.target import Target, Traffic

_PLANS = {
    "mean": lambda: design(Target(metric="mean", baseline=1.0, sd=2.0, mde=0.1)),
    "share": lambda: design(
        Target(
            metric="proportion",
            baseline=0.3,
            mde=0.0,
            alternative="greater",
            goal="non-inferiority",
            margin=0.02,
            factor=0.7,
        ),
        allocation=(0.5, 0.3, 0.2),
        traffic=Traffic(daily_units=100.0, eligible=0.5, whole_weeks=False),
    ),
    "tiny": lambda: design(
        Target(metric="ratio", baseline=1.0, sd=1.0, mde=1.0), method="always-valid", looks=4
    ),
}


@pytest.mark.parametrize("make", _PLANS.values(), ids=_PLANS)
def test_a_plan_comes_back_as_it_was(make: Callable[[], Plan], tmp_path: Path) -> None:
    path = tmp_path / "new" / "plan.json"
    save_plan(make(), path)
    assert load_plan(path) == make()
    json.loads(path.read_text(), parse_constant=pytest.fail)


def _set(place: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(found: dict[str, Any]) -> None:
        *parents, name = place.split(".")
        for parent in parents:
            found = found[parent]
        found[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_set("extra", 1), "a plan must have the fields"),
        (lambda found: found.pop("n"), "a plan must have the fields"),
        (_set("version", 2), "form and version must be"),
        (_set("form", "other"), "form and version must be"),
        (_set("target", [1]), "target must have the fields"),
        (_set("target.metric", 3), "target.metric must be a name, got 3"),
        (_set("target.metric", "median"), "metric must be one of"),
        (_set("target.sd", "2"), "target.sd must be a finite number, got '2'"),
        (_set("target.mde", True), "target.mde must be a finite number, got True"),
        (_set("alpha", 2), "alpha must lie between 0 and 1, got 2.0"),
        (_set("alpha", float("nan")), "alpha must be a finite number, got nan"),
        (_set("n", [10, 10.5]), r"n\[1\] must be a whole number, got 10.5"),
        (_set("n", [10, True]), r"n\[1\] must be a whole number, got True"),
        (_set("n", 10), "n must be a list, got 10"),
        (_set("correction", ["x"]), "correction must be one of"),
        (_set("looks.information", [0.4]), "information must end with 1"),
        (_set("traffic", {"daily_units": 1, "eligible": 1, "whole_weeks": 1}), "true or false"),
    ],
)
def test_what_is_no_plan_is_refused(
    change: Callable[[dict[str, Any]], None], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "plan.json"
    save_plan(_PLANS["mean"](), path)
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))
    with pytest.raises(ValueError, match=said) as caught:
        load_plan(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("{")
    with pytest.raises(ValueError, match="a plan must be JSON"):
        load_plan(path)
    with pytest.raises(OSError, match="No such file"):
        load_plan(tmp_path / "none.json")
