"""What a server says of when to ask again is read as RFC 9110 writes it."""

import math
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.resilience.retry_after import header_of, retry_after

NOW = datetime(1999, 12, 31, 23, 58, 59, tzinfo=UTC)


def refused(**headers: str) -> httpx.HTTPStatusError:
    answer = httpx.Response(429, headers={k.replace("_", "-"): v for k, v in headers.items()})
    request = httpx.Request("GET", "http://a.example")
    return httpx.HTTPStatusError("asked too often", request=request, response=answer)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120.0),  # as in the RFC
        ("Fri, 31 Dec 1999 23:59:59 GMT", 60.0),  # as in the RFC
        ("Friday, 31-Dec-99 23:59:59 GMT", 60.0),  # the older forms of section 5.6.7
        ("Fri Dec 31 23:59:59 1999", 60.0),
        ("Fri, 31 Dec 1999 23:58:00 GMT", 0.0),  # it has passed
        ("0", 0.0),
        ("1.5", 1.5),
        (" 7 ", 7.0),
        (400 * "9", 1e9),
        ("-1", None),
        ("soon", None),
        ("", None),
        ("1e3", None),
        ("٣", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
    ],
)
def test_seconds_and_dates_are_read(said: str, seconds: float | None) -> None:
    if said.isascii():
        assert retry_after(refused(Retry_After=said), now=NOW) == seconds
    else:
        assert retry_after(Carrying({"Retry-After": said}), now=NOW) == seconds


class Carrying(Exception):  # noqa: N818  # it carries what is given
    """As errors of other clients: a response with headers of any kind."""

    def __init__(self, headers: object) -> None:
        self.response = type("Response", (), {"headers": headers})()


def test_the_date_of_the_answer_is_the_clock_where_it_has_one() -> None:
    error = refused(
        Retry_After="Fri, 31 Dec 1999 23:59:59 GMT", Date="Fri, 31 Dec 1999 23:59:29 GMT"
    )
    assert retry_after(error, now=NOW) == 30.0
    assert retry_after(error) == 30.0


def test_without_any_other_the_clock_of_the_machine_counts() -> None:
    said = format_datetime(datetime.fromtimestamp(time.time() + 3600, UTC), usegmt=True)
    assert retry_after(refused(Retry_After=said)) == pytest.approx(3600, abs=60)


@given(st.integers(0, 10**8))
def test_a_date_says_what_seconds_say(seconds: int) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    by_date = retry_after(refused(Retry_After=date), now=NOW)
    assert by_date == retry_after(refused(Retry_After=str(seconds))) == seconds


@given(st.text(st.characters(codec="latin-1")) | st.from_regex(r"\w{3}, \d+ \w{3} \d+ [\d:]+ .*"))
def test_no_text_is_too_strange(said: str) -> None:
    found = retry_after(Carrying({"retry-after": said}), now=NOW)
    assert found is None or 0 <= found < math.inf


def test_names_of_headers_have_no_case() -> None:
    for name in ("Retry-After", "retry-after", "RETRY-AFTER"):
        assert retry_after(Carrying({name: "5"})) == 5.0
    assert header_of(Carrying({"Date": 5}), "date") == "5"
    assert header_of(Carrying(None), "date") is None
    assert header_of(ValueError(), "date") is None


@pytest.mark.parametrize(
    ("own", "expected"), [(2, 2.0), (0.5, 0.5), (-1, None), (math.nan, None), (True, None)]
)
def test_an_error_may_say_it_itself(own: float, expected: float | None) -> None:
    error = RuntimeError()
    error.retry_after = own  # type: ignore[attr-defined]  # as errors of ours have it
    assert retry_after(error) == expected
