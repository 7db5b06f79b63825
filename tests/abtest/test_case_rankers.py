import json
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nextcall.abtest.case_rankers import QUANTITIES
from nextcall.locations import shared_dir

NAMES = ["action", "reward", "pscore", "pi_e_0", "pi_e_1", "q_hat_0", "q_hat_1"]


@pytest.mark.parametrize("kind", sorted(QUANTITIES))
def test_every_quantity_of_the_shared_cases_is_given_within_its_tolerance(kind: str) -> None:
    folder = shared_dir() / "data/abtest"
    if not folder.exists():
        pytest.skip(f"the evaluation data is not at {shared_dir()}")
    for case in json.loads((folder / f"{kind}.json").read_text(encoding="utf-8")):
        found = QUANTITIES[kind](case["input"], folder)
        for name, reference in case["reference"].items():
            tolerance = reference.get("tolerance_rel") or 1e-9
            assert found[name] == pytest.approx(reference["value"], rel=tolerance), name


def write(folder: Path, **columns: list[Any]) -> dict[str, object]:
    rows = {
        "action": [0, 1],
        "reward": [1.0, 0.0],
        "pscore": [0.5, 0.5],
        "pi_e_0": [0.5, 0.5],
        "pi_e_1": [0.5, 0.5],
        "q_hat_0": [0.5, 0.5],
        "q_hat_1": [0.5, 0.5],
    }
    pd.DataFrame(rows | columns).to_csv(folder / "log.csv", index=False)
    return {"kind": "ope", "file": "log.csv", "n_actions": 2}


def test_a_log_of_the_same_policy_gives_the_mean_reward(tmp_path: Path) -> None:
    found = QUANTITIES["ope"](write(tmp_path), tmp_path)
    assert found["ips"] == found["snips"] == 0.5
    assert found["ess"] == 2.0


@pytest.mark.parametrize("column", NAMES)
@pytest.mark.parametrize("value", [np.nan, np.inf, "x"])
def test_a_column_that_is_not_of_finite_numbers_is_named(
    tmp_path: Path, column: str, value: object
) -> None:
    case = write(tmp_path, **{column: [value, value]})
    with pytest.raises(ValueError, match=f"file must hold finite numbers in column {column}"):
        QUANTITIES["ope"](case, tmp_path)


@pytest.mark.parametrize("value", [0.0, -0.1, 1.1])
def test_a_propensity_that_is_no_chance_is_refused_by_its_column(
    tmp_path: Path, value: float
) -> None:
    with pytest.raises(ValueError, match="above 0, up to 1, in column pscore"):
        QUANTITIES["ope"](write(tmp_path, pscore=[value, 0.5]), tmp_path)


def test_a_case_that_lacks_something_is_refused(tmp_path: Path) -> None:
    case = write(tmp_path)
    with pytest.raises(ValueError, match="file must name a CSV file, got None"):
        QUANTITIES["ope"]({"n_actions": 2}, tmp_path)
    with pytest.raises(ValueError, match="file must have a column pi_e_2"):
        QUANTITIES["ope"](case | {"n_actions": 3}, tmp_path)
    with pytest.raises(ValueError, match="wins_a must be a finite number, got None"):
        QUANTITIES["interleaving"]({"wins_b": 1}, tmp_path)
    for wrong in ("1", True, None):
        with pytest.raises(ValueError, match="wins_a must be a finite number"):
            QUANTITIES["interleaving"]({"wins_a": wrong, "wins_b": 1, "ties": 0}, tmp_path)
    rules = {-1: "at least 0", 0.5: "a whole number", nan: "a finite number", inf: "a finite"}
    for number, rule in rules.items():
        with pytest.raises(ValueError, match=f"ties must be {rule}"):
            QUANTITIES["interleaving"]({"wins_a": 1, "wins_b": 1, "ties": number}, tmp_path)
    with pytest.raises(ValueError, match="alpha must lie between 0 and 1"):
        QUANTITIES["interleaving"]({"wins_a": 1, "wins_b": 1, "ties": 0, "alpha": 1.5}, tmp_path)


def test_counts_at_the_edge_have_an_answer(tmp_path: Path) -> None:
    none = QUANTITIES["interleaving"]({"wins_a": 0, "wins_b": 0, "ties": 5}, tmp_path)
    assert none == {"sign_p_value": 1.0, "delta_ab": 0.0}
    clear = QUANTITIES["interleaving"]({"wins_a": 0, "wins_b": 900, "ties": 0}, tmp_path)
    assert clear["sign_p_value"] == pytest.approx(2.0**-899, rel=1e-9)
