"""Swear words are counted; patterns of one's own are refused."""

import pytest

from nextcall.guard.content import ContentCheck


@pytest.mark.parametrize(
    ("text", "count", "action"),
    [
        ("A polite question about Scunthorpe", 0, "pass"),
        ("Damn, where is my order?", 1, "pass"),
        ("Fuck this shit", 2, "flag"),
        ("Scheiße, verdammt", 2, "flag"),
    ],
)
def test_two_swear_words_are_flagged(text: str, count: int, action: str) -> None:
    verdict = ContentCheck().judge(text)
    assert (verdict.swear_words, verdict.action) == (count, action)


def test_policy_and_number_can_be_set() -> None:
    assert ContentCheck(most_swear_words=0, policy="block").judge("damn").action == "block"
    assert ContentCheck(most_swear_words=0, policy="observe").judge("damn").action == "pass"


def test_blocked_patterns_are_refused_and_named_by_place() -> None:
    check = ContentCheck(blocked=["alpha", r"secret\s+plan"], policy="observe")
    verdict = check.judge("the SECRET  plan")
    assert (verdict.patterns, verdict.action) == ((1,), "block")
    assert check.judge("nothing of the kind").action == "pass"


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="most_swear_words must be at least 0, got -1"):
        ContentCheck(most_swear_words=-1)
    with pytest.raises(ValueError, match="policy must be observe, flag or block, got 'x'"):
        ContentCheck(policy="x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"blocked\[1\] must be a regular expression"):
        ContentCheck(blocked=["a", "("])
    with pytest.raises(ValueError, match=r"blocked\[0\] must have at most 1000 characters"):
        ContentCheck(blocked=["a" * 1001])
