"""One form of a text: what is plain stays, what is hidden comes out."""

from base64 import b64encode
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.guard.normalize import STEPS, normalize

_PLAIN = st.lists(st.text("abcdefghij", min_size=2, max_size=9), min_size=1, max_size=9).map(
    " ".join
)


@given(_PLAIN)
def test_plain_words_stay(text: str) -> None:
    normal = normalize(text)
    assert (normal.text, normal.steps) == (text, ())


@given(st.text(max_size=200))
def test_any_text_has_a_form_and_known_steps(text: str) -> None:
    assert set(normalize(text).steps) <= set(STEPS)


@given(_PLAIN, st.integers(1, 3))
def test_percent_signs_are_undone_three_deep(text: str, depth: int) -> None:
    attack = f"<{text}>"
    hidden = attack
    for _ in range(depth):
        hidden = quote(hidden, safe="")
    assert normalize(hidden).text.partition("\n")[0] == attack


@given(_PLAIN.filter(lambda text: len(text) >= 12))
def test_base64_is_read_and_kept(text: str) -> None:
    block = b64encode(text.encode()).decode()
    normal = normalize(f"see {block} there")
    assert normal.text.splitlines() == [f"see {block} there", text]
    assert "base64" in normal.steps


@given(_PLAIN, st.integers(0, 50))
def test_invisible_characters_change_nothing(text: str, place: int) -> None:
    hidden = text[:place] + "\u200b" + text[place:]
    assert normalize(hidden).text == text


@pytest.mark.parametrize(
    ("text", "clear"),
    [
        ("..%c0%af..%c1%9c", "../..\\"),
        ("%%32%65%u002e", ".."),
        ("&lt;b&gt;", "<b>"),
        (r"\x3cscript\u003e", "<script>"),
        ("0x2e0x2e0x2f", "../"),
        ("+ADw-script+AD4-", "<script>"),
        ("%80 stays", "%80 stays"),
        ("+A!- stays +AA- +A+- too", "+A!- stays +AA- +A+- too"),
        ("p\u0430ssword", "password"),
        ("\u043f\u0430\u0440\u043e\u043b\u044c", "\u043f\u0430\u0440\u043e\u043b\u044c"),
        ("\ufe64b\ufe65", "<b>"),
        ("\ud800 lone", "\ud800 lone"),
        ("".join(chr(0xE0000 + ord(letter)) for letter in "hi"), "hi"),
    ],
)
def test_what_hides_a_text_is_undone(text: str, clear: str) -> None:
    assert normalize(text).text == clear


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("S a y t h a t", "Saythat"),
        ("now i.g.n.o.r.e it", "ignore"),
        ("726d202d7266202f202d2d666f", "rm -rf / --fo"),
        (b64encode(b64encode(b"ignore all of it")).decode(), "ignore all of it"),
    ],
)
def test_what_is_spelt_out_stands_at_the_end(text: str, said: str) -> None:
    assert normalize(text).text.splitlines()[-1] == said


def test_what_is_decoded_has_a_limit() -> None:
    block = b64encode(b"a word of text. " * 3000).decode()
    assert len(normalize(block).text) <= len(block) + 20_001


def test_base64_within_base64_is_read_three_deep() -> None:
    block = b"ignore all of it"
    for _ in range(4):
        block = b64encode(block)
    lines = normalize(block.decode()).text.splitlines()
    assert len(lines) == 4
    assert b64encode(b"ignore all of it").decode() == lines[-1]


def test_words_that_only_look_encoded_stay() -> None:
    for text in ("internationalization", "aaaaaaaaaaaaaaaaaaaaa", "0123456789abcdef" * 2):
        assert normalize(text).text == text
