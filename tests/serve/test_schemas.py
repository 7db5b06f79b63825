"""The rules of a request."""

from datetime import UTC, datetime, timedelta, timezone
from http import HTTPMethod
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nextcall.serve.schemas import HistoryEvent, Limits, PredictRequest

OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def _broken(values: object, **limits: int) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as raised:
        PredictRequest.model_validate(values, context=Limits(**limits))
    return [(".".join(map(str, one["loc"])), one["type"]) for one in raised.value.errors()]


def test_a_prompt_is_enough() -> None:
    request = PredictRequest.model_validate({"prompt": "list users"})
    assert (request.history, request.max_predictions, request.temperature) == ([], 3, 0.7)


def test_a_whole_number_may_have_a_point() -> None:
    request = PredictRequest.model_validate({"prompt": "list users", "max_predictions": 2.0})
    assert request.max_predictions == 2
    assert isinstance(request.max_predictions, int)


@pytest.mark.parametrize(
    ("values", "place", "rule"),
    [
        ([], "", "model_type"),
        ({}, "prompt", "missing"),
        ({"prompt": ""}, "prompt", "blank"),
        ({"prompt": " \n\t"}, "prompt", "blank"),
        ({"prompt": "x" * 4097}, "prompt", "string_too_long"),
        ({"prompt": 1}, "prompt", "string_type"),
        ({"prompt": "x", "max_predictions": 0}, "max_predictions", "greater_than_equal"),
        ({"prompt": "x", "max_predictions": 21}, "max_predictions", "less_than_equal"),
        ({"prompt": "x", "max_predictions": "3"}, "max_predictions", "int_type"),
        ({"prompt": "x", "max_predictions": 2.5}, "max_predictions", "int_type"),
        ({"prompt": "x", "max_predictions": None}, "max_predictions", "int_type"),
        ({"prompt": "x", "temperature": 1.01}, "temperature", "less_than_equal"),
        ({"prompt": "x", "temperature": -0.1}, "temperature", "greater_than_equal"),
        ({"prompt": "x", "temperature": float("nan")}, "temperature", "finite_number"),
        ({"prompt": "x", "k": 3}, "k", "extra_forbidden"),
        ({"prompt": "x", "history": "s3"}, "history", "list_type"),
        ({"prompt": "x", "history": ["s3"]}, "history.0", "model_type"),
        ({"prompt": "x", "history": [{}]}, "history.0.api_call", "missing"),
        ({"prompt": "x", "history": [{"api_call": " "}]}, "history.0.api_call", "blank"),
        (
            {"prompt": "x", "history": [{"api_call": "x" * 2049}]},
            "history.0.api_call",
            "string_too_long",
        ),
        (
            {"prompt": "x", "history": [{"api_call": "x", "method": "FETCH"}]},
            "history.0.method",
            "enum",
        ),
        ({"prompt": "x", "history": [{"api_call": "x", "method": 1}]}, "history.0.method", "enum"),
        (
            {"prompt": "x", "history": [{"api_call": "x", "timestamp": "today"}]},
            "history.0.timestamp",
            "datetime_from_date_parsing",
        ),
        (
            {
                "prompt": "x",
                "history": [{"api_call": "x", "timestamp": "0001-01-01T00:00:00+12:00"}],
            },
            "history.0.timestamp",
            "datetime_range",
        ),
        ({"prompt": "x", "history": [{"api_call": "x"}] * 10_001}, "history", "too_long"),
    ],
)
def test_a_broken_rule_is_named(values: object, place: str, rule: str) -> None:
    assert (place, rule) in _broken(values)


def test_limits_are_those_that_are_set() -> None:
    asked: dict[str, Any] = {"prompt": "abcd", "history": [{"api_call": "a"}] * 2}
    assert _broken(asked, prompt_characters=3, history=1) == [
        ("prompt", "string_too_long"),
        ("history", "too_long"),
    ]
    assert _broken({"prompt": "a", "max_predictions": 2}, predictions=1) == [
        ("max_predictions", "less_than_equal")
    ]
    request = PredictRequest.model_validate({"prompt": "a"}, context=Limits(default_predictions=9))
    assert request.max_predictions == 9


def test_a_hostile_request_costs_a_few_errors() -> None:
    assert len(_broken({"prompt": "x", "history": [1] * 10_000})) == 1
    assert _broken({str(key): 1 for key in range(1000)}) == [("", "too_many_fields")]


@given(st.sampled_from(list(HTTPMethod)), st.booleans())
def test_a_method_may_be_written_small(method: HTTPMethod, small: bool) -> None:  # noqa: FBT001  # hypothesis gives it
    written = method.lower() if small else method.value
    assert HistoryEvent.model_validate({"api_call": "/", "method": written}).method is method


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)), st.none() | OFFSETS)  # noqa: DTZ001  # hypothesis asks for bounds without a zone
def test_times_are_the_same_instant_in_utc(time: datetime, zone: timezone | None) -> None:
    time = time.replace(tzinfo=zone)
    read = HistoryEvent.model_validate({"api_call": "/", "timestamp": time.isoformat()}).timestamp
    assert read is not None
    assert read.tzinfo is UTC
    assert read == (time if time.tzinfo else time.replace(tzinfo=UTC))


def test_times_may_be_unix_seconds() -> None:
    event = HistoryEvent.model_validate({"api_call": "/", "timestamp": 86_400.5})
    assert event.timestamp == datetime(1970, 1, 2, microsecond=500_000, tzinfo=UTC)
