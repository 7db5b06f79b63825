"""What is still valid is what no later rule matches: held against a plain list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.cache.rules import Invalidations, Rule, broadened

MATCHED = {
    Rule("key", "a"): {"a"},
    Rule("key", "a*"): {"a*"},
    Rule("pattern", "a*"): {"a", "ab", "a*"},
    Rule("pattern", "[!a]"): {"b"},
    Rule("all"): {"a", "ab", "a*", "b"},
    Rule("lost"): {"a", "ab", "a*", "b"},
    Rule("none"): set[str](),
}
RULES = st.sampled_from(list(MATCHED))


@given(st.lists(RULES, max_size=12), st.integers(1, 8), st.booleans())
def test_what_no_later_rule_matches_is_spared(
    rules: list[Rule],
    most: int,
    replaced: bool,  # noqa: FBT001  # drawn
) -> None:
    lately = Invalidations(0, most=most)
    if replaced:
        lately.replace(list(enumerate([Rule("none"), *rules]))[-most:])
    else:
        for token, rule in enumerate(rules, 1):
            lately.add(token, rule)
    assert lately.newest == len(rules)
    for token in range(-1, len(rules) + 1):
        known = max(0, len(rules) + 1 - most) <= token
        for key in ("a", "ab", "a*", "b"):
            spared = known and not any(key in MATCHED[rule] for rule in rules[token:])
            assert lately.spares(token, key) == spared
        assert (lately.since(token) is not None) == known


def test_a_log_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="most must be at least 1, got 0"):
        Invalidations(0, most=0)
    with pytest.raises(ValueError, match="at least one token, got none"):
        Invalidations(0).replace([])


PARTS = st.sampled_from(
    ["a", "a/b", "a/", "/a", "", "a*", "a*/b", "[a]/b", "b/c", "b/?", "*", "b/*"]
)
NAMES = ["a", "a/b", "a/", "/a", "", "ab", "a*", "a*/b", "[a]/b", "b/c", "b/cc", "c/d"]
SOME = st.builds(Rule, st.sampled_from(["key", "pattern", "all", "lost", "none"]), PARTS)


@given(st.lists(SOME, max_size=5))
def test_fewer_rules_match_all_that_the_rules_do(rules: list[Rule]) -> None:
    few = broadened(rules)
    for name in NAMES:
        if any(rule.matches(name) for rule in rules):
            assert any(rule.matches(name) for rule in few)
        if any(rule.matches(name) for rule in few) and few != [Rule("all")]:
            begin = f"{name.partition('/')[0]}/"
            assert any(rule.text.startswith(begin) for rule in rules)
    assert len(few) <= max(1, len(rules))


@given(SOME, st.sampled_from(NAMES), st.integers(0, 5))
def test_a_rule_concerns_the_begin_of_all_that_it_matches(
    rule: Rule, name: str, length: int
) -> None:
    if rule.matches(name):
        assert rule.concerns(name[:length])


def test_a_rule_does_not_concern_what_begins_otherwise() -> None:
    for rule in (Rule("key", "query/a"), Rule("pattern", "query/*"), Rule("none")):
        assert not rule.concerns("general/")
    assert not Rule("key", "query*").concerns("query/")
    assert Rule("pattern", "que[rs]y*").concerns("query/")
