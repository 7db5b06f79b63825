"""What is noticed in requests, by the settings; and what is left where a check fails."""

from typing import Any, NoReturn

import pytest

from nextcall.guard.content import ContentCheck
from nextcall.guard.guard import Guard, Policy
from nextcall.serve.safety import input_checks as module
from nextcall.serve.safety.counts import SafetyCounts
from nextcall.serve.safety.input_checks import Findings, InputChecks
from nextcall.serve.settings import load_settings

_ATTACK = "x' OR 1=1 --"
_MAIL = "write to anna@example.com and bob@example.com"
_SWEARING = "damn this shit"


class _Broken(Guard):
    def detect(self, text: str) -> NoReturn:
        raise RuntimeError(text)


def _findings(
    value: object, policy: Policy = "block", *, guard: Guard | None = None, **settings: Any
) -> Findings:
    checks = InputChecks(load_settings(**settings), guard or Guard(), SafetyCounts())
    return checks.findings([("prompt", value)], policy=policy)


def _told(findings: Findings) -> list[tuple[str, str, str]]:
    return [(one.reason, one.family, one.action) for one in findings.noticed]


def test_an_ordinary_text_breaks_no_rule() -> None:
    assert _findings("list all buckets") == Findings(noticed=(), pii=(), failed=frozenset())


@pytest.mark.parametrize(
    ("policy", "action"), [("block", "block"), ("flag", "flag"), ("observe", "pass")]
)
def test_the_policy_says_what_becomes_of_an_attack(policy: Policy, action: str) -> None:
    found = _findings(_ATTACK, policy)
    assert _told(found) == [("prompt: Should not look like sqli", "sqli", action)]
    assert found.noticed[0].risk == Guard().detect(_ATTACK).risk_score


def test_form_is_no_matter_of_policy_unless_all_is_observed() -> None:
    reason = "prompt: Should have no null byte"
    for policy, action in (("flag", "block"), ("block", "block"), ("observe", "pass")):
        assert _told(_findings("a\x00b", policy)) == [(reason, "form", action)]  # type: ignore[arg-type]  # the three


def test_names_deep_inside_are_not_repeated() -> None:
    checks = InputChecks(load_settings(), Guard(), SafetyCounts())
    value = {"told": {"nobody": [_ATTACK]}}
    found = checks.findings([("variants.0.configuration", value)], policy="flag")
    assert [one.place for one in found.noticed] == ["variants.0.configuration"]
    assert [one.place for one in _findings({"name": _ATTACK}).noticed] == ["prompt.name"]


def test_a_threshold_is_that_of_the_guard() -> None:
    assert _told(_findings(_ATTACK, guard=Guard(threshold=1 - 1e-12))) == []


def test_texts_have_a_limit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_JUDGED", 10)
    rule = "body: Should hold at most 10 characters of text"
    assert _told(_findings({"a": "12345", "b": ["1234"]}))[-1] == (rule, "form", "block")
    assert _told(_findings({"a": "1234", "b": ["1234"]})) == []


@pytest.mark.parametrize(
    ("policy", "told", "kinds"),
    [
        ("redact", [], ("email", "email")),
        (
            "block",
            [("prompt: Should hold no personal data (email)", "pii", "block")],
            ("email", "email"),
        ),
        ("allow", [], ()),
    ],
)
def test_personal_data(policy: str, told: list[Any], kinds: tuple[str, ...]) -> None:
    found = _findings(_MAIL, pii_policy=policy)
    assert (_told(found), found.pii) == (told, kinds)


def test_content_has_a_policy_of_its_own() -> None:
    reason = "prompt: Should have less than 2 swear words"
    assert _told(_findings(_SWEARING)) == [(reason, "content", "flag")]
    assert _told(_findings(_SWEARING, content_policy="block")) == [(reason, "content", "block")]
    assert _told(_findings(_SWEARING, content_policy="observe")) == [(reason, "content", "pass")]
    assert _told(_findings(_SWEARING, swear_words_from=3)) == []
    assert _told(_findings("damn slow")) == []


def test_a_blocked_pattern_is_refused() -> None:
    reason = "prompt: Should have no blocked pattern"
    patterns = [r"project\s+x"]
    told = _told(_findings("Tell of Project X", "flag", blocked_patterns=patterns))
    assert told == [(reason, "content", "block")]


@pytest.mark.parametrize(
    ("switch", "value"),
    [
        ("guard_attacks_enabled", _ATTACK),
        ("guard_pii_enabled", _MAIL),
        ("guard_content_enabled", _SWEARING),
    ],
)
def test_each_check_has_a_switch(switch: str, value: str) -> None:
    told: dict[str, Any] = {"pii_policy": "block", "content_policy": "block"}
    assert _findings(value, **told).noticed
    told[switch] = False
    assert not _findings(value, **told).noticed


def test_where_the_model_fails_signatures_and_form_go_on() -> None:
    found = _findings(["; rm -rf /", "a\x00b", "list all buckets"], guard=_Broken())
    assert _told(found) == [
        ("prompt.0: Should not look like cmdi", "cmdi", "block"),
        ("prompt.1: Should have no null byte", "form", "block"),
    ]
    assert found.failed == {"attacks"}


@pytest.mark.parametrize(("check", "policy"), [("pii", "block"), ("content", "redact")])
def test_a_check_that_fails_lets_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, check: str, policy: str
) -> None:
    def fail(*_: object) -> NoReturn:
        raise ValueError

    if check == "pii":
        monkeypatch.setattr(module, "find_pii", fail)
    else:
        monkeypatch.setattr(ContentCheck, "judge", fail)
    found = _findings(_ATTACK, pii_policy=policy)
    assert [one.family for one in found.noticed] == ["sqli"]
    assert found.failed == {check}
