"""How many sides are left alone is told rightly, whatever a breaker goes through."""

import logging
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.resilience.breaker import BreakerOpenError
from nextcall.resilience.breakers import Breakers
from nextcall.serve.breaker_notes import LATELY, BreakerNotes
from nextcall.telemetry.families import BREAKER_OPENINGS, BREAKERS_OPEN
from nextcall.telemetry.metrics import open_metrics


@given(st.lists(st.sampled_from(["answers", "fails", "time passes"])))
def test_the_numbers_are_those_of_the_breaker(steps: list[str]) -> None:
    now = [0.0]
    notes = BreakerNotes(clock=lambda: now[0])
    breakers = Breakers(failures=2, open_seconds=10.0, listener=notes, clock=lambda: now[0])
    breaker = breakers["side"]

    def ask(step: str) -> None:
        if step == "fails":
            raise ConnectionResetError

    with open_metrics(endpoints=()) as metrics:
        notes.count_in(metrics, breakers)
        for step in steps:
            if step == "time passes":
                now[0] += 10.0
                continue
            with suppress(ConnectionResetError, BreakerOpenError):
                breaker.call(lambda: ask(step))  # noqa: B023  # called at once
            told = breaker.statistics()
            assert metrics.totals(BREAKERS_OPEN) == {("side",): (float(told.state != "closed"),)}
            assert metrics.totals(BREAKER_OPENINGS) == {("side",): (float(told.opened),)}


def fail() -> None:
    raise ConnectionResetError


def test_what_opened_before_the_counting_is_counted() -> None:
    now = [0.0]
    notes = BreakerNotes(clock=lambda: now[0])
    breakers = Breakers(failures=1, open_seconds=10.0, listener=notes, clock=lambda: now[0])
    assert breakers["other"].statistics().opened == 0
    with pytest.raises(ConnectionResetError):
        breakers["side"].call(fail)
    with open_metrics(endpoints=()) as metrics:
        notes.count_in(metrics, breakers)
        assert metrics.totals(BREAKERS_OPEN) == {("other",): (0.0,), ("side",): (1.0,)}
        assert metrics.totals(BREAKER_OPENINGS) == {("other",): (0.0,), ("side",): (1.0,)}
        now[0] = 10.0
        breakers["side"].call(lambda: None)
        assert metrics.totals(BREAKERS_OPEN) == {("other",): (0.0,), ("side",): (0.0,)}
        assert metrics.totals(BREAKER_OPENINGS) == {("other",): (0.0,), ("side",): (1.0,)}


@pytest.mark.parametrize("open_seconds", [1.0, 2 * LATELY])
def test_a_side_that_nobody_asks_again_is_not_down_for_ever(open_seconds: float) -> None:
    now = [0.0]
    notes = BreakerNotes(clock=lambda: now[0])
    breakers = Breakers(failures=1, open_seconds=open_seconds, listener=notes, clock=lambda: now[0])
    with open_metrics(endpoints=()) as metrics:
        notes.count_in(metrics, breakers)
        for _ in range(2):  # a trial that fails counts anew
            with pytest.raises(ConnectionResetError):
                breakers["side"].call(fail)
            over = max(open_seconds, LATELY)
            for after, down in ((0.0, 1.0), (over - 0.5, 1.0), (over, 0.0)):
                begun = now[0]
                now[0] += after
                notes.tell(breakers)
                assert metrics.totals(BREAKERS_OPEN) == {("side",): (down,)}
                now[0] = begun if down else now[0]
        assert metrics.totals(BREAKER_OPENINGS) == {("side",): (2.0,)}


def test_a_change_is_a_line_of_the_log_with_or_without_numbers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO), pytest.raises(ConnectionResetError):
        Breakers(failures=1, listener=BreakerNotes())["side"].call(fail)
    (line,) = caplog.records
    assert (line.message, line.levelname) == ("breaker changed", "WARNING")
    assert {"side": "side", "before": "closed", "after": "open"}.items() <= vars(line).items()
