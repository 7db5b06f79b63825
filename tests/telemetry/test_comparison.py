"""Results of benchmarks compared, with intervals held against scipy's bootstrap."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import bootstrap

from nextcall.telemetry.comparison import (
    BenchmarkComparison,
    NumberChange,
    better_way,
    compare_results,
    read_result,
)


def compared(
    before: dict[str, list[float]], after: dict[str, list[float]], **options: Any
) -> BenchmarkComparison:
    first, second = (
        {name: np.array(each) for name, each in one.items()} for one in (before, after)
    )
    return compare_results(first, second, rng=np.random.default_rng(0), **options)


def change(name: str, before: list[float], after: list[float], **options: Any) -> NumberChange:
    (found,) = compared({name: before}, {name: after}, **options).changes
    return found


def read(tmp_path: Path, content: str) -> dict[str, list[float]]:
    path = tmp_path / "result.json"
    path.write_text(content)
    return {name: values.tolist() for name, values in read_result(path).items()}


def test_numbers_are_found_however_they_are_nested(tmp_path: Path) -> None:
    content = {
        "benchmark": "any",
        "done": True,
        "ms": {"cold": 2.5, "warm": [1, 2.0, 3]},
        "rows": [{"mb": 1}, {"mb": 2}, "text", [4, [5]]],
        "none": None,
        "empty": [],
    }
    assert read(tmp_path, json.dumps(content)) == {
        "ms.cold": [2.5],
        "ms.warm": [1.0, 2.0, 3.0],
        "rows[0].mb": [1.0],
        "rows[1].mb": [2.0],
        "rows[3][0]": [4.0],
        "rows[3][1]": [5.0],
    }


def test_samples_stand_for_the_numbers_of_their_names(tmp_path: Path) -> None:
    content = {
        "ms": {"cold": 2.5, "warm": 1},
        "rounds": 3,
        "samples": {"ms": {"cold": [2, 2.5, 3], "hot": [1]}},
    }
    assert read(tmp_path, json.dumps(content)) == {
        "ms.cold": [2.0, 2.5, 3.0],
        "ms.warm": [1.0],
        "rounds": [3.0],
        "ms.hot": [1.0],
    }


def test_what_is_not_finite_is_no_number(tmp_path: Path) -> None:
    assert read(tmp_path, '{"a": NaN, "b": [Infinity, 1], "c": [NaN], "d": 1e999}') == {"b": [1.0]}


@pytest.mark.parametrize("content", ["", "{", "[[" * 100_000, '{"a": "1"}', "true", "[]"])
def test_what_is_no_result_is_refused(content: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"result\.json must (be JSON|have numbers), got"):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("rps", "up"),
        ("predict.p95_ms", "down"),
        ("microseconds.limits, moving window", "down"),
        ("memory.rss_mb", "down"),
        ("rps.memory", "up"),
        ("requests_per_second", "up"),
        ("errors_per_second", "down"),
        ("requests_a_second.whole", "up"),
        ("a_second.capacity", "up"),
        ("variants.a.ms", "down"),
        ("errors a second", "down"),
        ("cpu_seconds_a_request.whole", "down"),
        ("seconds per row", "down"),
        ("cpu_us[3]", "down"),
        ("ndcg@5", "up"),
        ("ratios.ms / ms", None),
        ("rounds", None),
        ("variants.b", None),
        ("per", None),
    ],
)
def test_names_say_which_way_is_better(name: str, way: str | None) -> None:
    assert better_way(name) == way


@pytest.mark.parametrize(
    ("name", "before", "after", "outcome"),
    [
        ("ms", 10, 11, "same"),
        ("ms", 10, 11.1, "worse"),
        ("ms", 10, 9.0, "better"),
        ("ms", 10, 9.1, "same"),
        ("rps", 10, 9.0, "worse"),
        ("rps", 10, 9.1, "same"),
        ("rps", 10, 11.1, "better"),
        ("rounds", 10, 100, "untold"),
        ("rounds", 10, 10, "same"),
        ("errors", 0, 0, "same"),
        ("errors", 0, 1, "worse"),
        ("errors", 1, 0, "better"),
        ("ms", -1, 1, "untold"),
    ],
)
def test_a_change_counts_beyond_the_threshold(
    name: str, before: float, after: float, outcome: str
) -> None:
    assert change(name, [before], [after]).outcome == outcome


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.sampled_from(["ms", "rps"]))
def test_who_turns_the_files_around_turns_the_outcome_around(
    before: float, after: float, name: str
) -> None:
    turned = {"worse": "better", "better": "worse", "same": "same"}
    forth, back = change(name, [before], [after]), change(name, [after], [before])
    assert forth.ratio == pytest.approx(1 / back.ratio)
    assert turned[forth.outcome] == back.outcome


def test_intervals_are_those_of_scipy() -> None:
    rng = np.random.default_rng(5)
    before, after = rng.lognormal(0, 0.3, 40), rng.lognormal(0.2, 0.3, 60)
    found = change("ms", before.tolist(), after.tolist(), resamples=20_000, confidence=0.9)

    def ratio(
        first: NDArray[np.float64], second: NDArray[np.float64], axis: int
    ) -> NDArray[np.float64]:
        quotient: NDArray[np.float64] = np.median(second, axis=axis) / np.median(first, axis=axis)
        return quotient

    peer = bootstrap(
        (before, after),
        ratio,
        n_resamples=20_000,
        confidence_level=0.9,
        method="percentile",
        rng=np.random.default_rng(6),
    ).confidence_interval
    assert found.ratio == np.median(after) / np.median(before)
    assert (found.ci_lower, found.ci_upper) == pytest.approx((peer.low, peer.high), rel=0.01)


def test_noise_is_no_regression_and_a_shift_is_one() -> None:
    rng = np.random.default_rng(7)
    noisy = rng.lognormal(0, 2, (2, 12))
    noisy[1] *= 1.3 * np.median(noisy[0]) / np.median(noisy[1])
    seen = change("ms", noisy[0].tolist(), noisy[1].tolist())
    assert seen.ratio == pytest.approx(1.3)
    assert seen.ci_lower < 1 < seen.ci_upper
    assert seen.outcome == "same"
    steady = rng.lognormal(0, 0.02, (2, 12))
    assert change("ms", steady[0].tolist(), (steady[1] * 1.3).tolist()).outcome == "worse"
    assert change("rps", steady[0].tolist(), (steady[1] * 1.3).tolist()).outcome == "better"


@pytest.mark.parametrize(("size", "has"), [(4, False), (5, True), (600_000, True)])
def test_few_samples_have_no_interval(size: int, *, has: bool) -> None:
    values = np.linspace(1, 2, size).tolist()
    assert math.isnan(change("ms", values, values, resamples=3).ci_lower) != has
    assert math.isnan(change("ms", [-value for value in values], values, resamples=3).ci_upper)


def test_names_of_one_result_alone_are_told() -> None:
    found = compared({"ms": [1.0], "old": [1.0]}, {"new": [1.0], "ms": [1.0]})
    assert (found.only_before, found.only_after) == (("old",), ("new",))
    assert [each.name for each in found.changes] == ["ms"]
    assert found.regressions == ()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"threshold": 0.0}, r"threshold must be above 0, got 0\.0"),
        ({"threshold": math.nan}, "threshold must be above 0, got nan"),
        ({"confidence": 1.0}, r"confidence must be between 0 and 1, got 1\.0"),
        ({"resamples": 0}, "resamples must be at least 1, got 0"),
    ],
)
def test_options_have_their_rules(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=f"^{told}"):
        compared({"ms": [1.0]}, {"ms": [1.0]}, **options)


def test_results_of_different_benchmarks_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match=r"^the results must have a number of the same name"):
        compared({"ms": [1.0]}, {"us": [1.0]})
