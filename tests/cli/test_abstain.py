"""`nextcall abstain fit`, through the real entry point."""

import sys
from pathlib import Path

import pytest

from nextcall.catalog import Catalog, describe_operation
from nextcall.cli.main import main
from nextcall.ranking.model_files import load_ranker
from nextcall.sessions import Query
from nextcall.sessions.jsonl import write_queries

NOUNS = ("User", "Order", "Invoice", "Basket", "Parcel", "Coupon")
VERBS = {"List": "list all the {}s", "Get": "show me one {}", "Create": "make a new {}",
         "Delete": "remove the {} for good"}  # fmt: skip
FOREIGN = ("planet", "song", "recipe", "flight", "patient", "goal")


def _catalog(name: str, nouns: tuple[str, ...]) -> Catalog:
    return Catalog(
        name,
        tuple(
            describe_operation(
                operation_id=f"{verb}{noun}",
                method="POST",
                path=f"/{noun.lower()}s/{verb.lower()}",
                service=f"{noun.lower()}s",
                summary=f"{said.format(noun)} now",
                description=f"{verb}s what is known of a {noun.lower()}, as it stands.",
            )
            for noun in nouns
            for verb, said in VERBS.items()
        ),
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model, its catalogue with prompts, and foreign catalogues of six providers."""
    monkeypatch.setenv("NEXTCALL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("NEXTCALL_DEBUG", raising=False)
    catalog = _catalog("shop", NOUNS)
    catalog.save(tmp_path / "shop.parquet")
    queries = [
        Query(query_id=name, prompt=f"{said.format(noun)}", relevant=(name,))
        for noun in NOUNS
        for verb, said in VERBS.items()
        for name in [f"{verb}{noun}"]
    ]
    write_queries(queries, tmp_path / "queries.jsonl")
    for noun in FOREIGN:
        things = (noun, f"{noun} tag", f"{noun} fan")
        _catalog(f"{noun}.com", things).save(tmp_path / "apis" / f"{noun}.com.parquet")
    trained = (
        *("--catalog", tmp_path / "shop.parquet", "--queries", tmp_path / "queries.jsonl"),
        *("--output", tmp_path / "model", "--trees", 4, "--simulated", 0),
    )
    assert _run(monkeypatch, "train", *trained) == 0
    return tmp_path


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["nextcall", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_the_trees_stay_and_what_abstains_is_new(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (
        *("abstain", "fit", "--model", folder / "model", "--catalog", folder / "shop.parquet"),
        *("--queries", folder / "queries.jsonl", "--apis", folder / "apis"),
        *("--catalogs", 10, "--providers", 3),
    )
    before, card = load_ranker(folder / "model")
    fitted = []
    for seed in (1, 1, 2):
        assert _run(monkeypatch, *arguments, "--seed", seed) == 0
        assert "learned to abstain, before a background of" in capsys.readouterr().err
        ranker, kept = load_ranker(folder / "model")
        assert kept == card
        assert ranker.trees_.to_text() == before.trees_.to_text()
        assert ranker.abstention_ is not None
        fitted.append(ranker.abstention_.to_dict())
    assert before.abstention_ is not None
    assert before.abstention_.to_dict() != fitted[0] == fitted[1] != fitted[2]


def test_a_folder_without_a_ranker_ends_before_any_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--queries", folder / "queries.jsonl", "--apis", folder / "apis")
    code = _run(monkeypatch, "abstain", "fit", "--model", folder / "none", *arguments)
    error = capsys.readouterr().err
    assert code == 2
    assert error.startswith(f"error: {folder / 'none'}: must hold a ranker")
