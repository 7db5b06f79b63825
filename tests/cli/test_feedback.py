"""`nextcall feedback`: tells, exports and trains on what was given to a real database."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nextcall.catalog import Catalog, describe_operation
from nextcall.cli.main import app, main
from nextcall.feedback.draft import Draft
from nextcall.feedback.feedback import Feedback
from nextcall.feedback.shown import Shown, ShownPredictions
from nextcall.ranking.adapted_ranker import AdaptedRanker
from nextcall.ranking.any_ranker import load_any_ranker
from nextcall.ranking.model_files import load_ranker
from nextcall.sessions.jsonl import read_queries, write_queries
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate

NOUNS = ("User", "Order", "Invoice", "Basket", "Parcel", "Coupon")
VERBS = ("List", "Get", "Create", "Delete")
START = datetime(2026, 5, 1, tzinfo=UTC)

Fill = Callable[..., None]


@pytest.fixture
def fill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fill]:
    """Give what puts feedback into the database that the command line asks for."""
    url = f"sqlite:///{tmp_path}/nextcall.db"
    monkeypatch.setenv("NEXTCALL_DATABASE_URL", url)
    monkeypatch.setenv("NEXTCALL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("NEXTCALL_DATA_DIR", str(tmp_path))
    with Database(url) as database:
        migrate(database)
        with Feedback(database, ShownPredictions(keep=timedelta(days=999))) as feedback:

            def give(prompts: bool = True, gone: bool = False) -> None:  # noqa: FBT001, FBT002  # of a test
                calls = [f"{verb}{noun}" for noun in NOUNS for verb in VERBS]
                if gone:
                    calls.append("Forgotten")
                for place, call in enumerate(calls):
                    at = START + timedelta(days=place % 2, minutes=place)
                    first = "ListUser" if place % 4 else call
                    shown = Shown(
                        at=at,
                        user=f"u{place // 4}",
                        model_version=f"m{place % 2}",
                        catalog_hash="c",
                        operations=tuple(dict.fromkeys((first, call))),
                        confidences=(0.5, 0.25),
                        prompt=f"please {call.lower()} for me" if prompts else None,
                    )
                    feedback.shown.remember(str(place), shown)
                    feedback.give(str(place), call, at=at, user=shown.user)

            yield give


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["feedback", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def test_the_summary_is_a_table_or_json(fill: Fill) -> None:
    fill()
    heading, *lines = run("summary").stdout.splitlines()
    assert heading.split()[:4] == ["model_version", "answers", "users", "hit_at_1"]
    cells = [line.split() for line in lines]
    assert [each[:3] for each in cells] == [["m0", "12", "6"], ["m1", "12", "6"]]
    # Every fourth call stood first, and ListUser's own; all others stood second.
    assert [each[3] for each in cells] == ["0.500", "0.000"]
    told = json.loads(run("summary", "--json", "--days", "1").stdout)
    assert [each["since"][:10] for each in told] == ["2026-05-01", "2026-05-02"]
    assert [each["mrr"] for each in told] == [0.75, 0.5]
    assert told[0]["hit_at_1.low"] < 0.5 < told[0]["hit_at_1.high"]
    late = json.loads(run("summary", "--json", "--since", "2026-05-02").stdout)
    assert [each["model_version"] for each in late] == ["m1"]
    assert len(run("summary", "--days", "1").stdout.splitlines()) == 3


def test_interleaved_models_are_compared(fill: Fill, tmp_path: Path) -> None:
    fill()  # one model each
    assert "no feedback of that time on interleaved lists" in run("interleaved").stderr
    assert json.loads(run("interleaved", "--json").stdout) == []
    draft = Draft(challenger="m9", lists=(("a", "b"), ("c", "d")), teams=(0, 1))
    shown, now = ShownPredictions(), datetime.now(UTC)
    with (
        Database(f"sqlite:///{tmp_path}/nextcall.db") as database,
        Feedback(database, shown) as feedback,
    ):
        for place in range(40):
            one = Shown(
                at=now,
                user=f"u{place % 10}",
                model_version="m0",
                catalog_hash="c",
                operations=("a", "c"),
                confidences=(None, 0.5),
                draft=draft,
            )
            shown.remember(f"i{place}", one)
            chosen = "a" if place < 3 else "c"
            feedback.give(f"i{place}", chosen, at=now - timedelta(days=place // 20), user=one.user)
    heading, line, verdict = run("interleaved").stdout.splitlines()
    assert heading.split()[:5] == ["model_version", "challenger", "answers", "users", "taken"]
    assert line.split()[:7] == ["m0", "m9", "40", "10", "40", "3.000", "37.000"]
    assert verdict.startswith("m9 is preferred to m0: +0.850 of an answer goes to the challenger")
    (told,) = json.loads(run("interleaved", "--json", "--days", "0.5").stdout)
    assert (told["answers"], told["credit.challenger"], told["preferred"]) == (20, 17, "challenger")
    assert told["difference.low"] < told["difference"] == 0.7 < told["difference.high"]
    (late,) = json.loads(
        run("interleaved", "--json", "--until", f"{now - timedelta(hours=1)}").stdout
    )
    assert late["answers"] == 20


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (("--days", 0), "days must be above 0, up to 36,500, got 0"),
        (("--days", "nan"), "days must be above 0, up to 36,500, got nan"),
        (("--days", 7, "--since", "2026-05-01"), "days must not be given beside since, got 7"),
    ],
)
def test_days_that_are_none_are_refused(fill: Fill, options: tuple[object, ...], rule: str) -> None:
    del fill
    with pytest.raises(ValueError, match=rule):
        run("interleaved", *options)


def test_without_feedback_that_is_said(fill: Fill) -> None:
    del fill
    assert "There is no feedback of that time." in run("summary").stderr
    assert json.loads(run("summary", "--json").stdout) == []


def test_the_export_is_what_a_ranker_learns_from(fill: Fill, tmp_path: Path) -> None:
    fill()
    output = tmp_path / "queries.jsonl"
    assert "24 queries" in run("export", "--output", output).stderr
    queries = read_queries(output)
    assert {each.relevant[0] for each in queries} == {f"{v}{n}" for v in VERBS for n in NOUNS}
    assert all(each.prompt == f"please {each.relevant[0].lower()} for me" for each in queries)
    run("export", "--output", output, "--until", "2026-05-02")
    assert len(read_queries(output)) == 12


def test_without_prompts_it_is_said_how_to_keep_them(
    fill: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(prompts=False)
    output = str(tmp_path / "queries.jsonl")
    monkeypatch.setattr(sys, "argv", ["nextcall", "feedback", "export", "--output", output])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "got none of 24 answers; prompts are kept where NEXTCALL_FEEDBACK_PROMPTS is true." in (
        capsys.readouterr().err
    )


def _shop() -> Catalog:
    return Catalog(
        "shop",
        tuple(
            describe_operation(
                operation_id=f"{verb}{noun}",
                method="POST",
                path=f"/{noun.lower()}s/{verb.lower()}",
                service=f"{noun.lower()}s",
                description=f"{verb}s what the shop knows of a {noun.lower()}.",
            )
            for noun in NOUNS
            for verb in VERBS
        ),
    )


def test_a_ranker_is_trained_on_it_by_one_command(fill: Fill, tmp_path: Path) -> None:
    fill(gone=True)
    catalog = _shop()
    catalog.save(tmp_path / "shop.parquet")
    run("export", "--output", tmp_path / "queries.jsonl")
    others = [
        each for each in read_queries(tmp_path / "queries.jsonl") if each.relevant[0] in catalog
    ]
    renamed = [replace(each, query_id=f"o{each.query_id}") for each in others]
    write_queries(renamed, tmp_path / "others.jsonl")
    given = ("--catalog", tmp_path / "shop.parquet", "--output", tmp_path / "model")
    options = ("--queries", tmp_path / "others.jsonl", "--simulated", 50)
    told = run("train", *given, *options).stderr
    assert "1 answers are no operations of" in told
    assert "24 queries of feedback, 24 others." in told
    ranker, card = load_ranker(tmp_path / "model")
    assert card.catalog_hash == catalog.content_hash
    assert card.n_queries > 24
    assert ranker.trees_.n_trees > 0


def test_a_ranker_is_adapted_to_it_by_one_command(fill: Fill, tmp_path: Path) -> None:
    fill(gone=True)
    catalog = _shop()
    catalog.save(tmp_path / "shop.parquet")
    given = ("--catalog", tmp_path / "shop.parquet", "--output", tmp_path / "model", "--force")
    told = run("adapt", *given)
    assert "1 answers are no operations of" in told.stderr
    assert "24 queries of 6 users or sessions" in told.stderr
    assert [line.split()[0] for line in told.stdout.splitlines()] == ["metric", "hit@1", "ndcg@10"]
    ranker, card = load_any_ranker(tmp_path / "model")
    assert isinstance(ranker, AdaptedRanker)
    assert (card.catalog_hash, card.n_queries) == (catalog.content_hash, 24)
    with pytest.raises(ValueError, match="prompts are kept where NEXTCALL_FEEDBACK_PROMPTS"):
        run("adapt", *given, "--until", "2026-04-01")
