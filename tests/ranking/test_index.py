"""A catalogue as the ranker sees it."""

from pathlib import Path

import numpy as np

from nextcall.catalog import Catalog, describe_operation
from nextcall.embedding.embedder import Embedder
from nextcall.ranking.candidates import retrieve
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.operation_texts import label_text, operation_text


def test_vectors_are_those_of_both_texts_put_together(
    shop: Catalog, shop_index: CatalogIndex, embedder: Embedder
) -> None:
    text = embedder.encode([operation_text(operation) for operation in shop])
    label = embedder.encode([label_text(operation) for operation in shop])
    np.testing.assert_array_equal(shop_index.text_vectors, text)
    np.testing.assert_array_equal(shop_index.label_vectors, label)
    np.testing.assert_allclose(np.linalg.norm(shop_index.vectors, axis=1), 1, rtol=1e-6)
    cosine = (shop_index.vectors * (text + label)).sum(axis=1)
    np.testing.assert_allclose(cosine, np.linalg.norm(text + label, axis=1), rtol=1e-5)
    assert len(shop_index) == len(shop)


def test_vectors_and_words_are_kept_where_a_folder_is_given(
    shop: Catalog, shop_index: CatalogIndex, embedder: Embedder, tmp_path: Path
) -> None:
    class Refusing:
        name = embedder.name
        dimensions = embedder.dimensions

        def encode(self, *_: object, **__: object) -> np.ndarray:
            raise AssertionError("what is kept must not be encoded again")

    first = CatalogIndex(shop, embedder, cache=tmp_path)
    first.encode_prompts(["list users"])
    again = CatalogIndex(shop, Refusing(), cache=tmp_path)
    assert isinstance(again.text_vectors.base, np.memmap)  # they stay in their file
    for index in (first, again):
        np.testing.assert_array_equal(index.vectors, shop_index.vectors)
        np.testing.assert_array_equal(index.label_vectors, shop_index.label_vectors)
        np.testing.assert_array_equal(
            index.encode_prompts(["list users"]), embedder.encode(["list users"])
        )
        found = index.prompt_terms("list users")
        np.testing.assert_array_equal(found.ids, shop_index.prompt_terms("list users").ids)


def test_operations_may_be_encoded_by_another_embedder_than_prompts(
    shop: Catalog, embedder: Embedder
) -> None:
    class Backwards:
        """The same model over texts turned round."""

        name = "backwards"
        dimensions = embedder.dimensions

        def encode(self, texts: list[str], **_: object) -> np.ndarray:
            return embedder.encode([text[::-1] for text in texts])

    index = CatalogIndex(shop, embedder, document_embedder=Backwards())  # type: ignore[arg-type]
    expected = embedder.encode([operation_text(operation)[::-1] for operation in shop])
    np.testing.assert_array_equal(index.text_vectors, expected)
    np.testing.assert_array_equal(index.encode_prompts(["hi"]), embedder.encode(["hi"]))


def test_unknown_operations_have_no_row(shop_index: CatalogIndex) -> None:
    rows = shop_index.positions(["users:GetUser", "no:Such", "orders:ListOrders"])
    assert [shop_index.catalog.operations[row].operation_id for row in rows] == [
        "users:GetUser", "orders:ListOrders",
    ]  # fmt: skip
    assert shop_index.positions([]).shape == (0,)


def test_a_catalogue_without_a_single_latin_word_can_be_asked(embedder: Embedder) -> None:
    operations = (describe_operation(operation_id="取得"), describe_operation(operation_id="削除"))
    index = CatalogIndex(Catalog("wordless", operations), embedder)
    assert sorted(retrieve(index, "list users").rows.tolist()) == [0, 1]
    assert index.name_twins.tolist() == [1, 1]
