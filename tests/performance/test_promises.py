"""Promises held against parts: by hand, and by the judge of a window."""

import pytest

from nextcall.performance.figures import Figures, Samples
from nextcall.performance.promises import judged_parts
from nextcall.telemetry.service_level import ServiceLevelTargets


def figures(milliseconds: float, *, n: int = 20, errors: int = 0) -> Figures:
    return Figures.of(Samples(seconds=[milliseconds / 1000] * n, errors=errors, elapsed=1.0))


def test_each_part_has_the_promises_of_its_kind() -> None:
    names = ("guard", "vector", "candidates", "ranking", "prediction", "kept")
    parts = dict.fromkeys((*names, "users_new", "users_same"), figures(60))
    found = judged_parts(parts, ServiceLevelTargets(), memory_bytes=4e8)
    told = {(each.part, each.target.name): each.target for each in found}
    of_all = {"prediction_p50", "prediction_p95", "error_rate", "deadline"}
    expected = {
        (part, name) for part in ("prediction", "users_new", "users_same") for name in of_all
    }
    expected |= {(part, "cache_hit_p95") for part in ("kept", "users_same")}
    expected |= {("ranking", "ranking_p95"), ("service", "memory")}
    assert set(told) == expected
    assert told["ranking", "ranking_p95"].room == pytest.approx(0.04)
    assert told["kept", "cache_hit_p95"].status == "missed"
    assert told["users_same", "cache_hit_p95"].status == "missed"
    assert told["kept", "cache_hit_p95"].room_share == pytest.approx(-0.2)
    assert told["service", "memory"].room_share == pytest.approx(0.6)


def test_errors_are_held_against_the_promise() -> None:
    found = judged_parts(
        {"prediction": figures(1, errors=1)}, ServiceLevelTargets(), memory_bytes=None
    )
    (target,) = (each.target for each in found if each.target.name == "error_rate")
    assert target.status == "missed"
    assert target.value == pytest.approx(1 / 21)


def test_of_few_calls_nothing_is_said() -> None:
    found = judged_parts({"kept": figures(1000, n=19)}, ServiceLevelTargets(), memory_bytes=None)
    assert [each.target.status for each in found] == ["unknown"]
