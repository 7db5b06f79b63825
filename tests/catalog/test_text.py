"""Words of identifiers and plain text."""

import re
import string
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.catalog.text import first_sentence, identifier_words, singular, strip_html

words = st.lists(st.text(string.ascii_lowercase, min_size=2, max_size=6), min_size=1, max_size=5)


@given(words)
def test_every_style_of_an_identifier_has_the_same_words(parts: list[str]) -> None:
    camel = "".join(part.capitalize() for part in parts)
    for text in ("_".join(parts), "-".join(parts), ".".join(parts), camel):
        assert list(identifier_words(text)) == parts


@given(st.text(string.ascii_letters + "<>&\"' .", max_size=30))
def test_escaped_text_comes_back(text: str) -> None:
    plain = " ".join(text.split())
    if any(f" {mark}" in plain for mark in ".,;:!?)"):
        return  # such spaces are what tags leave behind
    assert strip_html(f"<p>{escape(text)}</p><br/><!-- note -->") == plain


@given(st.lists(st.sampled_from(["<!--", "-->", "--", "<b>", "<", ">", "x", "\n"]), max_size=12))
def test_comments_go_as_a_plain_expression_takes_them(parts: list[str]) -> None:
    text = "".join(parts)
    without = re.sub("<!--.*?-->", " ", text, flags=re.DOTALL)
    assert strip_html(text) == " ".join(re.sub("<[a-zA-Z/!][^<>]*>", " ", without).split())


@given(st.text("ABs1b", max_size=12))
def test_plurals_of_acronyms_are_where_a_plain_expression_finds_them(text: str) -> None:
    plain = re.compile(r"([A-Z]{2,})s(?=[A-Z]|$|[^a-zA-Z])")
    joined = plain.sub(lambda match: match[1].capitalize() + "s", text)
    assert identifier_words(text) == identifier_words(joined)


def test_hostile_texts_are_looked_through_once() -> None:
    n = 1_000_000  # where the time grows with the square, this takes hours
    assert strip_html("<!--" * n) == "<!--" * n
    assert identifier_words("A" * n) == ("a" * n,)


@given(st.text(max_size=60), st.integers(1, 40))
def test_a_first_sentence_begins_the_text_and_is_short(text: str, limit: int) -> None:
    sentence = first_sentence(text, limit=limit)
    assert text.startswith(sentence)
    assert len(sentence) <= limit


@pytest.mark.parametrize(
    ("plural", "expected"),
    [
        ("policies", "policy"), ("movies", "movie"), ("statuses", "status"), ("boxes", "box"),
        ("databases", "database"), ("caches", "cache"), ("aliases", "alias"), ("dns", "dns"),
        ("analytics", "analytics"), ("bus", "bus"), ("indices", "index"), ("ids", "ids"),
    ],
)  # fmt: skip
def test_singulars(plural: str, expected: str) -> None:
    assert singular(plural) == expected
    assert singular(expected) == expected
