"""Tokens of a plain text by a compiled loop: those of `Vocabulary.tokens`, in less time."""

from collections.abc import Mapping
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled
from nextcall.guard.plain_text import is_alnum, is_blank, is_small_letter
from nextcall.guard.vocabulary import (
    HANDLER,
    LEET,
    LETTER,
    LONG,
    LONGEST_WORD,
    MIXED,
    NUMBER,
    SIGN,
    WORD,
)

_SLOTS: Final = 4096
_NO_WORD: Final = -1
_SHORTEST_HANDLER, _LONGEST_HANDLER = 3, 20  # letters after the "on" of an event's handler


class WordTable(NamedTuple):
    """Words of ASCII and their classes, as compiled loops look them up."""

    slots: NDArray[np.int16]
    """Numbers of words, each at the last bits of its hash or, where that is taken, behind it."""
    word_hashes: NDArray[np.uint32]
    """Of each word."""
    classes: NDArray[np.int64]
    """Of each word."""
    ends: NDArray[np.int32]
    """Where in `letters` each word ends; the first begins after the first end, which is zero."""
    letters: NDArray[np.uint8]
    """Of all words, one after the other."""
    steps: NDArray[np.uint32]
    """What half a byte does to a hash: sixteen numbers fit into one line of a cache."""
    letter_of: NDArray[np.uint8]
    """What each character of ASCII stands for in a word where digits stand for letters."""


def word_table(classes: Mapping[str, int]) -> WordTable:
    """Lay out words for `put_tokens`.

    Parameters
    ----------
    classes : mapping of str to int
        Class of each word; those of other characters than ASCII are left out.
    """
    words = [word for word in classes if word.isascii()]
    slots = np.full(_SLOTS, _NO_WORD, np.int16)
    for number, word in enumerate(words):
        slot = crc32(word.encode()) % _SLOTS
        while slots[slot] != _NO_WORD:
            slot = (slot + 1) % _SLOTS
        slots[slot] = number
    steps = np.arange(16, dtype=np.uint32)
    for _ in range(4):
        steps = np.where(steps & 1, steps >> 1 ^ np.uint32(0xEDB88320), steps >> 1)
    return WordTable(
        slots=slots,
        word_hashes=np.array([crc32(word.encode()) for word in words], np.uint32),
        classes=np.array([classes[word] for word in words], np.int64),
        ends=np.cumsum([0, *map(len, words)], dtype=np.int32),
        letters=np.frombuffer("".join(words).encode(), np.uint8),
        steps=steps,
        letter_of=np.array([ord(chr(code).translate(LEET)) for code in range(128)], np.uint8),
    )


@compiled(hold_lock=True)
def _handler_end(codes: NDArray[np.uint32], begin: int) -> int:
    """Give where the handler of an event ends, its beginning where there is none."""
    size = len(codes)
    if begin + 2 >= size or codes[begin] != 111 or codes[begin + 1] != 110:
        return begin
    end = begin + 2
    while end < size and is_small_letter(codes[end]):
        end += 1
    if not _SHORTEST_HANDLER <= end - begin - 2 <= _LONGEST_HANDLER:
        return begin
    while end < size and is_blank(codes[end]):
        end += 1
    return end + 1 if end < size and codes[end] == 61 else begin


@compiled(hold_lock=True)
def _suffix(codes: NDArray[np.uint32], begin: int) -> int:
    """Give the length of 't, 's, 're, 've, 'll, 'd or 'm, zero where there is none."""
    if begin + 1 >= len(codes) or codes[begin] != 39:
        return 0
    first, length = codes[begin + 1], 0
    second = codes[begin + 2] if begin + 2 < len(codes) else np.uint32(0)
    if first in (116, 115, 100, 109):  # t s d m
        length = 2
    elif (first in (114, 118) and second == 101) or (first == 108 and second == 108):
        length = 3
    end = begin + length
    return 0 if end < len(codes) and is_small_letter(codes[end]) else length


@compiled(hold_lock=True)
def _word_end(codes: NDArray[np.uint32], begin: int) -> int:
    """Give where a word of letters, digits and lines between them ends, or its beginning."""
    size = len(codes)
    if not is_alnum(codes[begin]):
        return begin
    end = begin + 1
    while end < size:
        after = end
        while after < size and codes[after] == 95:
            after += 1
        if after == size or not is_alnum(codes[after]):
            break
        end = after + 1
    return end + _suffix(codes, end)


@compiled(hold_lock=True)
def _hash(word: NDArray[np.uint32], steps: NDArray[np.uint32]) -> np.uint32:
    """Give what `zlib.crc32` gives."""
    value = np.uint32(0xFFFFFFFF)
    for code in word:
        value ^= code
        value = steps[value & np.uint32(15)] ^ (value >> np.uint32(4))
        value = steps[value & np.uint32(15)] ^ (value >> np.uint32(4))
    return np.uint32(value ^ np.uint32(0xFFFFFFFF))


@compiled(hold_lock=True)
def _known_class(word: NDArray[np.uint32], value: int, table: np.void) -> int:
    """Give the class of a word of the table by its hash and letters, or `_NO_WORD`."""
    slot = value & (_SLOTS - 1)
    while table["slots"][slot] != _NO_WORD:
        number = table["slots"][slot]
        begin, end = table["ends"][number], table["ends"][number + 1]
        if table["word_hashes"][number] == value and end - begin == len(word):
            same = True
            for place in range(len(word)):
                same &= table["letters"][begin + place] == word[place]
            if same:
                return int(table["classes"][number])
        slot = (slot + 1) & (_SLOTS - 1)
    return _NO_WORD


@compiled(hold_lock=True)
def _class_by_form(word: NDArray[np.uint32], table: np.void) -> int:
    """Give the class of a word that is not in the table as it is."""
    letters = digits = 0
    for code in word:
        letters += is_small_letter(code)
        digits += 48 <= code <= 57
    size = len(word)
    if letters == size:
        if size == 1:
            return LETTER
        return LONG if size > LONGEST_WORD else WORD
    if digits == size:
        return NUMBER
    if size == 1:
        return SIGN
    if word[size - 1] == 61:
        return HANDLER
    plain = np.empty(size, np.uint32)
    size = 0
    for code in word:
        if code == 39:
            break
        plain[size] = code if 48 <= word[0] <= 57 else table["letter_of"][code]
        size += 1
    plain = plain[:size]
    found = _known_class(plain, int(_hash(plain, table["steps"])), table)
    return MIXED if found == _NO_WORD else found


@compiled(hold_lock=True)
def put_tokens(codes: NDArray[np.uint32], table: np.void, tokens: NDArray[np.uint64]) -> int:
    """Write the tokens of a text of ASCII in small letters, as `Vocabulary.tokens` gives them.

    Parameters
    ----------
    codes : NDArray of uint32
        The text's characters.
    table : np.void
        A record with the fields of `WordTable`.
    tokens : NDArray of uint64
        Where to write; as long as the text.

    Returns
    -------
    int
        Number of tokens.
    """
    size, begin = 0, int(np.int64(0))  # a literal would compile what is called with it twice
    while begin < len(codes):
        if codes[begin] in (9, 13, 32):  # other blanks are signs
            begin += 1
            continue
        end = _handler_end(codes, begin)
        if end == begin:
            end = max(_word_end(codes, begin), begin + 1)
        word = codes[begin:end]
        value = int(_hash(word, table["steps"]))
        found = _known_class(word, value, table)
        if found == _NO_WORD:
            found = _class_by_form(word, table)
        tokens[size] = np.uint64(found) << np.uint64(32) | np.uint64(value)
        size += 1
        begin = end
    return size
