"""How an operation is written in an answer."""

import pytest

from nextcall.catalog import Parameter, describe_operation
from nextcall.serve.found import Found, full_prediction, number, parameter_hints, short_prediction


def test_a_name_in_two_places_has_both_hints() -> None:
    parameters = [
        Parameter(name="id", location="path", type="string", required=True),
        Parameter(name="id", location="query"),
        Parameter(name="body", location="body", type="object"),
    ]
    assert parameter_hints(describe_operation(operation_id="f", parameters=parameters)) == {
        "id": "path, string, required; query, optional",
        "body": "body, object, optional",
    }


@pytest.mark.parametrize(("length", "shown"), [(10, 10), (300, 300), (301, 300), (5000, 300)])
def test_a_description_is_short(length: int, shown: int) -> None:
    operation = describe_operation(operation_id="f", summary="w" * length)
    short = short_prediction(Found(operation=operation, rank=1, similarity=0.5))
    assert len(short.description) == shown
    assert short.description.endswith("...") == (length > 300)


def test_a_function_has_no_method() -> None:
    operation = describe_operation(operation_id="send_mail")
    full = full_prediction(Found(operation=operation, rank=1, similarity=0.5), "Why.", is_cold=True)
    assert (full.api_call, full.method, full.ml_features) == ("send_mail", None, None)


def test_what_is_not_known_is_none() -> None:
    assert number(float("nan")) is None
    assert number(0.25) == 0.25
