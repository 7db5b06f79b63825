"""The guard of a service: what it refuses, masks, marks, and tells."""

from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.catalog import Catalog, describe_operation
from nextcall.guard.glance import Glance
from nextcall.guard.guard import Guard, Verdict, packaged_guard_version
from nextcall.guard.pii import find_pii, restore_pii
from nextcall.serve.problems import UnsafeError
from nextcall.serve.safety import safety as module
from nextcall.serve.safety.safety import Safety
from nextcall.serve.settings import load_settings

_ATTACK = "x' OR 1=1 --"
_MAIL = "write to anna@example.com"
_CATALOG = Catalog("one", (describe_operation(operation_id="f"),))


def _safety(*, guard: Guard | None = None, on_block: Any = None, **settings: Any) -> Safety:
    return Safety(load_settings(**settings), _CATALOG, guard=guard, on_block=on_block)


def _refused(safety: Safety, *carried: tuple[str, object]) -> UnsafeError:
    with pytest.raises(UnsafeError) as raised:
        safety.check("/predict", carried)
    return raised.value


def test_a_refusal_tells_places_and_rules() -> None:
    error = _refused(_safety(), ("prompt", _ATTACK), ("history.0.api_call", "damn shit"))
    assert error.refusal.model_dump() == {
        "error": "Input failed safety validation",
        "reasons": ["prompt: Should not look like sqli"],
    }
    assert error.problem.model_dump() == {
        "error": "Input failed safety validation",
        "details": [{"field": "prompt", "rule": "Should not look like sqli", "got": None}],
    }


def test_a_refusal_of_many_places_is_short() -> None:
    error = _refused(_safety(), *((f"variants.{n}.variant_id", _ATTACK) for n in range(30)))
    assert len(error.problem.details) == 20


def test_who_listens_hears_of_refusals_only() -> None:
    heard: list[tuple[str, tuple[str, ...], float]] = []
    safety = _safety(on_block=lambda *told: heard.append(told), pii_policy="block")
    safety.check("/predict", [("prompt", "list all buckets")])
    safety.check("/api/ab-testing/tests", [("test_name", _ATTACK)])
    assert heard == []
    _refused(safety, ("prompt", _ATTACK + " " + _MAIL))
    risk = Guard().detect(_ATTACK + " " + _MAIL).risk_score
    assert heard == [("/predict", ("pii", "sqli"), risk)]
    assert safety.status() == "ok"


def test_who_fails_to_listen_makes_a_refusal_no_fault() -> None:
    def fail(*_: object) -> NoReturn:
        raise RuntimeError

    safety = _safety(on_block=fail)
    _refused(safety, ("prompt", _ATTACK))
    assert safety.snapshot().failing == ("hook",)
    assert safety.status() == "failing"


def test_every_request_is_counted_once() -> None:
    safety = _safety(guard_policies={"/predict/batch": "observe"})
    for route in ("/predict/batch", "/api/ab-testing/tests"):
        safety.check(route, [("prompt", _ATTACK), ("other", _MAIL)])
    safety.check("/predict", [("prompt", "list all buckets")])
    _refused(safety, ("prompt", _ATTACK))
    told = safety.snapshot()
    assert (told.total, told.blocked, told.flagged, told.observed) == (4, 1, 1, 1)
    assert (told.violations, told.pii_found) == ({"sqli": 3}, {"email": 2})


@pytest.mark.parametrize(
    ("policy", "actions"), [("block", ["block"]), ("flag", ["flag"]), ("observe", ["pass"])]
)
def test_what_a_program_wrote_is_judged_by_the_policy_of_its_route(
    policy: str, actions: list[str]
) -> None:
    safety = _safety(guard_policies={"/api/run": policy})
    noticed = safety.judged("/api/run", [("answer", _ATTACK), ("calls.0.reason", "it lists them")])
    assert [each.reason for each in noticed] == ["answer: Should not look like sqli"]
    assert [each.action for each in noticed] == actions
    assert safety.snapshot().total == 0  # it is no request


@pytest.mark.parametrize("settings", [{"guard_enabled": False}, {"guard_output_enabled": False}])
def test_where_answers_are_not_filtered_all_leaves(settings: dict[str, Any]) -> None:
    safety = _safety(**settings)
    assert safety.judged("/api/run", [("answer", _ATTACK)]) == ()
    operations = _CATALOG.operations
    assert safety.showable(operations) == list(operations)


def test_where_the_guard_is_off_nothing_is_done() -> None:
    safety = _safety(guard_enabled=False)
    safety.warm()
    checked = safety.check("/predict", [("prompt", _ATTACK)])
    assert (checked.findings, checked.marks) == (None, [])
    assert (safety.status(), safety.snapshot().total) == ("off", 0)
    assert safety.masked(_MAIL).text == _MAIL


def test_warming_counts_nothing() -> None:
    safety = _safety()
    safety.warm()
    assert safety.snapshot().total == 0
    assert safety.version == packaged_guard_version()


def test_warming_judges_in_the_quick_way_and_in_the_long_one() -> None:
    texts: list[str] = []

    class Listening(Guard):
        def detect(self, text: str) -> Verdict:
            texts.append(text)
            return super().detect(text)

    guard = Listening()
    _safety(guard=guard).warm()
    glance = Glance(guard.model)
    assert {glance.look(text) is None for text in texts} == {True, False}


@given(st.lists(st.sampled_from([_MAIL, "card 4111 1111 1111 1111", "[redacted]", "list"])))
def test_what_is_masked_can_be_put_back(parts: list[str]) -> None:
    text = " ".join(parts)
    safety = _safety()
    masked = safety.masked(text)
    assert find_pii(masked.text) == ()
    assert restore_pii(masked.text, masked.values) == text


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({}, "write to [EMAIL_1]"),
        ({"pii_policy": "block"}, "write to [EMAIL_1]"),
        ({"pii_policy": "allow"}, _MAIL),
        ({"guard_pii_enabled": False}, _MAIL),
    ],
)
def test_the_policy_says_what_is_masked(settings: dict[str, Any], shown: str) -> None:
    assert _safety(**settings).masked(_MAIL).text == shown


def test_where_the_search_fails_all_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> NoReturn:
        raise RuntimeError

    monkeypatch.setattr(module, "mask_pii", fail)
    safety = _safety()
    masked = safety.masked(_MAIL)
    assert masked.text == "[redacted]"
    assert restore_pii(masked.text, masked.values) == _MAIL
    assert _MAIL not in repr(masked)
    assert safety.status() == "failing"
    monkeypatch.undo()
    safety.masked("now it works")
    assert safety.status() == "ok"


def test_one_apart_fails_with_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> NoReturn:
        raise RuntimeError

    safety = _safety()
    for one in (safety, safety.apart()):
        with monkeypatch.context() as broken:
            broken.setattr(module, "mask_pii", fail)
            one.masked(_MAIL)
        assert (safety.status(), safety.apart().status()) == ("failing", "failing")
        one.masked(_MAIL)
        assert (safety.status(), safety.apart().status()) == ("ok", "ok")


def test_one_apart_checks_alike_and_tells_nobody() -> None:
    heard: list[object] = []
    safety = _safety(on_block=lambda *told: heard.append(told))
    apart = safety.apart()
    assert (
        _refused(apart, ("prompt", _ATTACK)).refusal
        == _refused(_safety(), ("prompt", _ATTACK)).refusal
    )
    assert (apart.snapshot().blocked, safety.snapshot().total, heard) == (1, 0, [])
    _refused(safety, ("prompt", _ATTACK))
    assert (apart.snapshot().blocked, safety.snapshot().blocked, len(heard)) == (1, 1, 1)
