"""How many sides are left alone is told rightly, whatever a breaker goes through."""

import logging
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.resilience.breaker import BreakerOpenError
from nextcall.resilience.breakers import Breakers
from nextcall.serve.breaker_notes import BreakerNotes
from nextcall.telemetry.families import BREAKER_OPENINGS, BREAKERS_OPEN
from nextcall.telemetry.metrics import open_metrics


@given(st.lists(st.sampled_from(["answers", "fails", "time passes"])))
def test_the_numbers_are_those_of_the_breaker(steps: list[str]) -> None:
    now, notes = [0.0], BreakerNotes()
    breakers = Breakers(failures=2, open_seconds=10.0, listener=notes, clock=lambda: now[0])
    breaker = breakers["side"]

    def ask(step: str) -> None:
        if step == "fails":
            raise ConnectionResetError

    with open_metrics(endpoints=()) as metrics:
        notes.count_in(metrics, ["side"])
        for step in steps:
            if step == "time passes":
                now[0] += 10.0
                continue
            with suppress(ConnectionResetError, BreakerOpenError):
                breaker.call(lambda: ask(step))  # noqa: B023  # called at once
            told = breaker.statistics()
            assert metrics.totals(BREAKERS_OPEN) == {("side",): (float(told.state != "closed"),)}
            assert metrics.totals(BREAKER_OPENINGS) == {("side",): (float(told.opened),)}


def test_a_change_is_a_line_of_the_log_with_or_without_numbers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> None:
        raise ConnectionResetError

    with caplog.at_level(logging.INFO), pytest.raises(ConnectionResetError):
        Breakers(failures=1, listener=BreakerNotes())["side"].call(fail)
    (line,) = caplog.records
    assert (line.message, line.levelname) == ("breaker changed", "WARNING")
    assert {"side": "side", "before": "closed", "after": "open"}.items() <= vars(line).items()
