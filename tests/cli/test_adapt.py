"""The verb `adapt` through the real entry point: what it tells, writes and refuses."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nextcall.catalog import Catalog, describe_operation
from nextcall.catalog.jsonl import write_jsonl
from nextcall.cli.main import main
from nextcall.embedding.static_embedder import StaticEmbedder
from nextcall.embedding.static_files import EncoderCard, save_static
from nextcall.embedding.wordpieces import N_PIECES
from nextcall.locations import packaged_model
from nextcall.ranking.adapted_ranker import AdaptedRanker
from nextcall.ranking.any_ranker import load_any_ranker
from nextcall.ranking.model_files import load_ranker
from nextcall.sessions.jsonl import read_predictions

NOUNS = ("User", "Order", "Invoice")
VERBS = ("List", "Get", "Create", "Delete")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue; sessions of a habit that no text tells; prompts whose answers tell nothing."""
    folder = tmp_path_factory.mktemp("shops") / "shop"
    folder.mkdir()
    operations = tuple(
        describe_operation(
            operation_id=f"{verb}{noun}",
            service=f"{noun.lower()}s",
            description=f"{verb}s what the shop knows of a {noun.lower()}.",
        )
        for noun in NOUNS
        for verb in VERBS
    )
    write_jsonl(Catalog("shop", operations), folder / "catalog.jsonl")
    lines = []
    for number in range(18):
        run = ("GetUser", "DeleteInvoice") if number % 2 else ("ListOrder", "CreateUser")
        prompt = f"{'night' if number % 2 else 'day'} {number}"
        calls = [{"operation_id": name, "prompt": prompt} for name in run]
        lines.append({"session_id": f"s{number}", "user_id": f"u{number // 2}", "calls": calls})
    (folder / "sessions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    lines = []
    rng = np.random.default_rng(0)
    names = [each.operation_id for each in operations]
    lines = [
        {"prompt": f"thing {rng.integers(99)}", "relevant": [str(rng.choice(names))]}
        for _ in range(20)
    ]
    (folder / "noise.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("NEXTCALL_CACHE_DIR", str(folder / "cache"))
    monkeypatch.setenv("NEXTCALL_DATA_DIR", str(folder / "data"))
    monkeypatch.delenv("NEXTCALL_DEBUG", raising=False)

    def go(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["nextcall", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return go


def _adapt(run: Run, folder: Path, out: Path, *options: object) -> tuple[int, str, str]:
    return run("adapt", "--catalog", folder / "catalog.jsonl", "--output", out, *options)


@pytest.fixture
def model(run: Run, folder: Path) -> Path:
    """An adapted ranker, made by the command line once."""
    out = folder / "adapted"
    if not out.exists():
        code, told, said = _adapt(run, folder, out, "--sessions", folder / "sessions.jsonl")
        assert code == 0, said
        heading, *rows = [line.split() for line in told.splitlines()]
        assert heading == ["metric", "before", "after", "gain", "low", "high", "queries", "groups"]
        assert [row[0] for row in rows] == ["hit@1", "ndcg@10"]
        for _, before, after, gain, low, high, n, groups in rows:
            assert (int(n), int(groups)) == (36, 9)  # users, not sessions
            assert float(gain) == pytest.approx(float(after) - float(before), abs=0.0011)
            assert 0 < float(low) <= float(gain) <= float(high)
        assert "36 queries of 9 users or sessions" in said
    return out


def test_what_was_gained_is_told_and_kept(model: Path) -> None:
    ranker, card = load_any_ranker(model)
    assert isinstance(ranker, AdaptedRanker)
    assert (card.catalog, card.n_queries) == ("shop", 36)
    assert card.metrics["gain.ndcg@10"] == pytest.approx(
        card.metrics["held_out.ndcg@10"] - card.metrics["base.ndcg@10"]
    )
    assert ranker.base.digest == load_ranker(packaged_model())[0].digest


def test_an_adapted_ranker_predicts_and_ranks(model: Path, run: Run, folder: Path) -> None:
    given = ("--model", model, "--catalog", folder / "catalog.jsonl")
    code, told, said = run("predict", "night 99", "--history", "GetUser", "--json", *given)
    assert code == 0, said
    assert json.loads(told.splitlines()[0])["operation_id"] == "DeleteInvoice"
    code, told, said = run("predict", "night 99", "--history", "GetUser", "--why", *given)
    assert code == 0, said
    assert "contribution" in told
    (folder / "asked.jsonl").write_text('{"prompt": "day 99", "history": ["ListOrder"]}\n')
    output = folder / "ranked.jsonl"
    code, _, said = run("rank", "--queries", folder / "asked.jsonl", "--output", output, *given)
    assert code == 0, said
    assert read_predictions(output)[0].ranking[0] == "CreateUser"


@pytest.mark.parametrize("verb", ["evaluate", "explain"])
def test_what_needs_a_plain_ranker_says_so(model: Path, run: Run, folder: Path, verb: str) -> None:
    (folder / "asked.jsonl").write_text('{"prompt": "day 99", "relevant": ["ListOrder"]}\n')
    asked = ("--queries", folder / "asked.jsonl") if verb == "evaluate" else ("day",)
    given = ("--model", model, "--catalog", folder / "catalog.jsonl")
    code, _, said = run(verb, *asked, *given)
    assert code == 2
    assert "must be a ranker that is free of any catalogue, got an adapted one" in said


def test_another_catalogue_is_refused(model: Path, run: Run, folder: Path) -> None:
    one = describe_operation(operation_id="List", service="s", description="Lists.")
    write_jsonl(Catalog("other", (one,)), folder / "other.jsonl")
    code, _, said = run("predict", "list", "--model", model, "--catalog", folder / "other.jsonl")
    assert code == 2
    assert "index must be of the catalogue that was adapted to, got 'other'" in said


def test_a_worse_ranker_is_written_by_force_alone(run: Run, folder: Path, tmp_path: Path) -> None:
    out, queries = tmp_path / "worse", ("--queries", folder / "noise.jsonl")
    code, told, said = _adapt(run, folder, out, *queries)
    assert code == 2, told
    assert "nothing is written, for the adapted ranker is worse than its base" in said
    assert not out.exists()
    code, _, said = _adapt(run, folder, out, *queries, "--force")
    assert code == 0, said
    _, card = load_any_ranker(out)
    assert card.metrics["gain.ndcg@10"] < 0


def test_a_static_encoder_goes_with_what_was_adapted_with_it(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    vectors = np.random.default_rng(0).standard_normal((N_PIECES, 384), dtype=np.float32)
    embedder = StaticEmbedder.of(vectors, blank=np.ones(384), teacher="drawn")
    card = EncoderCard(catalog="shop", catalog_hash="c", n_texts=1, made_at="2026-05-01T00:00:00Z")
    save_static(embedder, tmp_path / "drawn", card=card)
    given = ("--sessions", folder / "sessions.jsonl", "--encoder", tmp_path / "drawn", "--force")
    code, _, said = _adapt(run, folder, tmp_path / "model", *given)
    assert code == 0, said
    _, kept = load_any_ranker(tmp_path / "model")
    assert kept.embedder == embedder.name
    assert (tmp_path / "model" / kept.embedder / "encoder.json").exists()
    (tmp_path / "drawn").rename(tmp_path / "away")
    asked = ("day 99", "--catalog", folder / "catalog.jsonl", "--model", tmp_path / "model")
    code, told, said = run("predict", *asked, "--json")
    assert code == 0, said
    assert len(told.splitlines()) == 5
    code, _, said = run("predict", *asked, "--encoder", "minilm")
    assert (code, "index must encode prompts by 'static-" in said) == (2, True)


def test_too_little_is_refused_before_any_work(run: Run, folder: Path, tmp_path: Path) -> None:
    code, _, said = _adapt(run, folder, tmp_path / "no")
    assert (code, "--queries or --sessions must be given, got neither" in said) == (2, True)
    few = tmp_path / "few.jsonl"
    few.write_text('{"prompt": "a", "relevant": ["GetUser"], "session_id": "one"}\n')
    code, _, said = _adapt(run, folder, tmp_path / "no", "--queries", few)
    assert code == 2
    assert "queries must come from at least three users or sessions" in said
