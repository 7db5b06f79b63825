"""Lists of a ranker and the baselines: those that their scores are of."""

import json
from pathlib import Path

import pytest

from nextcall.catalog.load import load_catalog
from nextcall.locations import packaged_model
from nextcall.ranking.metrics import rank_metrics
from nextcall.ranking.model_files import load_ranker
from nextcall.sessions.jsonl import read_queries
from nextcall.training.ranked_lists import list_ndcg, ranked_lists
from nextcall.training.zero_shot import zero_shot_scores


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    folder.mkdir()
    operations = {
        "add_book": "Adds a book to the shelf.", "list_books": "Lists the books of a shelf.",
        "lend_book": "Lends a book to a reader.", "add_reader": "Registers a reader.",
    }  # fmt: skip
    queries = [
        {"query_id": "q0", "prompt": "register a reader", "history": [], "relevant": ["add_reader"],
         "task": "retrieval", "session_id": "s"},
        {"query_id": "q1", "prompt": "lend a book to a new reader", "history": ["add_reader"],
         "relevant": ["lend_book"], "task": "next_call", "session_id": "s"},
    ]  # fmt: skip
    lines = [{"operation_id": name, "description": text} for name, text in operations.items()]
    for name, rows in (("catalog", lines), ("queries", queries)):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text)
    return folder


def test_lists_have_the_scores_of_their_systems(folder: Path, tmp_path: Path) -> None:
    ranker, _ = load_ranker(packaged_model())
    catalog, queries = (
        load_catalog(folder / "catalog.jsonl"),
        read_queries(folder / "queries.jsonl"),
    )
    lists = ranked_lists(ranker, [("library", catalog, queries)], cache=tmp_path, k=3)
    assert lists["relevant"].tolist() == [("add_reader",), ("lend_book",)]
    assert lists[["set", "session"]].drop_duplicates().to_numpy().tolist() == [["library", "s"]]
    scores = zero_shot_scores(ranker, [folder], cache=tmp_path)
    for system, part in scores.groupby("system"):
        shown = lists[str(system)].tolist()
        assert {len(set(each)) for each in shown} == {3}
        assert list_ndcg(shown, lists["relevant"].tolist(), k=1) == pytest.approx(
            part["ndcg@1"].to_numpy()
        )


def test_ndcg_of_lists_is_that_of_one_list_after_another() -> None:
    lists, right = [["a", "b", "c"], ["d"], ["a"]], [{"b", "c", "x"}, {"d"}, {"b"}]
    for k in (1, 2, 5):
        found = list_ndcg(lists, right, k=k)
        plain = [rank_metrics(a, b, ks=[k])[f"ndcg@{k}"] for a, b in zip(lists, right, strict=True)]
        assert found == pytest.approx(plain)
