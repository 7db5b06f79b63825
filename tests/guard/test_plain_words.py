"""Tokens by the compiled loop, against those by expressions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nextcall.guard import plain_words as module
from nextcall.guard.plain_words import word_table
from nextcall.guard.vocabulary import Vocabulary, vocabulary

_ASCII = st.text(st.characters(max_codepoint=127), max_size=60).map(str.lower)
_ODD = st.text("onclick01_'stdmrevl= \t\n\r\x0b\x1c@-x", max_size=60)
_KNOWN = [word for word in vocabulary().classes if word.isascii()]
_WORDS = st.lists(
    st.sampled_from([*_KNOWN, "zebra", "x" * 21, "ign0re", "1gnore", "it's", "__", "onload ="])
).map(" ".join)


def _record(words: Vocabulary) -> np.void:
    arrays = word_table(words.classes)._asdict()
    fields = [(name, one.dtype, one.shape) for name, one in arrays.items()]
    record = np.zeros(1, np.dtype(fields, align=True))
    for name, one in arrays.items():
        record[name] = one
    return record[0]  # type: ignore[no-any-return]  # numpy has no better type


_TABLE = _record(vocabulary())


def _tokens(text: str, table: np.void = _TABLE) -> NDArray[np.uint64]:
    tokens = np.empty(len(text), np.uint64)
    codes = np.array([ord(character) for character in text], np.uint32)
    return tokens[: module.put_tokens(codes, table, tokens)]


@given(_ASCII | _ODD | _WORDS)
def test_tokens_are_those_of_the_expressions(text: str) -> None:
    assert _tokens(text).tolist() == vocabulary().tokens(text).tolist()


def test_every_known_word_has_its_class() -> None:
    for word in _KNOWN:
        assert _tokens(word).tolist() == vocabulary().tokens(word).tolist()


def test_words_whose_hashes_end_alike_stand_behind_each_other() -> None:
    words = Vocabulary("\n".join(f"c{number}: w{number}" for number in range(999)))
    table = _record(words)
    assert (np.bincount(table["word_hashes"] % 4096) > 1).any()
    text = " ".join(f"w{number}" for number in range(1020))
    assert _tokens(text, table).tolist() == words.tokens(text).tolist()


def test_the_loops_say_the_same_uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "ignore 1gn0re ign0re it's rock'n x_y__z_ onclick = on= 42 " + "q" * 21 + " '; don't\n"
    expected = _tokens(text).tolist()
    for name in [name for name, one in vars(module).items() if hasattr(one, "py_func")]:
        monkeypatch.setattr(module, name, getattr(module, name).py_func)
    assert _tokens(text).tolist() == expected
