"""Which texts of a request are checked."""

import pytest

from nextcall.catalog import Catalog, describe_operation
from nextcall.serve.safety import carried as module
from nextcall.serve.safety.carried import KnownCalls, texts_of_request, texts_of_trial
from nextcall.serve.schemas import PredictRequest
from nextcall.serve.trials.schemas import TrialAsked

_CATALOG = Catalog(
    "shop",
    (
        describe_operation(operation_id="getOrder", method="GET", path="/orders/{id}"),
        describe_operation(operation_id="sendMail"),
    ),
)
_KNOWN = KnownCalls(_CATALOG)


def _texts(*calls: str, most: int = 100) -> list[tuple[str, str]]:
    history = [{"api_call": call} for call in calls]
    request = PredictRequest.model_validate({"prompt": "and now?", "history": history})
    prompt, *texts = texts_of_request(request, known=_KNOWN, max_history=most)
    assert prompt == ("prompt", "and now?")
    return texts


def test_calls_as_the_catalogue_writes_them_need_no_check() -> None:
    assert _texts("getOrder", "GET /orders/{id}", "/orders/{id}", "sendMail") == []


def test_other_calls_are_checked_once_the_newest_first() -> None:
    assert _texts("/orders/1", "/orders/2", "getOrder", "/orders/1") == [
        ("history.3.api_call", "/orders/1"),
        ("history.1.api_call", "/orders/2"),
    ]


def test_calls_that_are_not_used_are_not_checked() -> None:
    assert _texts("/a", "/b", "/c", most=2) == [
        ("history.2.api_call", "/c"),
        ("history.1.api_call", "/b"),
    ]


@pytest.mark.parametrize(
    ("call", "judged"),
    [("HEAD /a", "/a"), ("get /a b", "/a b"), ("rm /a", "rm /a"), ("GET", "GET"), ("GET ", "GET ")],
)
def test_a_method_is_no_word_of_a_shell(call: str, judged: str) -> None:
    assert _texts(call) == [("history.0.api_call", judged)]


def test_beyond_a_limit_null_bytes_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CALL_CHARACTERS", 5)
    assert _texts("/b\x00", "/abc", "/ab") == [
        ("history.2.api_call", "/ab"),
        ("history.0.api_call", "\x00"),
    ]


def test_what_was_harmless_lately_needs_no_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_REMEMBERED", 8)
    known = KnownCalls(_CATALOG)
    for number in range(20):
        known.remember([f"/orders/{number}"])
        assert f"/orders/{number}" in known
    kept = [number for number in range(20) if f"/orders/{number}" in known]
    assert 4 <= len(kept) <= 8
    assert kept == list(range(kept[0], 20))
    assert "getOrder" in known


def test_the_texts_of_a_test_are_those_that_its_sender_chose() -> None:
    asked = TrialAsked.model_validate(TrialAsked.model_json_schema()["examples"][0])
    assert list(texts_of_trial(asked)) == [
        ("test_name", "ranker with history"),
        ("control_variant_id", "A"),
        ("primary_metric", "taken"),
        ("variants.0.variant_id", "A"),
        ("variants.0.variant_name", "as it was"),
        ("variants.0.configuration", {}),
        ("variants.1.variant_id", "B"),
        ("variants.1.variant_name", "with history"),
        ("variants.1.configuration", {"model": "challenger"}),
    ]
