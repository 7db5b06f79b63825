"""Limits fall under load and with failures, and come back by themselves."""

import pytest

from nextcall.access.load_factor import LoadFactor


@pytest.fixture
def now() -> list[float]:
    return [100.0]


@pytest.fixture
def load(now: list[float]) -> LoadFactor:
    return LoadFactor(clock=lambda: now[0])


@pytest.mark.parametrize(
    ("reading", "expected"),
    [(0.0, 1.0), (0.75, 1.0), (0.76, 0.75), (0.9, 0.75), (0.91, 0.5), (7.0, 0.5)],
)
def test_it_falls_above_its_thresholds(load: LoadFactor, reading: float, expected: float) -> None:
    load.observe_load(reading)
    assert load.factor("/predict") == expected


def test_a_reading_is_soon_too_old(load: LoadFactor, now: list[float]) -> None:
    load.observe_load(0.95)
    now[0] += 29.9
    assert load.factor("/predict") == 0.5
    now[0] += 0.1
    assert load.factor("/predict") == 1.0


def test_it_follows_a_load_that_rises_and_falls(load: LoadFactor, now: list[float]) -> None:
    found = []
    for reading in (0.5, 0.8, 0.95, 0.99, 0.8, 0.7, 0.5):
        load.observe_load(reading)
        now[0] += 5
        found.append(load.factor("/predict"))
    assert found == [1.0, 0.75, 0.5, 0.5, 0.75, 1.0, 1.0]


@pytest.mark.parametrize(("every", "expected"), [(1, 0.5), (2, 0.5), (4, 0.75), (10, 1.0)])
def test_an_endpoint_that_fails_is_stricter(load: LoadFactor, every: int, expected: float) -> None:
    for request in range(100):
        load.observe_request("/train", failed=request % every == 0)
        load.observe_request("/predict", failed=False)
    assert load.factor("/train") == expected
    assert load.factor("/predict") == 1.0
    load.observe_load(0.95)
    assert load.factor("/train") == 0.5 * expected


def test_few_failures_say_nothing(load: LoadFactor) -> None:
    for _ in range(19):
        load.observe_request("/train", failed=True)
    assert load.factor("/train") == 1.0


def test_it_recovers_when_nobody_asks_and_when_requests_succeed(
    load: LoadFactor, now: list[float]
) -> None:
    for _ in range(40):
        load.observe_request("/train", failed=True)
        load.observe_request("/predict", failed=True)
    now[0] += 61
    assert load.factor("/train") == 1.0  # too few are left to tell
    while load.factor("/predict") < 1:
        load.observe_request("/predict", failed=False)
        now[0] += 0.5
        assert now[0] < 400
    now[0] += 2000
    load.observe_request("/predict", failed=False)  # forgotten
    load.observe_request("/train", failed=False)
    assert not load._endpoints


def test_what_makes_no_sense_is_refused(load: LoadFactor) -> None:
    for reading in (-0.1, float("nan")):
        with pytest.raises(ValueError, match=r"^load must be at least 0, got"):
            load.observe_load(reading)
    with pytest.raises(ValueError, match=r"^stale_seconds must be above 0, got 0\.$"):
        LoadFactor(stale_seconds=0)
