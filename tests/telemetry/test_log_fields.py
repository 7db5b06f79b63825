"""What lines may tell, held against what the audit log takes out."""

import logging
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.access import audit_event
from nextcall.telemetry import log_fields
from nextcall.telemetry.log_fields import (
    FIELDS,
    REMOVED,
    known_fields,
    without_secrets,
    without_shapes,
)

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
texts = st.text(LETTERS, min_size=24, max_size=40)
secrets = st.one_of(
    texts.map("nc_{}".format),
    texts.map("sk-{}".format),
    texts.map("ghp_{}".format),
    texts.map("AKIA{}".format),
    st.tuples(texts, texts).map(lambda two: f"eyJ{two[0]}.{two[1]}.{two[0]}"),
    texts.map("Bearer {}".format),
    texts.map("basic {}".format),
    texts.map("redis://user:{}@host:1/".format),
    texts.map("-----BEGIN PRIVATE KEY-----\n{}".format),
)
around = st.text(st.sampled_from(" abc,.\n\"'"), max_size=20)


@given(around, secrets, around)
def test_nothing_that_the_audit_log_takes_out_stays(before: str, secret: str, after: str) -> None:
    text = f"{before} {secret} {after}"
    assert audit_event._SECRETS.search(text)
    for kept in (without_secrets(text), without_shapes(text)):
        assert REMOVED in kept
        assert not audit_event._SECRETS.search(kept.replace(REMOVED, ""))


WORDS = (
    "token Cookie nc_ eyJ sk AKIA basic BEARER -----BEGIN ----- :// ? = : ' a Z9 a1b2c3d4 apikey ."
)
parts = st.sampled_from([*WORDS.split(), " ", "\n", "0123456789", "api key", "é"])


@given(st.lists(parts, max_size=12).map("".join))
def test_the_look_that_saves_time_misses_nothing(text: str) -> None:
    assert without_shapes(text) == log_fields._SHAPES.sub(REMOVED, text)
    run = log_fields._RUNS.sub(REMOVED, without_shapes(text))
    assert without_secrets(text) == run[: len(without_secrets(text))]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("password=hunter2", "password[removed]"),
        ("'api_key': 'a1b2'", "'api_key[removed]'"),
        ("OPENAI-API-KEY: a1b2 next", "OPENAI-API-KEY[removed] next"),
        ('{"client_secret": "a1b2"}', '{"client_secret[removed]"}'),
        ("Authorization: Digest user=a, nonce=b", "Authorization[removed]"),
        ("Cookie: a=1; b=2\nnext", "Cookie[removed]\nnext"),
        ("GET /run?prompt=delete%20all HTTP/1.1", "GET /run?[removed] HTTP/1.1"),
        ("key 3f2a9c0d1e5b4a7f8c6d3f2a9c0d1e5b", "key [removed]"),
        ("AIzaSyA1234567890abcdefghij", "[removed]"),
    ],
)
def test_secrets_go_and_the_rest_stays(text: str, kept: str) -> None:
    assert without_secrets(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "model loaded in 1.5 s",
        "Who may list tokens?",
        "/api/ab-testing/tests/{test_id}/assignments",
        "123e4567-e89b-12d3-a456-426614174000",
        "a_function_with_a_very_long_name_without_digits",
        "12345678901234567890123456789012345",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert without_secrets(text) == text


@given(st.text(max_size=2000))
def test_texts_are_short(text: str) -> None:
    assert len(without_secrets(text, longest=50)) <= 50


def test_a_secret_that_is_cut_is_not_half_told() -> None:
    secret = "nc_" + "a1" * 20
    for before in range(150, 210):
        assert "a1a1" not in without_secrets("x " * (before // 2) + secret)


def test_only_fields_of_known_names_are_told() -> None:
    for name in ("prompt", "query", "text", "body", "headers", "path", "url", "address", "user"):
        assert name not in FIELDS
        assert known_fields({name: "x", "count": 1}) == ({"count": 1}, 1)


def test_no_field_is_what_every_record_has() -> None:
    assert FIELDS.isdisjoint(vars(logging.makeLogRecord({})))


def test_values_are_what_json_knows() -> None:
    class Speaking:
        def __repr__(self) -> str:
            raise AssertionError

    given = {"status": True, "count": math.nan, "rows": -math.inf, "role": None, "rule": Speaking()}
    told, left_out = known_fields({**given, "calls": ["delete all"]})
    assert told == {
        "status": True, "count": "nan", "rows": "-inf", "role": None, "rule": "(Speaking)",
        "calls": "(list)",
    }  # fmt: skip
    assert left_out == 0
