"""Words, their padding, and BM25 against bm25s and against its formula."""

from collections import Counter
from math import log

import bm25s
import numpy as np
import pytest
import Stemmer
from hypothesis import given
from hypothesis import strategies as st

from nextcall.ranking.lexicon import STOPWORDS, Bm25, pad_terms, prompt_words, stem, stems

N_TERMS = 9
documents = st.lists(st.lists(st.integers(0, N_TERMS - 1), max_size=12), min_size=1, max_size=15)
queries = st.lists(st.integers(0, N_TERMS - 1), max_size=6)


def _filled(rows: list[list[int]]) -> list[list[int]]:
    """One row at least has a term: bm25s divides by the mean length."""
    return rows if any(rows) else [*rows, [0]]


@given(documents, queries)
def test_bm25_agrees_with_its_formula(rows: list[list[int]], terms: list[int]) -> None:
    mean = sum(map(len, rows)) / len(rows) or 1
    kinds = Counter(term for row in rows for term in set(row))
    expected = [
        sum(
            log(1 + (len(rows) - kinds[term] + 0.5) / (kinds[term] + 0.5))
            * row.count(term)
            / (row.count(term) + 1.5 * (0.25 + 0.75 * len(row) / mean))
            for term in terms
        )
        for row in rows
    ]
    found = Bm25.build(rows, n_terms=N_TERMS).scores(terms)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@given(documents, queries.filter(bool))
def test_bm25_agrees_with_bm25s(rows: list[list[int]], terms: list[int]) -> None:
    rows = _filled(rows)
    engine = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    vocabulary = {str(term): term for term in range(N_TERMS)}
    engine.index((rows, vocabulary), create_empty_token=False, show_progress=False)
    found = Bm25.build(rows, n_terms=N_TERMS).scores(terms)
    np.testing.assert_allclose(found, engine.get_scores_from_ids(terms), rtol=1e-5, atol=1e-7)


def test_stems_are_snowballs_and_stop_words_are_dropped() -> None:
    snowball = Stemmer.Stemmer("english")
    words = ["listing", "the", "policies", "of", "users", "describe"]
    assert stems(words) == [snowball.stemWord(w) for w in words if w not in {"the", "of"}]
    assert stem("users") == "user"


def test_no_verb_and_no_noun_of_an_api_is_a_stop_word() -> None:
    assert STOPWORDS.isdisjoint({"get", "put", "list", "all", "new", "not", "state", "time"})
    assert all(word.islower() for word in STOPWORDS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("List VPCs, please.", ["list", "vpcs", "please"]),
        ("get_user-by.id", ["get", "user", "by", "id"]),
        ("describe-db-instances in eu2", ["describe", "db", "instances", "in", "eu", "2"]),
        ("", []),
        ("¿?! — …", []),
    ],
)
def test_a_prompt_falls_into_words(text: str, words: list[str]) -> None:
    assert prompt_words(text) == words


@given(documents, st.integers(1, 5))
def test_padded_terms_are_the_first_distinct_ones(rows: list[list[int]], width: int) -> None:
    weights = np.append(np.arange(1, N_TERMS + 1), 0).astype(np.float32)
    padded = pad_terms(rows, weights, width=width)
    assert padded.ids.shape == (len(rows), width)
    assert padded.pad == N_TERMS
    for row, ids, weight in zip(rows, padded.ids.tolist(), padded.weight, strict=True):
        kept: list[int] = []
        for term in row:
            if term not in kept and len(kept) < width:
                kept.append(term)
        assert ids == kept + [N_TERMS] * (width - len(kept))
        assert weight == sum(term + 1 for term in kept)
