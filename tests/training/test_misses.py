"""Wrong first answers are told apart; counts are those of a plain reading of the ranking."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nextcall.ranking.evaluation import RANKER
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.ranker import CallRanker
from nextcall.ranking.rows import query_rows
from nextcall.sessions import Query
from nextcall.training.crossval import CrossValidation, cross_validate, parts_of_fold
from nextcall.training.misses import (
    OUTCOMES,
    answers_on_sets,
    first_answers,
    held_out_answers,
    in_bins,
    miss_shares,
    outcome_shares,
    surest_misses,
)
from nextcall.training.recipe import Material, Recipe
from nextcall.training.twins import TWINS, twin_kind

FOLDS = (0, 3)


@pytest.fixture(scope="module")
def found(index: CatalogIndex, material: Material, recipe: Recipe) -> CrossValidation:
    return cross_validate(index, material, recipe=recipe, seed=11, folds=FOLDS)


@pytest.fixture(scope="module")
def answers(index: CatalogIndex, material: Material, found: CrossValidation) -> pd.DataFrame:
    return held_out_answers(index, material, found)


def test_right_answers_and_confidences_are_those_of_the_evaluation(
    answers: pd.DataFrame, found: CrossValidation
) -> None:
    own = found.scores[(found.scores["system"] == RANKER) & (found.scores["task"] == "cold")]
    both = answers.merge(own, on="query_id", suffixes=("", "_scored"), validate="one_to_one")
    assert len(both) == len(answers) == len(own)
    np.testing.assert_array_equal(both["outcome"] == "right", both["correct"] == 1)
    np.testing.assert_allclose(both["confidence"], both["confidence_scored"])
    assert (both["service"] == both["service_scored"]).all()


def test_each_outcome_is_what_the_ranking_says(
    answers: pd.DataFrame, index: CatalogIndex, material: Material, found: CrossValidation
) -> None:
    rows = material.rows["prompts"]
    fold = FOLDS[1]
    tested = np.flatnonzero(np.isin(material.parts["prompts"], parts_of_fold(fold)))
    said = answers.set_index("query_id").to_dict("index")
    for i in tested:
        query = rows.queries[i]
        row = said[query.query_id]
        ranked = found.rankers[1].rank(index, query.prompt, k=100)
        names = [one.operation.operation_id for one in ranked]
        assert row["answered"] == names[0]
        ranks = [names.index(name) + 1 for name in query.relevant if name in names]
        assert row["rank"] == min(ranks, default=0)
        right = [index.catalog[name] for name in query.relevant]
        assert row["right"] in query.relevant
        assert row["service_size"] == sum(o.service == right[0].service for o in index.catalog)
        elsewhere = index.catalog[names[0]].service not in {one.service for one in right}
        assert row["other_service"] == elsewhere
        if names[0] in query.relevant:
            assert (row["outcome"], row["twin"]) == ("right", "")
        elif row["twin"]:
            pair = index.catalog[names[0]], index.catalog[row["right"]]
            assert row["outcome"] == "twin"
            assert twin_kind(*pair, cosine=row["cosine"]) == row["twin"]
        elif not ranks:
            assert row["outcome"] == "not a candidate"
        else:
            assert row["outcome"] == ("other service" if elsewhere else "right service")


def test_a_call_that_comes_later_in_the_task_is_no_plain_miss(
    index: CatalogIndex, found: CrossValidation
) -> None:
    ranker: CallRanker = found.rankers[0]
    prompt = "create a queue"
    (first,) = ranker.rank(index, prompt, k=1)
    right, later = "acm:ListCertificates", first.operation.operation_id
    query = Query(query_id="q", prompt=prompt, relevant=(right,), remaining=(right, later))
    rows = query_rows(index, [query], ranker.prior_)
    assert first_answers(index, rows, ranker)["outcome"].tolist() == ["later call"]


def test_a_right_answer_that_was_never_proposed_is_no_candidate(
    index: CatalogIndex, found: CrossValidation
) -> None:
    ranker = found.rankers[0]
    query = Query(query_id="q", prompt="create a queue", relevant=("acm:ListCertificates",))
    among = [index.positions(["sqs:CreateQueue", "sqs:PurgeQueue"])]
    rows = query_rows(index, [query], ranker.prior_, among=among)
    (row,) = first_answers(index, rows, ranker).to_dict("records")
    assert (row["outcome"], row["rank"], row["other_service"]) == ("not a candidate", 0, True)


def test_shares_of_a_slice_sum_to_one(answers: pd.DataFrame) -> None:
    shares = outcome_shares(answers, "service")
    np.testing.assert_allclose(shares[list(OUTCOMES)].sum(axis=1), 1.0)
    assert shares["n_queries"].sum() == len(answers)
    weighted = (shares["right"] * shares["n_queries"]).sum() / len(answers)
    assert weighted == pytest.approx((answers["outcome"] == "right").mean())


def test_bins_hold_their_lower_edge_and_keep_their_order() -> None:
    values = pd.Series([4, 5, 19, 20, 400])
    binned = in_bins(values, [0, 5, 20], unit="words")
    names = ["0 to 4 words", "5 to 19 words", "20 or more words"]
    assert binned.tolist() == [names[0], names[1], names[1], names[2], names[2]]
    assert list(binned.cat.categories) == names


def test_misses_divide_as_a_count_says(answers: pd.DataFrame) -> None:
    shares = miss_shares(answers, groups="service", rng=np.random.default_rng(0))
    missed = answers[answers["outcome"] != "right"]
    assert shares["missed"][0] == pytest.approx(len(missed) / len(answers))
    assert shares["another_service"][0] == pytest.approx(missed["other_service"].mean())
    kinds = sum(shares[f"twins.{kind}"][0] for kind in TWINS)
    assert shares["twins"][0] == pytest.approx(kinds)
    assert shares["not_a_candidate"][0] == pytest.approx((missed["rank"] == 0).mean())
    for share, low, high in shares.values():
        assert low <= share <= high
    with pytest.raises(ValueError, match="answers must hold a wrong one"):
        miss_shares(
            answers[answers["outcome"] == "right"], groups="service", rng=np.random.default_rng(0)
        )


def test_the_surest_misses_come_first_of_each_kind(answers: pd.DataFrame) -> None:
    twice = pd.concat([answers, answers])
    table = surest_misses(answers, each=2)
    pd.testing.assert_frame_equal(surest_misses(twice, each=2), table)
    assert "right" not in set(table["outcome"])
    for outcome, part in table.groupby("outcome"):
        every = answers[answers["outcome"] == outcome].drop_duplicates(["prompt", "answered"])
        assert part["confidence"].tolist() == sorted(every["confidence"], reverse=True)[:2]
    assert list(dict.fromkeys(table["outcome"])) == [
        o for o in OUTCOMES if o in set(table["outcome"])
    ]


def test_sets_on_disk_are_answered_each_over_its_own_catalogue(
    index: CatalogIndex, found: CrossValidation, tmp_path: Path
) -> None:
    folder = tmp_path / "queues"
    folder.mkdir()
    operations = [o for o in index.catalog if o.service == "sqs"]
    (folder / "catalog.jsonl").write_text(
        "".join(
            json.dumps({"operation_id": o.operation_id, "description": o.description}) + "\n"
            for o in operations
        )
    )
    asked = {"query_id": "q", "prompt": "create a queue", "relevant": ["sqs:CreateQueue"]}
    (folder / "queries.jsonl").write_text(json.dumps(asked) + "\n")
    table = answers_on_sets(found.rankers[0], [folder], cache=tmp_path / "cache")
    assert table["set"].tolist() == ["queues"]
    assert table["answered"].iloc[0] in {o.operation_id for o in operations}
