"""What is changed is told, and nothing else is changed."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.guard.sanitize import Change, sanitize


@given(st.text(max_size=200))
def test_a_second_time_changes_nothing(text: str) -> None:
    once = sanitize(text)
    assert sanitize(once.text).changes == ()
    assert (once.text == text) == (once.changes == ())


@given(st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=100))
def test_words_stay(text: str) -> None:
    assert sanitize(text).text == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    ("text", "clean", "change"),
    [
        ("a\x00b\x07", "ab", Change(what="control characters", count=2)),
        ("a\u202eb", "ab", Change(what="invisible characters", count=1)),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd", Change(what="line ends", count=3)),
        ("a\udc00", "a\ufffd", Change(what="lone surrogates", count=1)),
        ("e\u0301", "\u00e9", Change(what="unicode form", count=1)),
    ],
)
def test_changes_are_told(text: str, clean: str, change: Change) -> None:
    result = sanitize(text)
    assert (result.text, result.changes) == (clean, (change,))


def test_long_texts_are_cut_and_it_is_told() -> None:
    result = sanitize("abcdef", most_characters=4)
    assert result.text == "abcd"
    assert result.changes == (Change(what="characters beyond the limit", count=2),)
    with pytest.raises(ValueError, match="most_characters must be at least 1, got 0"):
        sanitize("a", most_characters=0)


def test_attacks_are_left_to_the_guard() -> None:
    assert sanitize("<scr<script>ipt>").text == "<scr<script>ipt>"
