"""A catalogue opened for a model: with the encoder that the model was trained with."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nextcall.catalog import Catalog
from nextcall.embedding import OnnxEmbedder, vectors_key
from nextcall.embedding.static_embedder import StaticEmbedder
from nextcall.embedding.static_files import EncoderCard, EncoderError, save_static
from nextcall.embedding.wordpieces import piece_texts
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.model_files import ModelCard, load_ranker, save_ranker
from nextcall.ranking.ranker import CallRanker
from nextcall.training.opening import distilled as distilled_for
from nextcall.training.opening import open_for_model, open_index, save_trained
from nextcall.training.recipe import Material, Recipe
from nextcall.training.train import fit_for_use

Encoder = tuple[StaticEmbedder, EncoderCard]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, pieces: NDArray[np.float32]) -> Path:
    """A cache that holds the vectors of the word pieces, which would take half a minute."""
    folder = tmp_path_factory.mktemp("cache")
    kept = folder / "vectors" / f"{vectors_key(OnnxEmbedder(), piece_texts())}.npy"
    kept.parent.mkdir()
    np.save(kept, pieces)
    return folder


@pytest.fixture(scope="module")
def small(aws: Catalog) -> Catalog:
    return aws.subset([o.operation_id for o in aws if o.service == "sqs"], name="aws")


@pytest.fixture(scope="module")
def trained(
    index: CatalogIndex, material: Material, recipe: Recipe, distilled: Encoder
) -> tuple[CallRanker, ModelCard]:
    ranker, card = fit_for_use(index, material, recipe=recipe, seed=0)
    return ranker, replace(card, embedder=distilled[0].name)


@pytest.fixture
def model(tmp_path: Path, trained: tuple[CallRanker, ModelCard], distilled: Encoder) -> Path:
    save_trained(trained[0], tmp_path / "model", card=trained[1], encoder=distilled)
    return tmp_path / "model"


def test_a_model_brings_its_encoder(
    model: Path, small: Catalog, cache: Path, distilled: Encoder
) -> None:
    _, card = load_ranker(model)
    index = open_for_model(small, model, card, cache=cache)
    assert index.embedder.name == distilled[0].name
    asked = ["receive a message", "delete a queue"]
    np.testing.assert_array_equal(index.encode_prompts(asked), distilled[0].encode(asked))
    assert index.teacher.name == OnnxEmbedder().name
    np.testing.assert_array_equal(index.vectors, open_index(small, cache=cache).vectors)


def test_another_catalogue_is_asked_by_minilm(model: Path, small: Catalog, cache: Path) -> None:
    _, card = load_ranker(model)
    other = Catalog("other", small.operations)
    assert open_for_model(other, model, card, cache=cache).embedder.name == OnnxEmbedder().name


def test_minilm_and_a_folder_may_be_asked_for(
    model: Path, small: Catalog, cache: Path, distilled: Encoder, tmp_path: Path
) -> None:
    _, card = load_ranker(model)
    by_name = open_for_model(small, model, card, encoder="minilm", cache=cache)
    assert by_name.embedder.name == OnnxEmbedder().name
    save_static(distilled[0], tmp_path / "own", card=distilled[1])
    other = Catalog("other", small.operations)
    by_folder = open_for_model(other, model, card, encoder=str(tmp_path / "own"), cache=cache)
    assert by_folder.embedder.name == distilled[0].name
    with pytest.raises(EncoderError, match="must hold a static encoder"):
        open_for_model(small, model, card, encoder=str(tmp_path / "no"), cache=cache)


def test_a_model_without_its_encoder_is_refused(model: Path, small: Catalog, cache: Path) -> None:
    _, card = load_ranker(model)
    (model / card.embedder / "encoder.json").unlink()
    with pytest.raises(EncoderError, match="must hold a static encoder"):
        open_for_model(small, model, card, cache=cache)


def test_an_encoder_is_distilled_once(small: Catalog, cache: Path, model: Path) -> None:
    _, card = load_ranker(model)
    index = open_for_model(small, model, card, encoder="static", cache=cache)
    [folder] = (cache / "encoders").iterdir()
    written = (folder / "encoder.json").stat().st_mtime_ns
    again, made = distilled_for(open_index(small, cache=cache), cache=cache)
    assert again.name == index.embedder.name
    assert made.catalog_hash == small.content_hash
    assert (folder / "encoder.json").stat().st_mtime_ns == written
    brief = CatalogIndex(small, OnnxEmbedder(), document_embedder=OnnxEmbedder(max_tokens=8))
    assert distilled_for(brief, cache=cache)[0].name != again.name  # of other vectors
    (folder / "encoder.json").write_text("damaged")
    assert distilled_for(open_index(small, cache=cache), cache=cache)[0].name == again.name


def test_a_model_trained_anew_leaves_no_old_encoder(
    model: Path, trained: tuple[CallRanker, ModelCard], distilled: Encoder, index: CatalogIndex
) -> None:
    ranker, card = trained
    assert [path.name for path in model.glob("static-*")] == [card.embedder]
    plain = replace(card, embedder=index.embedder.name)
    save_trained(ranker, model, card=plain, encoder=distilled)  # not the one that was chosen
    assert not list(model.glob("static-*"))
    save_ranker(ranker, model, card=plain)
    assert load_ranker(model)[1] == plain
