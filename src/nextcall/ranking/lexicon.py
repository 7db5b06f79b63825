"""Words of prompts and operations: stems, their weights, and BM25 over fields of a catalogue."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import Stemmer
from numpy.typing import NDArray

from nextcall.catalog.text import identifier_words

STOPWORDS: Final = frozenset((
    "a", "an", "and", "any", "are", "as", "at", "be", "been", "being", "both", "but", "by", "can",
    "could", "do", "does", "for", "from", "had", "has", "have", "how", "i", "if", "in", "into",
    "is", "it", "its", "itself", "let", "like", "may", "me", "might", "mine", "must", "my",
    "need", "no", "nor", "of", "on", "onto", "or", "our", "out", "own", "please", "shall", "she",
    "should", "so", "some", "such", "than", "that", "the", "their", "them", "then", "there",
    "these", "they", "this", "those", "to", "too", "us", "via", "want", "was", "we", "were",
    "what", "when", "where", "which", "while", "who", "whom", "whose", "why", "will", "with",
    "within", "would", "you", "your", "yours",
))  # fmt: skip
"""Words of a prompt that say nothing of the operation that is meant."""

_WORD: Final = re.compile(r"[A-Za-z0-9_]+")
_STEMMER: Final = Stemmer.Stemmer("english")


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Reduce an English word to its Snowball stem.

    Examples
    --------
    >>> stem("policies"), stem("describing")
    ('polici', 'describ')
    """
    return str(_STEMMER.stemWord(word))


def prompt_words(text: str) -> list[str]:
    """Split a text into lower-case words; identifiers inside it fall into their parts.

    Examples
    --------
    >>> prompt_words("Delete the XSSMatchSet, please!")
    ['delete', 'the', 'xss', 'match', 'set', 'please']
    """
    return [word for token in prompt_tokens(text) for word in identifier_words(token)]


def prompt_tokens(text: str) -> list[str]:
    """Split a text where its words and identifiers end.

    Examples
    --------
    >>> prompt_tokens("Delete the XSSMatchSet, please!")
    ['Delete', 'the', 'XSSMatchSet', 'please']
    """
    return _WORD.findall(text)


def stems(words: Iterable[str]) -> list[str]:
    """Drop stop words and reduce the others to their stems, in order.

    Examples
    --------
    >>> stems(["list", "the", "users"])
    ['list', 'user']
    """
    return [stem(word) for word in words if word not in STOPWORDS]


@dataclass(frozen=True, slots=True)
class Terms:
    """Distinct terms of one field of every operation, padded to a rectangle.

    ``ids`` has shape (n_operations, width); rows are filled up with `pad`, the first id that no
    term has. ``weight`` of shape (n_operations,) is the sum of the terms' weights.
    """

    ids: NDArray[np.int32]
    weight: NDArray[np.float32]
    pad: int


def pad_terms(rows: Sequence[Sequence[int]], weights: NDArray[np.float32], *, width: int) -> Terms:
    """Pad rows of term ids; each row keeps its first `width` distinct terms.

    Parameters
    ----------
    rows : sequence of sequences of int
        Term ids of each operation.
    weights : array of shape (n_terms + 1,)
        Weight of each term; the last entry, the padding's, is 0.
    """
    pad = len(weights) - 1
    ids = np.full((len(rows), width), pad, dtype=np.int32)
    for i, row in enumerate(rows):
        distinct = list(dict.fromkeys(row))[:width]
        ids[i, : len(distinct)] = distinct
    return Terms(ids, weights[ids].sum(axis=1, dtype=np.float32), pad)


class Bm25:
    """BM25 (Lucene's form, k1 1.5, b 0.75) over documents of term ids, scored as one array."""

    def __init__(
        self,
        data: NDArray[np.float32],
        rows: NDArray[np.int32],
        starts: NDArray[np.int64],
        n_documents: int,
    ) -> None:
        self.data = data
        self.rows = rows
        self.starts = starts
        self.n_documents = n_documents

    @classmethod
    def build(cls, documents: Sequence[Sequence[int]], *, n_terms: int) -> "Bm25":
        """Index documents whose terms are ids below `n_terms`; a document may be empty."""
        if not any(documents):  # a mean length of 0 is nothing to divide by
            nothing = np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int32)
            return cls(*nothing, np.zeros(n_terms + 1, dtype=np.int64), len(documents))
        import bm25s  # noqa: PLC0415  # where words are kept, none are indexed

        vocabulary = {str(term): term for term in range(n_terms)}
        engine = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
        engine.index(
            ([list(d) for d in documents], vocabulary),
            create_empty_token=False,
            show_progress=False,
        )
        scores = engine.scores
        return cls(
            np.asarray(scores["data"], dtype=np.float32),
            np.asarray(scores["indices"], dtype=np.int32),
            np.asarray(scores["indptr"], dtype=np.int64),
            len(documents),
        )

    def scores(self, terms: Sequence[int]) -> NDArray[np.float32]:
        """Score every document; shape (n_documents,). A term that is repeated counts again."""
        total = np.zeros(self.n_documents, dtype=np.float32)
        for term in terms:
            part = slice(self.starts[term], self.starts[term + 1])
            total[self.rows[part]] += self.data[part]  # a term stands once in each document's list
        return total
