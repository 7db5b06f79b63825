"""Jobs are done at their times, and one that fails keeps no other back."""

import threading

import pytest

from nextcall.serve.process.upkeep import ProcessLoad, Upkeep


def test_jobs_are_done_again_and_again_and_a_failure_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    often, once = threading.Semaphore(0), list[int]()

    def fail() -> None:
        often.release()
        raise OSError("away")

    with Upkeep([(0.001, fail), (3600.0, lambda: once.append(1))]):
        for _ in range(5):
            assert often.acquire(timeout=60)
    assert once == [1]
    assert "upkeep failed" in caplog.text
    assert "away" in caplog.text
    assert not any(each.name == "upkeep" for each in threading.enumerate())


def test_what_is_done_once_a_day_is_tried_again_soon_where_it_failed() -> None:
    tried, done = list[int](), threading.Event()

    def fail_at_first() -> None:
        tried.append(1)
        if len(tried) < 3:
            raise OSError("away")
        done.set()

    with Upkeep([(86_400.0, fail_at_first)], again=0.001):
        assert done.wait(60)
    assert len(tried) == 3


def test_without_jobs_there_is_nothing_to_do() -> None:
    with Upkeep([]):
        pass


def test_a_period_must_be_above_0() -> None:
    with pytest.raises(ValueError, match="periods above 0, got 0"):
        Upkeep([(0, print)])


def test_the_load_is_what_was_computed_of_what_passed() -> None:
    clocks = iter([(0.0, 0.0), (0.5, 0.5), (10.0, 5.0), (20.0, 25.0), (20.5, 25.0), (22.0, 25.0)])
    load = ProcessLoad(lambda: next(clocks))
    assert [load() for _ in range(5)] == [0.0, 0.5, 2.0, 2.0, 0.0]
    assert ProcessLoad()() == 0.0
