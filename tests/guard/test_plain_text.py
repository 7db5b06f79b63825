"""What compiled loops tell of plain texts, against the ways of `str` and of `normalize`."""

from base64 import b64encode

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.guard import plain_text as module
from nextcall.guard.features import _DIGITS, FIRST_FLAG, _flags
from nextcall.guard.normalize import normalize
from nextcall.guard.plain_text import FLAGS, hides_nothing, join, lower, put_flags

_ASCII = st.text(st.characters(max_codepoint=127), max_size=60)
_HIDING = st.text("aA0xZ+%&\\.-_* \t\n\x1c=/9'", max_size=60)
_QUOTED = st.text("a('\")?. \n", max_size=30)


def _codes(text: str) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    return np.array([ord(character) for character in text], np.uint32)


@given(_ASCII | _HIDING | st.text(max_size=30))
def test_what_hides_nothing_comes_back_as_it_is(text: str) -> None:
    if hides_nothing(_codes(text)):
        normal = normalize(text)
        assert (normal.text, normal.steps) == (text, ())


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Create a trail, and log all events: management and data.", True),
        ("", True),
        ("a b c d e", True),
        ("s a y t h a t", False),
        ("i.g.n.o.r.e", False),
        ("an x-ray of it", True),
        ("%41", False),
        ("a & b", False),
        ("0x2e", False),
        ("10 x 20", True),
        ("1 +ADw-", False),
        ("a\\b", False),
        ("caf\u00e9", False),
        (b64encode(b"rm -rf / --f").decode(), False),
        ("internationalization", False),
        ("authentication", True),
    ],
)
def test_known_texts_are_plain_or_not(text: str, plain: bool) -> None:  # noqa: FBT001  # a row
    assert hides_nothing(_codes(text)) == hides_nothing.py_func(_codes(text)) == plain


@given(_ASCII)
def test_small_letters_are_those_of_str(text: str) -> None:
    lowered = np.empty(len(text), np.uint32)
    lower(_codes(text), lowered)
    assert lowered.tolist() == _codes(text.lower()).tolist()


@given(_ASCII)
def test_joined_texts_are_those_of_str(text: str) -> None:
    joined = np.empty(len(text) + 2, np.uint32)
    size = join(_codes(text), joined)
    expected = f" {' '.join(text.split())} ".translate(_DIGITS)
    assert "".join(map(chr, joined[:size])) == expected


@given(_ASCII | _QUOTED)
def test_flags_are_those_of_any_text(text: str) -> None:
    assert _flagged(text) == _flags(text)


def _flagged(text: str) -> list[int]:
    traits = np.empty(FLAGS + 1, np.int64)
    size = module.put_flags(_codes(text), FIRST_FLAG, traits, 1)
    return traits[1:size].tolist()  # type: ignore[no-any-return]  # numpy has no better type


def test_the_loops_say_the_same_uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["", " \n", "('a')) Or? ", 'no, "x" (y', "x" * 12 + " 42 \t Z", "it's one!", "a" * 16]
    expected = [_told(text) for text in texts]
    names = ("is_blank", "is_alnum", "is_small_letter", "hides_nothing", "lower", "join")
    for name in (*names, "put_flags"):
        monkeypatch.setattr(module, name, getattr(module, name).py_func)
    assert [_told(text) for text in texts] == expected
    assert module.put_flags is not put_flags


def _told(text: str) -> tuple[object, ...]:
    codes, lowered, joined = _codes(text), np.zeros(len(text)), np.zeros(len(text) + 2)
    module.lower(codes, lowered.view(np.uint32)[: len(text)])
    size = module.join(codes, joined.view(np.uint32)[: len(text) + 2])
    small = module.is_small_letter(ord(text[0])) if text else False
    plain = bool(module.hides_nothing(codes))
    return plain, bool(small), size, lowered.tolist(), joined.tolist(), _flagged(text)
