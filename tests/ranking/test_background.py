"""The background: directions and words that are kept, and what a catalogue leaves of it."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nextcall.catalog import Catalog
from nextcall.ranking.background import Background, Outlook
from nextcall.ranking.index import CatalogIndex


@pytest.fixture(scope="module")
def background(shop_index: CatalogIndex) -> Background:
    return Background.of_index(shop_index)


def vocabulary_words(index: CatalogIndex, ids: NDArray[np.int32]) -> list[str]:
    words = list(index.lexical.vocabulary)
    return [words[term] for term in ids if term < len(words)]


def test_operations_of_the_catalogues_own_kind_are_no_background(
    shop: Catalog, shop_index: CatalogIndex, aws: Catalog
) -> None:
    """A background with the catalogue itself in it speaks only through what is foreign to it."""
    mixed = Background.of_index(CatalogIndex(Catalog("mixed", (*aws, *shop)), shop_index.embedder))
    near = (mixed.vectors() @ shop_index.vectors.T).max(axis=1)
    outlook = Outlook.of(mixed, shop_index)
    assert 100 < len(outlook.vectors) < len(near) - len(shop)
    np.testing.assert_array_equal(outlook.vectors, mixed.vectors()[near < 0.45])
    assert outlook.usual == pytest.approx(np.median(near), abs=1e-5)
    low, high = np.quantile(near, [0.1, 0.9])
    assert outlook.spread == pytest.approx(high - low, abs=1e-5)


def test_a_hundred_stay_however_near(aws_index: CatalogIndex) -> None:
    """AWS before AWS: what remains is what is least like the rest of it."""
    same = Background.of_index(aws_index)
    outlook = Outlook.of(same, aws_index)
    assert len(outlook.vectors) == 100
    assert outlook.usual == pytest.approx(1, abs=1e-3)
    assert outlook.spread == pytest.approx(1e-3, abs=1e-3)


def test_each_word_is_as_rare_as_in_the_background(
    shop_index: CatalogIndex, aws_index: CatalogIndex, background: Background
) -> None:
    weights = Outlook.of(background, aws_index).weights
    vocabulary = aws_index.lexical.vocabulary
    assert weights[vocabulary["list"]] == pytest.approx(
        shop_index.lexical.weights[shop_index.lexical.vocabulary["list"]], abs=1e-4
    )
    assert "queue" not in background.weights
    queue = weights[vocabulary["queue"]]
    assert queue == pytest.approx(max(background.weights.values()))
    assert weights[-1] == 0


def test_vectors_of_another_model_are_refused(
    shop_index: CatalogIndex, background: Background
) -> None:
    other = replace(background, model="other")
    with pytest.raises(ValueError, match=r"vectors of 'other', as the background, got 'all-MiniLM"):
        Outlook.of(other, shop_index)


def test_the_background_keeps_directions_and_words(
    shop_index: CatalogIndex, background: Background
) -> None:
    cosine = (background.vectors() * shop_index.vectors).sum(axis=1)
    assert cosine.min() > 0.999
    rows = [set(vocabulary_words(shop_index, ids)) for ids in shop_index.lexical.terms["text"].ids]
    assert sum("invoic" in words for words in rows) > 1
    assert "invoic" in background.weights
    assert sum("basket" in words for words in rows) == 1
    assert "basket" not in background.weights
    assert background.weights["invoic"] > background.weights["order"]


def test_json_brings_the_same_background_back(background: Background) -> None:
    again = Background.from_dict(json.loads(json.dumps(background.to_dict())))
    np.testing.assert_array_equal(again.levels, background.levels)
    assert again.weights == background.weights


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda v: v.update(dimensions=0), "dimensions of the background"),
        (lambda v: v.update(dimensions=383), "rows of 383, got 8448 values"),
        (lambda v: v.update(levels="AAAA", dimensions=3), "no row of zeros"),
        (lambda v: v.update(levels=""), "rows of 384, got 0 values"),
        (lambda v: v.update(levels="?"), "base64|Only"),
        (lambda v: v.update(weights={"a": "b"}), "numbers by word"),
        (lambda v: v.update(weights=[]), "numbers by word"),
    ],
)
def test_values_of_another_form_are_refused(
    background: Background, change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    values = background.to_dict()
    change(values)
    with pytest.raises(ValueError, match=reason):
        Background.from_dict(values)
