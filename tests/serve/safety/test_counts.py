"""What the guard counts adds up, and what fails is told without a word of the text."""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

import pytest

from nextcall.serve.safety.counts import Outcome, SafetyCounts

_SECRET = "Zaphod Beeblebrox"  # noqa: S105  # words of a prompt that must appear nowhere


def _error() -> Exception:
    with pytest.raises(RuntimeError) as raised:
        _fail()
    return raised.value


def _fail() -> NoReturn:
    raise RuntimeError(_SECRET)


def test_rates_are_shares_of_all_requests() -> None:
    counts = SafetyCounts()
    assert counts.snapshot().blocked_rate == counts.snapshot().violation_rate == 0
    outcomes: list[Outcome] = ["blocked", "flagged", "flagged", "observed", "passed"]
    for outcome in outcomes:
        counts.count_request(outcome, families=["sqli"] * (outcome != "passed"), pii=["email"])
    told = counts.snapshot()
    assert (told.total, told.blocked, told.flagged, told.observed) == (5, 1, 2, 1)
    assert (told.blocked_rate, told.flagged_rate, told.violation_rate) == (0.2, 0.4, 0.8)
    assert (told.violations, told.pii_found) == ({"sqli": 4}, {"email": 5})


def test_counts_add_up_under_threads() -> None:
    counts = SafetyCounts()

    def count(number: int) -> None:
        counts.count_request(
            "blocked" if number % 2 else "passed", families=["xss", "form"], pii=["card"]
        )
        counts.count_output(blocked=1, filtered=2)
        counts.tell("pii", _error() if number % 4 == 0 else None)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(count, range(4000)))
    told = counts.snapshot()
    assert (told.total, told.blocked) == (4000, 2000)
    assert told.violations == {"xss": 4000, "form": 4000}
    assert told.pii_found == {"card": 4000}
    assert (told.blocked_predictions, told.filtered_predictions) == (4000, 8000)
    assert told.failed_checks == {"pii": 1000}


def test_a_failure_is_logged_when_it_begins_changes_or_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    counts = SafetyCounts()
    with caplog.at_level(logging.DEBUG):
        for error in (_error(), _error(), KeyError(_SECRET), None, None):
            counts.tell("content", error)
    assert [record.getMessage() for record in caplog.records] == [
        caplog.records[0].getMessage(),
        "guard check failed: content, KeyError",
        "guard check works again: content",
    ]
    first = caplog.records[0].getMessage()
    assert first.startswith("guard check failed: content, RuntimeError at test_counts.py:")
    assert _SECRET not in caplog.text
    assert counts.snapshot().failed_checks == {"content": 3}


def test_what_fails_is_told_until_it_works() -> None:
    counts = SafetyCounts()
    counts.tell("output", _error())
    counts.tell("attacks", _error())
    assert counts.snapshot().failing == ("attacks", "output")
    counts.tell("attacks", None)
    assert counts.snapshot().failing == ("output",)
