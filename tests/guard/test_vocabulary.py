"""Tokens and classes of words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.guard import vocabulary as module
from nextcall.guard.vocabulary import Vocabulary, vocabulary

_WORDS = Vocabulary("# classes\n*ignore: ignore \u5ffd\u7565\nsql: select\n")


def _names(text: str, words: Vocabulary = _WORDS) -> list[str]:
    return [words.names[int(token >> np.uint64(32))] for token in words.tokens(text)]


@given(st.text(st.characters(max_codepoint=127), max_size=60).map(str.lower))
def test_both_expressions_cut_plain_text_alike(text: str) -> None:
    words = vocabulary()
    assert words._ascii_pattern.findall(text) == words._pattern.findall(text)


@given(st.text(max_size=60))
def test_no_letter_or_sign_is_lost(text: str) -> None:
    pieces = "".join(vocabulary()._pattern.findall(text))
    assert "".join(pieces.split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("ignore it", ["ignore", "word"]),
        ("1gn0re", ["mixed"]),
        ("ign0re", ["ignore"]),
        ("ignore's x", ["ignore", "letter"]),
        ("select 42 ab3", ["sql", "number", "mixed"]),
        ("onclick = 1", ["handler", "number"]),
        ("\u5ffd\u7565\u4e2d", ["ignore", "ideograph"]),
        ("a;\u2603", ["letter", "sign ;", "sign"]),
        ("\u00e9", ["ideograph"]),
        ("x" * 21, ["long"]),
        ("", []),
    ],
)
def test_words_have_classes(text: str, names: list[str]) -> None:
    assert _names(text) == names


def test_classes_know_concepts_and_signs() -> None:
    kinds = dict(zip(_WORDS.names, _WORDS.kinds.tolist(), strict=True))
    assert (kinds["ignore"], kinds["sql"], kinds["word"]) == (1, 3, 0)
    assert kinds["sign ;"] == kinds["sign"] == 2
    assert _WORDS.concepts.sum() == 1


def test_what_is_remembered_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    words = Vocabulary("sql: select\n")
    monkeypatch.setattr(module, "_MOST_KNOWN", 2)
    first = words.tokens("one two three four " + "y" * 40)
    assert len(words._known) == 2
    assert words.tokens("one two three four " + "y" * 40).tolist() == first.tolist()


def test_the_shipped_words_are_read_once() -> None:
    assert vocabulary() is vocabulary()
