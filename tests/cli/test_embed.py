"""`nextcall embed`, run as a user runs it."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from nextcall.catalog import Catalog, describe_operation
from nextcall.cli.embed import app
from nextcall.embedding import OnnxEmbedder, vectors_key
from nextcall.embedding.base_map import read_map
from nextcall.embedding.static_files import load_static
from nextcall.embedding.wordpieces import N_PIECES, piece_texts
from nextcall.sessions import Query
from nextcall.sessions.jsonl import write_queries

NOUNS = ("user", "order", "invoice", "basket")
VERBS = ("list", "create", "delete")


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalogue, prompts for it, and the vectors of the word pieces where they are kept."""
    monkeypatch.setenv("NEXTCALL_CACHE_DIR", str(tmp_path / "cache"))
    catalog = Catalog(
        "shop",
        tuple(
            describe_operation(operation_id=f"{verb}_{noun}", service=noun, summary=f"{verb}s it.")
            for noun in NOUNS
            for verb in VERBS
        ),
    )
    catalog.save(tmp_path / "shop.parquet")
    queries = [
        Query(query_id=one.operation_id, prompt=" ".join(one.words), relevant=(one.operation_id,))
        for one in catalog
    ]
    write_queries(queries, tmp_path / "queries.jsonl")
    # Drawn, for the teacher's own would take half a minute; only words of the shop are its own.
    texts, teacher = piece_texts(), OnnxEmbedder()
    drawn = np.random.default_rng(0).standard_normal((N_PIECES, 384), dtype=np.float32)
    words = [texts.index(word) for word in (*NOUNS, *VERBS) if word in texts]
    drawn[words] = teacher.encode([texts[row] for row in words])
    kept = tmp_path / "cache" / "vectors" / f"{vectors_key(teacher, texts)}.npy"
    kept.parent.mkdir(parents=True)
    np.save(kept, drawn / np.linalg.norm(drawn, axis=1, keepdims=True))
    return tmp_path


def test_an_encoder_is_distilled_measured_and_kept(shop: Path) -> None:
    result = run(
        "distill", "--catalog", shop / "shop.parquet", "--output", shop / "encoder",
        "--queries", shop / "queries.jsonl", "--pairs", "7",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    embedder, card = load_static(shop / "encoder")
    assert len(embedder.pairs) == 7
    assert card.metrics["dense.ndcg@10"] > 0.95
    assert "dense.teacher.ndcg@10" in result.stdout
    assert embedder.name in result.stderr
    assert "36 texts" in result.stderr


def test_a_map_is_fitted_and_kept_with_its_teacher(shop: Path) -> None:
    result = run("map", "--catalog", shop / "shop.parquet", "--output", shop / "map.npz")
    assert result.exit_code == 0, result.output
    teacher, values = read_map(shop / "map.npz")
    assert teacher == OnnxEmbedder().name
    assert values.shape == (384, 384)
    assert "Map of 12 operations" in result.stderr


def test_prompts_are_no_part_of_what_is_learned(shop: Path) -> None:
    for folder in ("first", "second"):
        result = run("distill", "--catalog", shop / "shop.parquet", "--output", shop / folder)
        assert result.exit_code == 0, result.output
        assert result.stdout == ""
    first, second = (load_static(shop / folder) for folder in ("first", "second"))
    assert first[0].name == second[0].name
    assert dict(first[1].metrics) == {}
