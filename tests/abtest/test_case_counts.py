import json
from collections.abc import Iterator, Mapping
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from nextcall.abtest.case_counts import QUANTITIES
from nextcall.locations import shared_dir

FOLDER = shared_dir() / "data/abtest"
PROPORTION: Mapping[str, object] = {
    "kind": "proportion", "x_c": 3, "n_c": 40, "x_t": 9, "n_t": 50, "alpha": 0.05,
}  # fmt: skip
NORMAL: Mapping[str, object] = {
    "n_c": 10, "mean_c": 1.0, "var_c": 2.0, "n_t": 10, "mean_t": 1.5, "var_t": 2.0, "alpha": 0.05,
}  # fmt: skip
# statsmodels up to 0.15 has a wrong coefficient in the cubic of the likeliest shares: its score
# interval of a difference is not Miettinen & Nurminen's (statsmodels issue 10269).
DIFFERENT = {"diff_score_low", "diff_score_high"}


def cases() -> Iterator[Any]:
    for kind in QUANTITIES:
        path = FOLDER / f"{kind}.json"
        if path.exists():
            for case in json.loads(path.read_text(encoding="utf-8")):
                yield pytest.param(kind, case, id=f"{kind}-{case['input']['id']}")


@pytest.mark.skipif(not FOLDER.exists(), reason=f"the evaluation data is not at {shared_dir()}")
def test_every_kind_has_cases() -> None:
    assert {case.values[0] for case in cases()} == set(QUANTITIES)


@pytest.mark.parametrize(("kind", "case"), list(cases()))
def test_quantities_are_the_reference_s(kind: str, case: Mapping[str, Any]) -> None:
    found = QUANTITIES[kind](case["input"], FOLDER)
    missing = set(case["reference"]) - set(found)
    assert not {name for name in missing if case["reference"][name]["status"] == "agree"}
    # Intervals by a standard error that holds only where shares are equal.
    assert all(name.startswith("tt_pooled_rel_effect_size_ci") for name in missing)
    for name in set(case["reference"]) - missing - DIFFERENT:
        reference = case["reference"][name]
        near = reference.get("tolerance_rel") or 1e-9
        assert found[name] == pytest.approx(reference["value"], rel=near, abs=1e-9), name


@pytest.mark.parametrize(
    ("kind", "case"),
    [
        ("proportion", {"x_c": 0, "n_c": 40, "x_t": 0, "n_t": 50, "alpha": 0.001}),
        ("proportion", {"x_c": 0, "n_c": 1, "x_t": 1, "n_t": 1, "alpha": 0.5}),
        ("proportion", {"x_c": 40, "n_c": 40, "x_t": 50, "n_t": 50, "alpha": 0.05}),
        ("proportion", {"x_c": 5, "n_c": 10, "x_t": 10, "n_t": 10_000, "alpha": 0.05}),
        ("proportion", {"x_c": 10**6, "n_c": 10**7, "x_t": 0, "n_t": 10**7, "alpha": 0.05}),
        ("proportion", {"x_c": 10**8, "n_c": 10**9, "x_t": 10**8 + 9, "n_t": 10**9, "alpha": 0.05}),
        ("proportion", {"x_c": 10**14, "n_c": 10**15, "x_t": 10**14, "n_t": 10**15, "alpha": 0.05}),
        ("srm", {"observed": [10**9, 10**6], "weights": [0.999, 0.001]}),
        ("srm", {"observed": [0, 0], "weights": [0.5, 0.5]}),
        ("bayes_beta", {**PROPORTION, "x_c": 0, "x_t": 0, "prior_a": 0.5, "prior_b": 0.5}),
        ("bayes_normal", {**NORMAL, "mean_c": 1e12, "mean_t": 1e12 + 1, "prior": [0.0, 0.1]}),
        ("bayes_normal", {**NORMAL, "mean_c": 0, "var_c": 0}),
        ("multiplicity", {"p": [1e-310, 0.0, 1.0, 0.5, 0.5], "alpha": 0.5}),
        ("multiplicity", {"p": [], "alpha": 0.5}),
    ],
)
def test_extreme_cases_have_answers(kind: str, case: Mapping[str, object]) -> None:
    found = QUANTITIES[kind](case, Path())
    assert found
    for name, value in found.items():
        assert isinstance(value, float | int | list), name


@pytest.mark.parametrize(
    ("kind", "case", "message"),
    [
        ("proportion", {**PROPORTION, "x_c": nan}, "x_c must be a finite number, got nan"),
        ("proportion", {**PROPORTION, "n_t": inf}, "n_t must be a finite number, got inf"),
        ("proportion", {**PROPORTION, "x_c": 1.5}, r"x_c must be a whole number, got 1\.5"),
        ("proportion", {**PROPORTION, "x_c": -1}, "x_c must be at least 0, got -1"),
        ("proportion", {**PROPORTION, "x_t": 51}, "x_t must be at most n_t=50, got 51"),
        ("proportion", {**PROPORTION, "n_c": 0}, "n_c must be at least 1, got 0"),
        ("proportion", {**PROPORTION, "n_c": True}, "n_c must be a finite number, got True"),
        ("proportion", {**PROPORTION, "alpha": 2}, "alpha must lie between 0 and 1, got 2"),
        ("proportion", {"alpha": 0.05}, "n_c must be a finite number, got None"),
        ("srm", {"observed": 5, "weights": [1]}, "observed must be a list of numbers, got 5"),
        ("srm", {"observed": [1, nan], "weights": [1, 1]}, "observed must be a finite number"),
        ("bayes_normal", {**NORMAL, "var_c": -1.0}, r"var_c must be at least 0, got -1"),
        ("bayes_normal", {**NORMAL, "mean_t": "x"}, "mean_t must be a finite number, got 'x'"),
        ("bayes_normal", {**NORMAL, "prior": [0.0]}, "prior must be a mean and a standard"),
        ("multiplicity", {"p": "0.5", "alpha": 0.1}, "p must be a list of numbers"),
    ],
)
def test_bad_fields_are_named(kind: str, case: Mapping[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        QUANTITIES[kind](case, Path())
