"""What is left of the guard where a part of it fails."""

from pathlib import Path
from typing import NoReturn

import pytest

from nextcall.guard import steady as module
from nextcall.guard.features import MOST_CHARACTERS
from nextcall.guard.guard import Guard
from nextcall.guard.steady import SteadyGuard, signature_verdict

_BENIGN = Path(__file__).parents[1] / "data" / "benign_prompts.txt"
_ATTACKS = {
    "SELECT * FROM users WHERE id = 1 OR 1=1": "sqli",
    "admin' OR '1'='1": "sqli",
    "DROP TABLE users; --": "sqli",
    "<script>alert('xss')</script>": "xss",
    "<img src=x onerror=alert(1)>": "xss",
    "javascript:alert(1)": "xss",
    "; rm -rf /": "cmdi",
    "| cat /etc/passwd": "cmdi",
    "$(whoami)": "cmdi",
}


class _Broken(Guard):
    def detect(self, text: str) -> NoReturn:
        raise RuntimeError(text)


@pytest.mark.parametrize("attack", _ATTACKS)
def test_signatures_alone_tell_the_plain_attacks(attack: str) -> None:
    told: list[Exception | None] = []
    verdict = SteadyGuard(_Broken(), told=told.append).detect(attack)
    assert (verdict.action, verdict.is_injection, verdict.risk_score) == ("block", True, 1)
    assert verdict.labels[_ATTACKS[attack]] == 1
    assert _ATTACKS[attack] in {reason.family for reason in verdict.reasons}
    assert [type(one) for one in told] == [RuntimeError]


def test_signatures_alone_let_ordinary_prompts_pass() -> None:
    lines = _BENIGN.read_text(encoding="utf-8").splitlines()
    assert sum(signature_verdict(line).is_injection for line in lines) <= 2


def test_a_long_text_is_looked_through_whole() -> None:
    assert signature_verdict("word " * MOST_CHARACTERS + "; rm -rf /").is_injection
    assert not signature_verdict("").is_injection


def test_what_works_is_the_guard_itself() -> None:
    told: list[Exception | None] = []
    judged = SteadyGuard(Guard(), told=told.append).detect("; rm -rf /")
    assert judged == Guard().detect("; rm -rf /")
    assert told == [None]


def test_where_all_fails_a_text_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> NoReturn:
        raise ValueError

    monkeypatch.setattr(module, "text_features", fail)
    told: list[Exception | None] = []
    verdict = SteadyGuard(_Broken(), told=told.append).detect("; rm -rf /")
    assert (verdict.action, verdict.risk_score, verdict.reasons) == ("pass", 0, ())
    assert [type(one) for one in told] == [RuntimeError, ValueError]
