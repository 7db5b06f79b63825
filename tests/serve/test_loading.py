"""From files to answers, whatever lies in the model's folder."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from nextcall.catalog import Catalog, CatalogError, describe_operation
from nextcall.embedding import OnnxEmbedder
from nextcall.embedding.gathering import GatheringEmbedder
from nextcall.embedding.static_embedder import StaticEmbedder
from nextcall.embedding.static_files import EncoderCard, save_static
from nextcall.embedding.wordpieces import N_PIECES
from nextcall.ranking.adapted_features import ADAPTED_NAMES
from nextcall.ranking.adapted_ranker import AdaptedRanker
from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.ranking.model_files import save_ranker
from nextcall.ranking.ranker import CallRanker
from nextcall.serve.loading import load_predictor
from nextcall.serve.predictor import Predictor
from nextcall.serve.schemas import PredictRequest
from nextcall.serve.settings import Settings
from nextcall.sessions import Query
from nextcall.training.opening import save_trained


def test_a_whole_model_is_used(predictor: Predictor) -> None:
    assert predictor.ranker is not None
    assert predictor.fallback_reason is None
    assert predictor.card is not None
    assert predictor.card.catalog_hash == predictor.index.catalog.content_hash


@pytest.mark.parametrize("damage", ["missing", "truncated", "changed", "no json", "other features"])
def test_a_damaged_model_is_told_and_not_used(
    predictor: Predictor, settings: Settings, tmp_path: Path, damage: str
) -> None:
    assert predictor.ranker is not None
    model = tmp_path / "model"
    if damage != "missing":
        shutil.copytree(settings.model, model)
        values = model / "ranker.json"
        trees = next(model.glob("trees-*.txt"))
        if damage == "truncated":
            trees.write_bytes(trees.read_bytes()[:1000])
        elif damage == "changed":
            content = json.loads(values.read_text())
            content["calibration"]["weights"][0] += 1
            values.write_text(json.dumps(content))
        elif damage == "no json":
            values.write_bytes(b"\x00\xff")
        else:
            values.write_text("[]")
    loaded = load_predictor(
        settings.model_copy(update={"model": model, "max_history": 7, "cold_start_confidence": 0.9})
    )
    assert (loaded.ranker, loaded.card) == (None, None)
    assert loaded.max_history == 7
    assert loaded.confidence_threshold == 0.9
    assert loaded.fallback_reason is not None
    assert loaded.fallback_reason.startswith("model")
    assert str(tmp_path) not in loaded.fallback_reason
    answer = loaded.predict(PredictRequest(prompt="list queues", max_predictions=3))
    assert len(answer.predictions) == 3


def test_a_ranker_without_the_encoder_that_it_was_trained_with_is_not_used(
    predictor: Predictor, settings: Settings, tmp_path: Path
) -> None:
    assert isinstance(predictor.ranker, CallRanker)
    assert predictor.card is not None
    card = replace(predictor.card, embedder="static-0123456789abcdef")
    save_ranker(predictor.ranker, tmp_path / "model", card=card)
    loaded = load_predictor(settings.model_copy(update={"model": tmp_path / "model"}))
    assert loaded.ranker is None
    assert loaded.fallback_reason is not None
    assert loaded.fallback_reason.startswith("model/static-0123456789abcdef: must hold a static")
    assert (
        len(loaded.predict(PredictRequest(prompt="list queues", max_predictions=3)).predictions)
        == 3
    )
    by_network = settings.model_copy(update={"model": tmp_path / "model", "encoder": "minilm"})
    assert load_predictor(by_network).ranker is not None


def test_prompts_are_gathered_where_they_are_encoded_by_a_network(
    predictor: Predictor, settings: Settings, tmp_path: Path
) -> None:
    embedder = predictor.index.embedder
    assert isinstance(embedder, GatheringEmbedder)
    assert embedder.name == OnnxEmbedder().name
    vectors = np.ones((N_PIECES, embedder.dimensions), np.float32)
    blank = np.ones(embedder.dimensions)
    static = StaticEmbedder.of(vectors, blank=blank, teacher=embedder.name)
    catalog = predictor.index.catalog
    card = EncoderCard(
        catalog=catalog.name, catalog_hash=catalog.content_hash, n_texts=1, made_at="2026-05-01"
    )
    save_static(static, tmp_path, card=card)
    by_table = load_predictor(settings.model_copy(update={"encoder": str(tmp_path)}))
    assert isinstance(by_table.index.embedder, StaticEmbedder)


def test_a_catalogue_is_needed(settings: Settings, tmp_path: Path) -> None:
    missing = settings.model_copy(update={"catalog": tmp_path / "none.parquet"})
    with pytest.raises(FileNotFoundError, match=r"none\.parquet"):
        load_predictor(missing)
    other = tmp_path / "other.parquet"
    other.write_text("no catalogue")
    with pytest.raises(CatalogError, match=r"other\.parquet"):
        load_predictor(settings.model_copy(update={"catalog": other}))


@pytest.fixture(scope="module")
def adapted(
    predictor: Predictor, queries: list[Query], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Write a ranker that was adapted to some of the prompts."""
    assert isinstance(predictor.ranker, CallRanker)
    assert predictor.card is not None
    own = [replace(each, session_id=f"s{place}") for place, each in enumerate(queries[:24])]
    ranker = predictor.ranker.adapt(predictor.index, own, rng=np.random.default_rng(0))
    folder = tmp_path_factory.mktemp("adapted")
    card = replace(
        predictor.card,
        embedder=predictor.index.embedder.name,
        metrics={"held_out.ndcg@10": 0.75},
    )
    save_trained(ranker, folder, card=card, base_card=predictor.card)
    return folder


def test_an_adapted_ranker_is_served(
    adapted: Path, predictor: Predictor, settings: Settings, queries: list[Query]
) -> None:
    loaded = load_predictor(settings.model_copy(update={"model": adapted}))
    assert loaded.fallback_reason is None
    assert isinstance(loaded.ranker, AdaptedRanker)
    assert loaded.model_version != predictor.model_version
    now = datetime(2026, 5, 1, tzinfo=UTC)
    for query in queries[:3]:
        history = [{"api_call": each.operation_id} for each in query.history]
        asked = PredictRequest.model_validate(
            {"prompt": query.prompt, "history": history, "max_predictions": 4}
        )
        expected = loaded.ranker.rank(loaded.index, query.prompt, query.history, k=4, now=now)
        found = loaded.predict_fully(asked, now=now)
        assert found.metadata.model_version == loaded.model_version
        for one, right in zip(found.predictions, expected, strict=True):
            assert (one.operation_id, one.confidence) == (
                right.operation.operation_id,
                right.confidence,
            )
            assert list(one.ml_features or ()) == [*FEATURE_NAMES, *ADAPTED_NAMES]
            assert one.reasoning.startswith(("Its score was raised most by", "Nothing raised"))


def test_a_ranker_that_was_adapted_to_another_catalogue_is_not_used(
    adapted: Path, settings: Settings, tmp_path: Path
) -> None:
    one = describe_operation(operation_id="List", service="s", description="Lists.")
    Catalog("other", (one,)).save(tmp_path / "other.parquet")
    changed = {"model": adapted, "catalog": tmp_path / "other.parquet"}
    loaded = load_predictor(settings.model_copy(update=changed))
    assert loaded.ranker is None
    assert loaded.fallback_reason is not None
    assert "must be of the catalogue that was adapted to, got 'other'" in loaded.fallback_reason
