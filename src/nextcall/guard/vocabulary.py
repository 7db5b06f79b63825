"""The words that carry meaning for the guard, and the tokens of a text by class."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

_FILE: Final = Path(__file__).parent / "data" / "vocabulary.txt"
# A handler of an event, a word, or a sign.
_PIECE: Final = (
    r"on[a-z]{3,20}\s*="
    r"|WORD+(?:_+WORD+)*(?:'(?:t|s|re|ve|ll|d|m)(?![a-z]))?"
    r"|[^\w \t\r]|_"
)
_MOST_KNOWN: Final = 50_000
_LONGEST_KNOWN: Final = 32
LEET: Final = str.maketrans("01345789@$", "oieastbgas")
"""Letters that digits and signs stand for."""
LONGEST_WORD: Final = 20
"""Letters of a word; one of more is `LONG`."""
_SIGNS: Final = "'\"`;:|&$(){}[]<>=#-/*\\,.%+!?@~^_\n\x00"
_CJK: Final = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_FIXED: Final = ("word", "number", "mixed", "long", "letter", "sign", "handler", "ideograph")

WORD, NUMBER, MIXED, LONG, LETTER, SIGN, HANDLER, IDEOGRAPH = range(len(_FIXED))


class _Known(dict[str, int]):
    """Tokens that came lately, each with 2**32 times its class plus its hash."""

    def __init__(self, class_of: Callable[[str], int]) -> None:
        self._class_of = class_of

    def __missing__(self, word: str) -> int:
        token = self._class_of(word) << 32 | crc32(word.encode("utf-8", "replace"))
        if len(self) < _MOST_KNOWN and len(word) <= _LONGEST_KNOWN:
            self[word] = token
        return token


class Vocabulary:
    """Classes of words, and the expressions that cut texts into tokens.

    Parameters
    ----------
    text : str
        Lines ``class: word word``; classes of concepts begin with ``*``.

    Attributes
    ----------
    names : list of str
        Of the classes.
    classes : dict of str to int
        Class of each word, by its place in `names`.
    concepts : NDArray of bool
        Which classes are concepts of instructions to a model.
    kinds : NDArray of int64
        Of each class `OTHER_WORD`, `CONCEPT`, `SIGN`, or else 3.
    """

    OTHER_WORD: Final = 0
    CONCEPT: Final = 1
    SIGN: Final = 2
    _REST: Final = 3

    def __init__(self, text: str) -> None:
        self.names = [*_FIXED, *(f"sign {sign}" for sign in _SIGNS)]
        self.classes = {sign: place for place, sign in enumerate(_SIGNS, len(_FIXED))}
        concepts = [False] * len(self.names)
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, _, words = line.partition(":")
                for word in words.split():
                    self.classes.setdefault(word, len(self.names))
                self.names.append(name.lstrip("*"))
                concepts.append(name.startswith("*"))
        self.concepts = np.array(concepts)
        self.kinds = np.where(self.concepts, self.CONCEPT, self._REST)
        self.kinds[WORD] = self.OTHER_WORD
        self.kinds[[SIGN, *range(len(_FIXED), len(_FIXED) + len(_SIGNS))]] = self.SIGN
        ideographs = [re.escape(word) for word in self.classes if re.match(f"[{_CJK}]", word)]
        ideographs.sort(key=len, reverse=True)
        self._pattern = re.compile(
            _PIECE.replace("WORD", rf"[^\W_{_CJK}]") + f"|{'|'.join(ideographs)}|[{_CJK}]"
        )
        self._ascii_pattern = re.compile(_PIECE.replace("WORD", "[a-z0-9]"))
        self._known = _Known(self._class_of)

    def tokens(self, lowered: str) -> NDArray[np.uint64]:
        """Cut a text in small letters into tokens: 2**32 times the class, plus a hash of each."""
        pattern = self._ascii_pattern if lowered.isascii() else self._pattern
        return np.array([self._known[word] for word in pattern.findall(lowered)], np.uint64)

    def _class_of(self, word: str) -> int:
        classes = self.classes
        if word in classes:
            return classes[word]
        if word.isalpha():
            return _class_of_letters(word)
        if word.isdigit():
            return NUMBER
        if len(word) == 1:
            return SIGN
        if word.endswith("="):
            return HANDLER
        plain = word.partition("'")[0]
        if not plain[:1].isdigit():
            plain = plain.translate(LEET)
        return classes.get(plain, MIXED) if plain else MIXED


def _class_of_letters(word: str) -> int:
    if len(word) == 1:
        return LETTER if word.isascii() else IDEOGRAPH
    return LONG if len(word) > LONGEST_WORD else WORD


@cache
def vocabulary() -> Vocabulary:
    """Give the vocabulary that the package ships."""
    return Vocabulary(_FILE.read_text(encoding="utf-8"))
