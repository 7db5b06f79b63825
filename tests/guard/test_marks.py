"""One pass over the characters, against plain searches."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.guard import marks as module
from nextcall.guard.grams import mix
from nextcall.guard.marks import MarkTable, count_amounts
from nextcall.guard.vocabulary import Vocabulary, vocabulary

_MARKS = [("ab", 0), ("b", 1), ("ab", 1), ("", 2), ("cabcabcabc", 3), ("\u5ffd", 4)]
_TABLE = MarkTable(_MARKS)


def _codes(text: str) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


@given(st.text("abcd\u5ffd", max_size=30))
def test_marks_are_found_by_their_first_characters(text: str) -> None:
    expected = sorted({number for mark, number in _MARKS if mark[:7] in text})
    assert _TABLE.held(_codes(text)) == expected


@given(st.text("aAb\n ;\u0130", max_size=40))
def test_amounts_are_those_of_plain_counts(text: str) -> None:
    words = vocabulary()
    lowered = text.lower()
    counts = np.empty(7, np.int64)
    count_amounts(_codes(text), _codes(lowered), words.tokens(lowered), words.kinds, counts)
    signs = lowered.count(";") + lowered.count("\n")
    capitals = sum(map(str.isupper, text)) if len(lowered) == len(text) else 0
    runs = [len(run[0]) for run in re.finditer(r"([^ \n])\1*", text)]
    assert counts[Vocabulary.SIGN] >= signs
    assert counts[4:].tolist() == [capitals, text.count("\n"), max(runs, default=0)]


def test_the_loops_say_the_same_uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Cab ; ab\nAAb"
    expected = _TABLE.held(_codes(text))
    counts, plain = np.empty(7, np.int64), np.empty(7, np.int64)
    words = vocabulary()
    given = (_codes(text), _codes(text.lower()), words.tokens(text.lower()), words.kinds)
    count_amounts(*given, counts)
    count_amounts.py_func(*given, plain)
    assert plain.tolist() == counts.tolist()
    monkeypatch.setattr(module, "mix", mix.py_func)
    monkeypatch.setattr(module, "hold", module.hold.py_func)
    monkeypatch.setattr(module, "_place_of", module._place_of.py_func)
    assert _TABLE.held(_codes(text)) == expected
