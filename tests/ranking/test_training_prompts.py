"""The prompts that a ranker learned from: kept beside it, found again by meaning, or refused."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nextcall.locations import packaged_model
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.model_files import (
    ModelCard,
    ModelError,
    forget_prompts,
    load_prompts,
    load_ranker,
    save_prompts,
    save_ranker,
)
from nextcall.ranking.ranker import CallRanker
from nextcall.ranking.training_prompts import TrainingPrompts
from nextcall.sessions import Query

KEPT = TrainingPrompts(
    prompts=("To list the queues", "To rotate a secret ✂", "To request a certificate"),
    relevant=(("sqs:ListQueues",), ("secretsmanager:RotateSecret",), ("acm:RequestCertificate",)),
)
CARD = ModelCard(
    catalog="aws",
    catalog_hash="abc",
    embedder="minilm",
    trained_at="2026-01-05T12:00:00+00:00",
    seed=7,
    n_queries=3,
)


@pytest.fixture
def saved(ranker: CallRanker, tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    save_ranker(ranker, folder, card=CARD)
    return folder


@pytest.fixture
def kept(saved: Path) -> Path:
    """The file of the prompts."""
    save_prompts(KEPT, saved)
    (path,) = saved.glob("prompts-*.parquet")
    return path


def test_a_prompt_is_kept_once_with_all_its_answers() -> None:
    asked = [("a", ("x",)), (" ", ("x",)), ("b", ("y", "z")), ("a", ("z", "x"))]
    queries = [Query(query_id=str(i), prompt=p, relevant=r) for i, (p, r) in enumerate(asked)]
    found = TrainingPrompts.of(queries)
    assert found == TrainingPrompts(prompts=("a", "b"), relevant=(("x", "z"), ("y", "z")))
    assert len(found) == 2


def test_what_does_not_agree_is_refused() -> None:
    with pytest.raises(ValueError, match="equally many, got 1 and 2"):
        TrainingPrompts(prompts=("a",), relevant=(("x",), ("y",)))
    with pytest.raises(ValueError, match="must be distinct"):
        TrainingPrompts(prompts=("a", "a"), relevant=(("x",), ("y",)))


def test_the_nearest_are_those_of_the_highest_cosine(shop_index: CatalogIndex) -> None:
    vectors = shop_index.embedder.encode([*KEPT.prompts, "show every queue"])
    cosines = vectors[:-1] @ vectors[-1]
    order = np.argsort(-cosines)
    found = KEPT.nearest(shop_index, "show every queue", n=2)
    assert found["prompt"].tolist() == [KEPT.prompts[row] for row in order[:2]]
    assert found["relevant"].tolist() == [KEPT.relevant[row] for row in order[:2]]
    np.testing.assert_allclose(found["similarity"], cosines[order[:2]], atol=1e-6)
    assert found["prompt"][0] == "To list the queues"
    assert len(KEPT.nearest(shop_index, "x", n=9)) == 3
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        KEPT.nearest(shop_index, "x", n=0)


def test_prompts_come_back_as_they_were(saved: Path, kept: Path) -> None:
    assert load_prompts(saved) == KEPT
    assert load_ranker(saved)[1] == CARD  # whether prompts are kept or not
    forget_prompts(saved)
    assert not kept.exists()
    assert load_ranker(saved)[1] == CARD


def test_a_ranker_that_has_its_prompts_saves_them(
    ranker: CallRanker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranker, "prompts_", KEPT)
    save_ranker(ranker, tmp_path, card=CARD)
    assert load_prompts(tmp_path) == KEPT


def test_saving_the_same_trees_again_keeps_their_prompts(
    ranker: CallRanker, saved: Path, kept: Path
) -> None:
    assert ranker.prompts_ is None
    save_ranker(ranker, saved, card=CARD)
    assert kept.exists()
    assert load_prompts(saved) == KEPT


def test_the_prompts_of_other_trees_go(ranker: CallRanker, saved: Path, kept: Path) -> None:
    other = kept.with_name("prompts-0123456789ab.parquet")
    shutil.copy(kept, other)
    save_ranker(ranker, saved, card=CARD)
    assert kept.exists()
    assert not other.exists()


def test_a_model_without_prompts_says_so(saved: Path) -> None:
    rule = rf"{saved}: keeps no training prompts .* trained without keeping them"
    with pytest.raises(ModelError, match=rule):
        load_prompts(saved)
    with pytest.raises(ModelError, match="must hold a ranker"):
        load_prompts(saved / "no")
    with pytest.raises(ModelError, match="must hold a ranker"):
        save_prompts(KEPT, saved / "no")


def test_a_ranker_that_names_no_trees_has_no_prompts(tmp_path: Path) -> None:
    for trees in ({}, {"trees": 1}, {"trees": {"sha256": 1}}):
        values = {"format": "nextcall.ranker.1", **trees}
        digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
        (tmp_path / "ranker.json").write_text(json.dumps({**values, "sha256": digest}))
        with pytest.raises(ModelError, match=r"ranker.json: must state the sha256 of its trees"):
            load_prompts(tmp_path)


def test_damaged_prompts_are_refused_and_name_their_file(saved: Path, kept: Path) -> None:
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=rf"{kept}: must be a whole Parquet file"):
        load_prompts(saved)
    table = pq.read_table(pa.BufferReader(whole))
    changed = table.set_column(0, "prompt", pa.array(["x", "y", "z"]))
    pq.write_table(changed, kept)
    with pytest.raises(ModelError, match=rf"{kept}: .* it is damaged"):
        load_prompts(saved)
    pq.write_table(table.replace_schema_metadata({}), kept)
    with pytest.raises(ModelError, match=rf"{kept}: must be training prompts"):
        load_prompts(saved)
    pq.write_table(table.rename_columns(["text", "relevant"]), kept)
    with pytest.raises(ModelError, match=rf"{kept}: must be training prompts"):
        load_prompts(saved)


def test_the_packaged_ranker_keeps_the_public_titles_that_it_learned_from() -> None:
    kept = load_prompts(packaged_model())
    assert 4_500 < len(kept) < 6_500
    assert dict(zip(kept.prompts, kept.relevant, strict=True))["To create a bucket"] == (
        "s3:CreateBucket",
    )
