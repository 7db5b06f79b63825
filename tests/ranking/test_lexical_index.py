"""The words of a catalogue: kept and read back exactly, built anew where the file is damaged."""

from collections import Counter
from math import log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextcall.catalog import Catalog, describe_operation
from nextcall.ranking.lexical_index import BM25_FIELDS, FIELDS, LexicalIndex
from nextcall.ranking.lexicon import stems


@pytest.fixture(scope="module")
def kept(shop: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lexical")
    LexicalIndex.cached(shop, folder)
    [path] = folder.iterdir()
    return path


def _assert_same(one: LexicalIndex, other: LexicalIndex) -> None:
    assert list(one.vocabulary.items()) == list(other.vocabulary.items())
    assert list(one.bigrams.items()) == list(other.bigrams.items())
    ours, theirs = one.arrays(), other.arrays()
    assert ours.keys() == theirs.keys()
    for name, values in ours.items():
        assert values.dtype == theirs[name].dtype
        np.testing.assert_array_equal(values, theirs[name], err_msg=name)
    for field, terms in one.terms.items():
        assert terms.pad == other.terms[field].pad
    for field in BM25_FIELDS:
        assert one.bm25[field].n_documents == other.bm25[field].n_documents


def test_what_is_kept_is_what_was_built(shop: Catalog, kept: Path) -> None:
    read = LexicalIndex.cached(shop, kept.parent)
    _assert_same(read, LexicalIndex.build(shop))
    assert set(read.terms) == {*FIELDS, "bigrams"}


def test_terms_of_all_fields_are_held_once(shop: Catalog, kept: Path) -> None:
    for index in (LexicalIndex.cached(shop, kept.parent), LexicalIndex.build(shop)):
        fields = [index.terms[field].ids for field in FIELDS]
        np.testing.assert_array_equal(index.ids, np.hstack(fields))
        assert all(np.shares_memory(index.ids, field) for field in fields)


def test_a_kept_file_is_read_and_not_written_again(shop: Catalog, kept: Path) -> None:
    before = kept.stat().st_mtime_ns
    LexicalIndex.cached(shop, kept.parent)
    assert kept.stat().st_mtime_ns == before


def test_another_content_has_another_file(shop: Catalog, tmp_path: Path) -> None:
    LexicalIndex.cached(shop, tmp_path)
    LexicalIndex.cached(Catalog("shop", shop.operations[1:]), tmp_path)
    LexicalIndex.cached(Catalog("other name", shop.operations), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_damaged_file_is_built_anew(
    shop: Catalog, kept: Path, tmp_path: Path, at: float, bit: int
) -> None:
    content = bytearray(kept.read_bytes())
    content[int(at * len(content))] ^= 1 << bit
    copy = tmp_path / kept.name
    copy.write_bytes(bytes(content))
    _assert_same(LexicalIndex.cached(shop, tmp_path), LexicalIndex.build(shop))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04"])
def test_a_file_that_is_none_of_ours_is_built_anew(
    shop: Catalog, kept: Path, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / kept.name
    path.write_bytes(content)
    LexicalIndex.cached(shop, tmp_path)
    assert path.stat().st_size == kept.stat().st_size


def test_rare_terms_weigh_more_than_common_ones_by_the_formula(shop: Catalog) -> None:
    lexical = LexicalIndex.build(shop)
    documents = [set(row) - {lexical.terms["name"].pad} for row in _full_terms(lexical)]
    kinds = Counter(term for document in documents for term in document)
    for term in lexical.vocabulary.values():
        expected = log(1 + (len(shop) - kinds[term] + 0.5) / (kinds[term] + 0.5))
        assert lexical.weights[term] == pytest.approx(expected, rel=1e-6)
    assert lexical.weights[-1] == 0


def _full_terms(lexical: LexicalIndex) -> list[list[int]]:
    """Terms of each whole document, as BM25's lists tell them."""
    bm25 = lexical.bm25["full"]
    rows: list[list[int]] = [[] for _ in range(bm25.n_documents)]
    for term in range(len(lexical.vocabulary)):
        for row in bm25.rows[bm25.starts[term] : bm25.starts[term + 1]]:
            rows[int(row)].append(term)
    return rows


def test_a_catalogue_without_a_single_latin_word_has_an_index_too() -> None:
    operations = (describe_operation(operation_id="取得"), describe_operation(operation_id="削除"))
    lexical = LexicalIndex.build(Catalog("wordless", operations))
    assert not lexical.vocabulary
    for field in BM25_FIELDS:
        assert lexical.bm25[field].scores([]).tolist() == [0, 0]


def test_a_wordless_catalogue_is_kept_too(tmp_path: Path) -> None:
    catalog = Catalog("wordless", (describe_operation(operation_id="取得"),))
    _assert_same(LexicalIndex.cached(catalog, tmp_path), LexicalIndex.cached(catalog, tmp_path))


@given(
    words=st.lists(st.sampled_from(["list", "orders", "user", "invoice", "labels", "zzz"])),
    depth=st.integers(1, 30),
)
def test_a_search_is_the_head_of_the_scores(shop: Catalog, words: list[str], depth: int) -> None:
    lexical = LexicalIndex.build(shop)
    known = dict.fromkeys(word for word in stems(words) if word in lexical.vocabulary)
    terms = [lexical.vocabulary[word] for word in known]
    listed, counts = np.empty((3, depth), dtype=np.int64), np.empty(3, dtype=np.int64)
    highest = np.empty(3, dtype=np.float32)
    scores = lexical.search(np.array(terms, dtype=np.int32), listed, counts, highest)
    np.testing.assert_array_equal(highest, scores.max(axis=1))
    for number, field in enumerate(BM25_FIELDS):
        np.testing.assert_array_equal(scores[number], lexical.bm25[field].scores(terms))
        sharing = [row for row in range(len(shop)) if scores[number, row] != 0]
        best = sorted(sharing, key=lambda row: -scores[number, row])[:depth]  # sorted now
        assert listed[number, : counts[number]].tolist() == best
