"""A ranker on catalogues it has not seen: the table against sums by hand."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nextcall.training.recipe import Material, Recipe
from nextcall.training.zero_shot import gain_values, gains, zero_shot_scores


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets") / "library"
    folder.mkdir()
    operations = {
        "add_book": "Adds a book to the shelf.", "list_books": "Lists the books of a shelf.",
        "lend_book": "Lends a book to a reader.", "add_reader": "Registers a reader.",
        "list_fines": "Lists what a reader owes.", "pay_fine": "Pays what is owed.",
    }  # fmt: skip
    lines = [{"operation_id": name, "description": text} for name, text in operations.items()]
    asked = [
        ("register a new reader", [], "add_reader", "retrieval", "s1"),
        ("register a reader and lend a book", ["add_reader"], "lend_book", "next_call", "s1"),
        ("show what the reader owes", [], "list_fines", "retrieval", "s2"),
        ("show what the reader owes and pay it", ["list_fines"], "pay_fine", "next_call", "s2"),
    ]
    queries = [
        {"query_id": f"q{i}", "prompt": prompt, "history": history, "relevant": [right],
         "task": task, "session_id": session}
        for i, (prompt, history, right, task, session) in enumerate(asked)
    ]  # fmt: skip
    for name, rows in (("catalog", lines), ("queries", queries)):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text)
    return folder


def test_every_system_answers_every_query(
    folder: Path, material: Material, recipe: Recipe, tmp_path: Path
) -> None:
    ranker = material.fit(recipe, training=[0, 2, 3, 4], validation=[1], seed=1)
    scores = zero_shot_scores(ranker, [folder], cache=tmp_path)
    assert len(scores) == 4 * 4
    assert set(scores["system"]) == {"BM25", "MiniLM", "fusion", "nextcall"}
    assert set(scores["set"]) == {"library"}
    assert scores["ndcg@10"].between(0, 1).all()
    assert scores[scores["query_id"] == "q1"]["session"].unique().tolist() == ["s1"]
    table = gains(scores, rng=np.random.default_rng(0))
    assert table["task"].tolist() == ["retrieval", "next_call"]
    for row in table.to_dict("records"):
        part = scores[scores["task"] == row["task"]].groupby("system")["ndcg@10"].mean()
        others = part.drop("nextcall")
        assert row["best"] == others.idxmax()
        assert row["gain"] == pytest.approx(part["nextcall"] - others.max())
        assert row["low"] <= row["gain"] <= row["high"]


def test_figures_are_named_by_set_and_task() -> None:
    table = pd.DataFrame(
        {
            "set": ["a", "b", "a"],
            "task": ["retrieval", "retrieval", "next_call"],
            "nextcall": [0.5, 0.7, 0.4],
            "gain": [0.1, 0.3, -0.2],
            "low": [0.0, 0.2, -0.3],
            "high": [0.2, 0.4, -0.1],
        }
    )
    values = gain_values(table)
    assert values["retrieval.mean_gain"] == pytest.approx(0.2)
    assert values["next_call.mean_gain"] == pytest.approx(-0.2)
    assert values["smallest_gain"] == pytest.approx(-0.2)
    assert values["b.retrieval.gain.low"] == pytest.approx(0.2)
    assert gain_values(table.iloc[:0]) == {}
