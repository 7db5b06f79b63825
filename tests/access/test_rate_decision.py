"""A client that reads structured fields, as the IETF's draft says, finds what was decided."""

import re
from itertools import permutations

from nextcall.access.memory_rates import MemoryRates
from nextcall.access.rate_decision import (
    UNLIMITED_DECISION,
    Decision,
    rate_headers,
    rate_refusal,
    retry_seconds,
)
from nextcall.access.rate_rules import RatePolicy

NOW = 1_800_000_000.25


def read_list(text: str) -> dict[str, dict[str, int]]:
    """Read a list of strings with parameters that are integers (RFC 9651, 4.2)."""
    items = dict[str, dict[str, int]]()
    place = 0
    item = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"((?:;[ ]*[a-z*][a-z0-9_.*-]*=-?\d{1,15})*)')
    while True:
        found = item.match(text, place)
        assert found, text[place:]
        pairs = [pair.strip().split("=") for pair in found[2].split(";")[1:]]
        items[found[1]] = {name: int(value) for name, value in pairs}
        place = found.end()
        if place == len(text):
            return items
        comma = re.compile(r"[ \t]*,[ \t]*").match(text, place)
        assert comma, text[place:]
        place = comma.end()


def taken(n: int) -> tuple[Decision, dict[str, str]]:
    rule = RatePolicy().rule("/predict")
    assert rule is not None
    now = [0]
    store = MemoryRates(clock=lambda: now[0])
    for _ in range(n):
        decision = store.take("a", rule)
        now[0] += 100_000_000
    headers = rate_headers(decision, now=NOW)
    assert len({name for name, _ in headers}) == len(headers)
    return decision, {name.decode("ascii"): value.decode("ascii") for name, value in headers}


def test_the_fields_of_the_draft_say_what_was_decided() -> None:
    _, headers = taken(3)
    assert read_list(headers["ratelimit-policy"]) == {
        "minute": {"q": 60, "w": 60},
        "hour": {"q": 1000, "w": 3600},
        "day": {"q": 10_000, "w": 86_400},
    }
    assert read_list(headers["ratelimit"]) == {
        "minute": {"r": 57, "t": 60},  # 59.8 rounded up
        "hour": {"r": 997, "t": 3600},
        "day": {"r": 9997, "t": 86_400},
    }
    assert "retry-after" not in headers


def test_the_older_headers_say_the_same() -> None:
    _, headers = taken(3)
    ours = {name: int(value) for name, value in headers.items() if name.startswith("x-")}
    assert ours == {
        "x-ratelimit-limit-minute": 60,
        "x-ratelimit-remaining-minute": 57,
        "x-ratelimit-reset-minute": 1_800_000_061,
        "x-ratelimit-limit-hour": 1000,
        "x-ratelimit-remaining-hour": 997,
        "x-ratelimit-reset-hour": 1_800_003_601,
        "x-ratelimit-limit-day": 10_000,
        "x-ratelimit-remaining-day": 9997,
        "x-ratelimit-reset-day": 1_800_086_401,
        "x-ratelimit-limit": 60,
        "x-ratelimit-remaining": 57,
        "x-ratelimit-reset": 1_800_000_061,
    }


def test_the_tightest_window_has_the_least_left_and_of_equals_takes_longest() -> None:
    rule = RatePolicy().rule("/predict")
    assert rule is not None
    for states in permutations([(3, 9.0), (1, 99.0), (1, 999.0)]):
        remaining, reset_after = zip(*states, strict=True)
        headers = dict(rate_headers(Decision(None, 0.0, rule, remaining, reset_after), now=0.0))
        tightest = rule.windows[reset_after.index(999.0)]
        assert headers[b"x-ratelimit-limit"] == b"%d" % tightest.limit
        assert headers[b"x-ratelimit-remaining"] == b"1"
        assert headers[b"x-ratelimit-reset"] == b"999"


def test_a_refusal_says_when_to_come_again() -> None:
    decision, headers = taken(61)
    assert not decision.allowed
    assert headers["retry-after"] == "54"
    assert headers["x-ratelimit-remaining"] == "0"
    body = rate_refusal(decision, now=NOW)
    assert body["error"] == "Rate limit exceeded"
    assert body["retry_after"] == 54
    assert body["limits"]["minute"] == {"limit": 60, "remaining": 0, "reset_at": 1_800_000_055}
    assert list(body["limits"]) == ["minute", "hour", "day"]


def test_who_is_not_limited_is_told_of_none() -> None:
    assert rate_headers(UNLIMITED_DECISION, now=NOW) == []
    assert UNLIMITED_DECISION.allowed
    assert retry_seconds(UNLIMITED_DECISION) == 0
    assert rate_refusal(UNLIMITED_DECISION, now=NOW)["limits"] == {}
