"""Full-text search over a catalogue, for a person who looks for an operation."""

import re
from collections.abc import Iterable
from typing import Final

import bm25s
import numpy as np
import Stemmer
from numpy.typing import NDArray

from nextcall.catalog.catalog import Catalog
from nextcall.catalog.operation import Operation
from nextcall.catalog.text import identifier_words

_TOKEN: Final = re.compile(r"[A-Za-z0-9]+")
_NAME_WEIGHT: Final = 2.0  # what a name's score counts against that of the documentation
_DESCRIPTION_CHARACTERS: Final = 500  # what comes later is examples and limits


def search(catalog: Catalog, query: str, k: int = 10) -> list[tuple[Operation, float]]:
    """Find operations by words of their names and documentation.

    BM25 over names and over documentation, added; names that the query leaves words of unnamed
    count less.

    Parameters
    ----------
    catalog : Catalog
        What to search.
    query : str
        Words, or an identifier such as ``DescribeInstances``, which is split into its words.
    k : int, default 10
        How many operations to give at most, at least 1.

    Returns
    -------
    list of tuple of Operation and float
        Operations with at least one word of the query and their score, the highest first.

    Raises
    ------
    ValueError
        Where `k` is less than 1 or the query holds no word.

    Examples
    --------
    >>> from nextcall.catalog import Catalog, describe_operation
    >>> ids = ("ec2:RunInstances", "s3:CreateBucket")
    >>> catalog = Catalog("two", tuple(describe_operation(operation_id=one) for one in ids))
    >>> [operation.operation_id for operation, _ in search(catalog, "creating buckets")]
    ['s3:CreateBucket']
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}.")
    stemmer = Stemmer.Stemmer("english")
    wanted = list(dict.fromkeys(stemmer.stemWords(_words(query))))
    if not wanted:
        raise ValueError(f"query must hold at least one word, got {query!r}.")
    scores = _NAME_WEIGHT * _scores(map(_name_words, catalog), wanted, stemmer)
    scores += _scores(map(_text_words, catalog), wanted, stemmer)
    known = frozenset(wanted)
    covered = [_covered(operation, known, stemmer) for operation in catalog]
    scores *= 0.5 + 0.5 * np.array(covered)  # "describe instances": not DescribeInstanceTopology
    best = np.argsort(-scores, kind="stable")[:k]
    return [(catalog.operations[row], float(scores[row])) for row in best if scores[row] > 0]


def _scores(
    texts: Iterable[list[str]], wanted: list[str], stemmer: Stemmer.Stemmer
) -> NDArray[np.float64]:
    index = bm25s.BM25()
    index.index([stemmer.stemWords(words) or [""] for words in texts], show_progress=False)
    scores: NDArray[np.float64] = index.get_scores(wanted).astype(np.float64)
    return scores


def _covered(operation: Operation, known: frozenset[str], stemmer: Stemmer.Stemmer) -> float:
    """Give the share of the words of a name that the query has."""
    words = stemmer.stemWords(list(operation.words))
    return sum(word in known for word in words) / len(words) if words else 0.0


def _name_words(operation: Operation) -> list[str]:
    """Give the words of name and service, and the name as a whole, for it may be what is typed."""
    whole = "".join(operation.words)
    return [*operation.words, whole, *_words(operation.service)]


def _text_words(operation: Operation) -> list[str]:
    description = operation.description[:_DESCRIPTION_CHARACTERS]
    return _words(f"{operation.summary} {description} {' '.join(operation.tags)}")


def _words(text: str) -> list[str]:
    """Split text into lower-case words; of an identifier, its words and itself."""
    words: list[str] = []
    for token in _TOKEN.findall(text):
        parts = identifier_words(token)
        words.extend(parts)
        if len(parts) > 1:
            words.append(token.lower())
    return words
