"""What is still valid is what no later rule matches: held against a plain list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.cache.rules import Invalidations, Rule

MATCHED = {
    Rule("key", "a"): {"a"},
    Rule("key", "a*"): {"a*"},
    Rule("pattern", "a*"): {"a", "ab", "a*"},
    Rule("pattern", "[!a]"): {"b"},
    Rule("all"): {"a", "ab", "a*", "b"},
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
