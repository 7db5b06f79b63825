"""The quantities of means and ratios are those of other tools."""

import json
from math import isnan
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nextcall.abtest.case import kinds, quantities
from nextcall.abtest.case_means import QUANTITIES
from nextcall.locations import shared_dir

# Decided otherwise than a peer, and why, in docs/abtest/means.md.
OTHERWISE = {
    "cuped": {"rel_delta", "var_reduction"},
    "ratio_cuped": {
        "rel_",
        "abs_effect",
        "abs_ci",
        "abs_p_value",
        "abs_statistic",
        "control",
        "treatment",
    },
}


def cases(kind: str) -> tuple[Path, list[dict[str, Any]]]:
    folder = shared_dir() / "data" / "abtest"
    if not folder.is_dir():
        pytest.skip("the shared cases are not here")
    return folder, json.loads((folder / f"{kind}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", QUANTITIES)
def test_quantities_are_those_of_other_tools(kind: str) -> None:
    folder, listed = cases(kind)
    for case in listed:
        found, seen = quantities(case["input"], folder), 0
        for name, reference in case["reference"].items():
            if name not in found:
                assert reference["status"] == "single_peer"
                continue
            agreed = reference["status"] == "agree"
            if not agreed and any(name.startswith(each) for each in OTHERWISE.get(kind, ())):
                continue
            if reference["status"] == "differ":  # of a small-sample factor of one peer
                assert found[name] == pytest.approx(reference["value"], rel=1e-2)
                continue
            allowed = max(reference.get("tolerance_rel") or 0, 1e-8)
            assert found[name] == pytest.approx(reference["value"], rel=allowed), name
            seen += 1
        assert seen >= (0 if kind == "ratio_cuped" else 10)


def written(tmp_path: Path, control: list[Any], treatment: list[Any]) -> dict[str, Any]:
    variant = ["control"] * len(control) + ["treatment"] * len(treatment)
    pd.DataFrame({"variant": variant, "y": [*control, *treatment]}).to_csv(
        tmp_path / "rows.csv", index=False
    )
    return {"kind": "mean", "file": "rows.csv"}


def test_an_offset_changes_no_difference(tmp_path: Path) -> None:
    one, other = [1.0, 2.5, 4.0, 3.0], [2.0, 4.5, 5.0]
    plain = quantities(written(tmp_path, one, other), tmp_path)
    for offset in (1e8, -(2.0**40)):  # the values keep their digits there
        rows = written(tmp_path, [x + offset for x in one], [x + offset for x in other])
        found = quantities(rows, tmp_path)
        for name in ("abs_effect", "abs_se", "abs_p_value", "dof", "pooled_p_value"):
            assert found[name] == pytest.approx(plain[name], rel=1e-12)


def test_poor_cases_have_answers(tmp_path: Path) -> None:
    constant = quantities(written(tmp_path, [1, 1, 1], [1, 2, 3]), tmp_path)
    assert constant["dof"] == pytest.approx(2)
    single = quantities(written(tmp_path, [1], [1, 2, 3]), tmp_path)
    assert isnan(float(str(single["abs_p_value"])))
    equal = quantities(written(tmp_path, [2, 2], [2, 2]), tmp_path)
    assert (equal["abs_effect"], equal["abs_ci_low"]) == (0.0, 0.0)
    negative = quantities(written(tmp_path, [-1, -2], [1, 2]), tmp_path)
    assert isnan(float(str(negative["rel_log_ci_low"])))
    huge = quantities(written(tmp_path, [1e-150, 3e-150], [1e149, 3e149]), tmp_path)
    assert float(str(huge["rel_log_ci_high"])) > 1e298


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "magic"}, "kind must be one of .*, got 'magic'"),
        ({"alpha": 1.5}, r"alpha must lie between 0 and 1, got 1\.5"),
        ({"alpha": "x"}, "alpha must be a finite number, got 'x'"),
        ({"file": 7}, "file must name a CSV file, got 7"),
        ({"kind": "ratio"}, "rows.csv must have a column 'numer'"),
        ({"alternative": "greater"}, "alternative is not asked of kind 'mean', got 'greater'"),
        ({"margin": -1.0}, r"margin is not asked of kind 'mean', got -1\.0"),
    ],
)
def test_cases_that_cannot_be_are_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    case = written(tmp_path, [1, 2], [3, 4])
    with pytest.raises(ValueError, match=message):
        quantities({**case, **change}, tmp_path)


def test_files_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"rows.csv, line 3, column y: must be .*, got 'many'"):
        quantities(written(tmp_path, [1, "many"], [3, 4]), tmp_path)
    rows = written(tmp_path, [1, 2], [3, 4])
    path = tmp_path / "rows.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("treatment", "B"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"variant must be 'control' or 'treatment', got .'B'."):
        quantities(rows, tmp_path)


def test_every_shared_kind_is_known() -> None:
    folder, listed = cases("cases")
    assert folder.is_dir()
    missing = {case["kind"] for case in listed} - set(kinds())
    assert not missing


def test_rows_that_lack_a_value_are_left_out(tmp_path: Path) -> None:
    whole = written(tmp_path, [1.0, 2.5, 4.0], [2.0, 4.5])
    expected = quantities({**whole, "id": "whole", "prior": None}, tmp_path)
    lacking = written(tmp_path, [1.0, None, 2.5, 4.0], [2.0, 4.5, None])
    assert quantities(lacking, tmp_path) == expected


def test_a_level_that_is_not_given_is_that_of_a_twentieth() -> None:
    arms = {"n_c": 9, "mean_c": 1.0, "var_c": 2.0, "n_t": 8, "mean_t": 1.5, "var_t": 2.5}
    counts = {"x_c": 3, "n_c": 9, "x_t": 4, "n_t": 8, "prior_a": 1, "prior_b": 1}
    for case in (
        {"kind": "noninferiority", "margin": -1.0, **arms},
        {"kind": "bayes_normal", **arms},
        {"kind": "sequential", "tuning": 100, **arms},
        {"kind": "bayes_beta", **counts},
        {"kind": "multiplicity", "p": [0.01, 0.04]},
        {"kind": "power", "metric": "mean", "sd": 3, "mde_abs": 1, "power": 0.8, "ratio": 1},
        {"kind": "group_sequential_bounds", "information": [0.5, 1.0], "rho": 2},
    ):
        given = quantities({**case, "alpha": 0.05}, Path())
        assert str(quantities(case, Path())) == str(given)  # nan is not equal to itself
