"""The shared cases of quantiles and clusters, and cases that files make hard."""

import json
from collections.abc import Mapping
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nextcall.abtest.case import quantities
from nextcall.abtest.case_quantiles import QUANTITIES, cluster_quantities, quantile_quantities
from nextcall.locations import shared_dir


def shared_cases(kind: str) -> list[Mapping[str, Any]]:
    """Read the cases of a kind; skip where they are not there."""
    path = shared_dir() / "data" / "abtest" / f"{kind}.json"
    if not path.is_file():
        pytest.skip(f"the shared cases of other tools are not at {path}")
    cases: list[Mapping[str, Any]] = json.loads(path.read_text())
    return cases


@pytest.mark.parametrize("kind", QUANTITIES)
def test_what_other_tools_agree_on_is_what_we_give(kind: str) -> None:
    for case in shared_cases(kind):
        found = QUANTITIES[kind](case["input"], shared_dir() / "data" / "abtest")
        for name, reference in case["reference"].items():
            if reference["status"] == "agree":
                close = reference["tolerance_rel"]
                assert found[name] == pytest.approx(reference["value"], rel=close, abs=1e-9), name
            if reference["status"] == "agree_mc":  # 5,000 and 10,000 resamples
                values = [value for _, value in reference["values"]]
                room = 0.05 * found["boot_se"]  # type: ignore[operator]
                assert min(values) - room < found[name] < max(values) + room, name
            if reference["status"] == "single_peer" and reference["peers"] == ["gbstats-main"]:
                assert found[name] == pytest.approx(reference["value"], rel=1e-6), name


def test_each_row_may_be_a_cluster(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "cluster": list("abcdef"),
            "variant": ["control"] * 3 + ["treatment"] * 3,
            "y": [1.0, 2.0, 4.0, 3.0, 3.5, 7.0],
        }
    )
    frame.to_csv(tmp_path / "rows.csv", index=False)
    found = cluster_quantities({"file": "rows.csv"}, tmp_path)
    assert found["cr2_se"] == pytest.approx(found["naive_se"])
    assert found["df"] == 5


def test_a_cluster_may_be_in_both_arms(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"cluster": [1, 1, 2, 2, 3, 3], "variant": ["control", "treatment"] * 3, "y": range(6)}
    )
    frame.to_csv(tmp_path / "rows.csv", index=False)
    found = cluster_quantities({"file": "rows.csv", "alpha": 0.1}, tmp_path)
    assert found["abs_effect"] == 1.0
    assert found["cr2_se"] == 0.0
    assert isnan(found["delta_se"])  # type: ignore[arg-type]


def test_what_cannot_be_is_refused_by_its_name(tmp_path: Path) -> None:
    frame = pd.DataFrame({"variant": ["control", "treatment"], "y": [1.0, 2.0]})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    with pytest.raises(ValueError, match="q must lie between 0 and 1, got 1"):
        quantile_quantities({"file": "rows.csv", "q": 1.0}, tmp_path)
    with pytest.raises(ValueError, match="must have a column 'cluster'"):
        cluster_quantities({"file": "rows.csv"}, tmp_path)
    found = quantile_quantities({"file": "rows.csv", "q": 0.5}, tmp_path)
    assert found["abs_effect"] == 1.0
    assert isnan(found["abs_se"])  # type: ignore[arg-type]


def test_rows_that_lack_a_value_are_left_out(tmp_path: Path) -> None:
    rows = pd.DataFrame(
        {"cluster": list("aabbccdd"), "variant": ["control", "treatment"] * 4, "y": range(8)}
    )
    rows["variant"] = np.repeat(["control", "treatment"], 4)
    rows.to_csv(tmp_path / "whole.csv", index=False)
    more = pd.DataFrame({"cluster": ["e"], "variant": ["control"], "y": [np.nan]})
    pd.concat([rows, more]).to_csv(tmp_path / "lacking.csv", index=False)
    whole, lacking = (
        quantities({"kind": "cluster", "file": f"{name}.csv"}, tmp_path)
        for name in ("whole", "lacking")
    )
    assert lacking == pytest.approx(whole, nan_ok=True)


def test_the_error_of_a_quantile_is_the_same_at_every_level(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    variant = np.repeat(["control", "treatment"], 200)
    pd.DataFrame({"variant": variant, "y": rng.gamma(2.0, size=400)}).to_csv(
        tmp_path / "rows.csv", index=False
    )
    case = {"kind": "quantile", "q": 0.8, "file": "rows.csv"}
    found = [quantities({**case, "alpha": alpha}, tmp_path) for alpha in (0.05, 0.001, 0.5)]
    assert len({each["abs_se"] for each in found}) == 1
    assert len({each["abs_p_value"] for each in found}) == 1
