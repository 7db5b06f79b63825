"""The tokenizer that every encoder of this room shares: MiniLM's vocabulary of word pieces."""

import hashlib
import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tokenizers import Tokenizer

N_PIECES: Final = 30_522
"""Word pieces of the vocabulary."""

_WORDS: Final = re.compile(r"[a-z0-9]+|[^\sa-z0-9]")  # of printable ASCII, in lower case
_MEMORY: Final = 4_096  # words of several pieces that are remembered


def open_tokenizer(*, max_tokens: int) -> "Tokenizer":
    """Open the tokenizer; it cuts what is longer than `max_tokens` and pads nothing."""
    from tokenizers import Tokenizer  # noqa: PLC0415  # loaded when it is needed

    tokenizer = Tokenizer.from_str(_source())
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


@cache
def tokenizer_digest() -> str:
    """Hash the tokenizer's file (SHA-256); what was learned of its pieces holds for it alone."""
    return hashlib.sha256(_source().encode()).hexdigest()


def piece_texts() -> list[str]:
    """List the text of every word piece, by its id; what continues a word loses its ``##``.

    Examples
    --------
    >>> texts = piece_texts()
    >>> texts[2862], texts[2015]
    ('list', 's')
    """
    vocabulary = open_tokenizer(max_tokens=512).get_vocab()
    pieces = sorted(vocabulary, key=vocabulary.__getitem__)
    return [piece.removeprefix("##") for piece in pieces]


class WordPieces:
    """Cut texts into word pieces, an ASCII prompt in a few microseconds.

    The pieces are those of the tokenizer, without its special ones. Text in printable ASCII is cut
    into words here, and each is looked up; the tokenizer is asked only for what that cannot tell.

    Parameters
    ----------
    longest : int
        Pieces of a text that are kept, at least 1.

    Examples
    --------
    >>> WordPieces(longest=4).cut("List all users, please")
    [2862, 2035, 5198, 1010]
    """

    def __init__(self, *, longest: int) -> None:
        if longest < 1:
            raise ValueError(f"longest must be at least 1, got {longest}.")
        self.longest = longest
        self._tokenizer = open_tokenizer(max_tokens=longest)
        # A memory of the object, so that it dies with it.
        self._split = lru_cache(_MEMORY)(self._encode)
        vocabulary = self._tokenizer.get_vocab()
        # A piece that opens a word and is one, as the tokenizer sees it; "[" opens special ones.
        self._whole = {
            piece: number for piece, number in vocabulary.items() if _WORDS.fullmatch(piece)
        }

    def cut(self, text: str) -> list[int]:
        """Give the ids of a text's pieces, in order, the first `longest` of them."""
        if not (text.isascii() and text.isprintable()) or "[" in text:
            return self._encode(text)
        pieces: list[int] = []
        for word in _WORDS.findall(text.lower()):
            number = self._whole.get(word)
            if number is None:
                pieces += self._split(word)
            else:
                pieces.append(number)
        return pieces[: self.longest]

    def _encode(self, text: str) -> list[int]:
        pieces: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return pieces


def _source() -> str:
    source = files("nextcall.embedding").joinpath("data", "tokenizer.json")
    return source.read_text(encoding="utf-8")
