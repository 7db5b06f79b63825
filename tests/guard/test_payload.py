"""Nested payloads: every text is looked at, and no shape of them hurts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.guard import payload as module
from nextcall.guard.guard import Guard
from nextcall.guard.payload import DEEPEST, MOST_CHARACTERS, check_payload, texts_of

_GUARD = Guard()
_ATTACK = "x' OR 1=1 --"
_HARMLESS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["orders", "last week", "id"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner),
    max_leaves=12,
)


def _found(payload: object, guard: Guard = _GUARD) -> list[tuple[str, str]]:
    return [(one.place, one.rule) for one in check_payload(payload, guard)]


@given(_HARMLESS)
def test_harmless_payloads_pass(payload: object) -> None:
    assert _found(payload) == []


@given(_HARMLESS, st.lists(st.sampled_from(["list", "field"]), max_size=8))
def test_an_attack_is_found_wherever_it_stands(harmless: object, way: list[str]) -> None:
    payload: object = _ATTACK
    place: list[str] = []
    for step in way:
        payload = [harmless, payload] if step == "list" else {"a": harmless, "c": payload}
        place.insert(0, "1" if step == "list" else "c")
    assert _found(payload) == [(".".join(place) or "body", "Should not look like sqli")]


def test_names_of_fields_are_looked_at_and_not_repeated() -> None:
    found = check_payload({"<script>alert(1)</script>": {"note": "fine", "x y": "\x00"}}, _GUARD)
    assert [one.place for one in found] == ["?", "?.?"]
    assert found[0].verdict is not None
    assert found[1].rule == "Should have no null byte"
    assert found[1].verdict is None


def test_depth_and_length_have_limits() -> None:
    payload: Any = "end"
    for _ in range(DEEPEST + 1):
        payload = [payload]
    place = ".".join("0" * DEEPEST)
    assert _found(payload) == [(place, f"Should be nested at most {DEEPEST} deep")]
    assert _found(payload[0]) == []
    assert _found(["a" * (MOST_CHARACTERS + 1)]) == [("0", "Should have at most 100000 characters")]


def test_a_payload_deeper_than_the_interpreter_goes_is_refused() -> None:
    payload: Any = []
    for _ in range(100_000):
        payload = [payload]
    assert len(_found(payload)) == 1
    while payload:  # taken apart by hand: freeing it at once would go as deep
        payload = payload[0]


def test_the_number_of_texts_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TEXTS", 2)
    assert _found(["a", "b"]) == []
    assert _found(["a", "b", "c"]) == [("body", "Should hold at most 2 texts")]


def test_bytes_and_numbers_are_no_texts() -> None:
    assert _found([b"' or 1=1 --", bytearray(b"x"), 1.5]) == []


def test_the_texts_are_those_that_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(texts_of({"a": [{"b": "c"}, 1], "d": "e"})) == ["a", "d", "b", "c", "e"]
    monkeypatch.setattr(module, "MOST_TEXTS", 2)
    assert list(texts_of(["a", "b", "c"])) == ["a", "b"]


def test_a_policy_that_only_flags_refuses_no_text() -> None:
    assert _found(_ATTACK, Guard(policy="flag")) == []
