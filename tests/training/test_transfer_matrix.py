"""Every pair of sets is trained and tested apart: by session on itself, on no shared prompt."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nextcall.catalog import Catalog
from nextcall.ranking.boosting import BoostingSettings
from nextcall.ranking.evaluation import score_ranker
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.ranker import CallRanker
from nextcall.ranking.rows import QueryRows
from nextcall.ranking.workflow import WorkflowPrior
from nextcall.sessions import Query
from nextcall.sessions.queries import session_groups
from nextcall.sessions.splits import group_folds
from nextcall.training.recipe import Material, Recipe
from nextcall.training.transfer_domains import Domain, prompts_domain
from nextcall.training.transfer_matrix import (
    PACKAGED,
    transfer_scores,
    transfer_table,
    transfer_values,
)
from nextcall.training.zero_shot import TEXT_BASELINES

SMALL = BoostingSettings(trees=4, leaves=5, min_rows_in_leaf=5)


@pytest.fixture(scope="module")
def packaged(material: Material, recipe: Recipe) -> CallRanker:
    return material.fit(recipe, training=[0, 2, 3, 4], validation=[1], seed=1)


@pytest.fixture(scope="module")
def domains(index: CatalogIndex, prompts: list[Query], packaged: CallRanker) -> list[Domain]:
    """Two halves of the services, each split by session, and one that shares prompts with both."""
    rng = np.random.default_rng(0)
    halves = []
    for number, name in enumerate(("odd", "even")):
        services = set(list(dict.fromkeys(q.source for q in prompts))[number::2])
        part = Catalog(name, tuple(o for o in index.catalog if o.service in services))
        own = [
            replace(q, relevant=tuple(r for r in q.relevant if r in part))
            for q in prompts
            if q.source in services
        ]
        halves.append(
            prompts_domain(
                name, index.subset(part), packaged.prior_, taught=own, asked=own, most=80, rng=rng
            )
        )
    both = prompts_domain(
        "both", index, packaged.prior_, taught=prompts, asked=[], most=60, rng=rng
    )
    return [*halves, both]


@pytest.fixture(scope="module")
def scores(domains: list[Domain], packaged: CallRanker) -> pd.DataFrame:
    return transfer_scores(domains, packaged, seed=3, settings=SMALL)


def test_every_asked_query_has_one_score_from_each_source(
    scores: pd.DataFrame, domains: list[Domain]
) -> None:
    assert set(scores["target"]) == {"odd", "even"}
    for domain in domains[:2]:
        assert domain.asked is not None
        part = scores[scores["target"] == domain.name]
        assert set(part["source"]) == {*TEXT_BASELINES, PACKAGED, "odd", "even", "both"}
        for _, own in part.groupby("source"):
            assert sorted(own["query_id"]) == sorted(q.query_id for q in domain.asked.queries)


def test_one_set_teaches_another_as_a_fit_by_hand_does(
    scores: pd.DataFrame, domains: list[Domain], packaged: CallRanker
) -> None:
    source, target = domains[0], domains[1]
    assert source.taught is not None
    assert target.asked is not None
    groups = session_groups(source.taught.queries)
    fold = group_folds(groups, 5, rng=np.random.default_rng(3))
    ranker = CallRanker(settings=SMALL).fit_rows(
        source.taught.select(np.flatnonzero(fold != 0)),
        validation=source.taught.select(np.flatnonzero(fold == 0)),
        prior=packaged.prior_,
        rng=np.random.default_rng(3),
    )
    expected = score_ranker(ranker, target.asked, target.index).set_index("query_id")["ndcg@10"]
    chosen = (scores["source"] == "odd") & (scores["target"] == "even")
    found = scores[chosen].set_index("query_id")["ndcg@10"]
    pd.testing.assert_series_equal(found.sort_index(), expected.sort_index())


def test_a_prompt_that_is_asked_never_teaches(
    domains: list[Domain], packaged: CallRanker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is fitted before a set is scored saw none of its prompts."""
    seen: list[set[str]] = []
    fit = CallRanker.fit_rows

    def remembered(
        self: CallRanker,
        rows: QueryRows,
        *,
        validation: QueryRows,
        prior: WorkflowPrior,
        rng: np.random.Generator,
    ) -> CallRanker:
        seen.append({query.prompt for query in (rows + validation).queries})
        return fit(self, rows, validation=validation, prior=prior, rng=rng)

    monkeypatch.setattr(CallRanker, "fit_rows", remembered)
    source, target = domains[2], domains[0]
    transfer_scores([replace(target, taught=None), source], packaged, seed=3, settings=SMALL)
    assert target.asked is not None
    asked = {query.prompt for query in target.asked.queries}
    assert len(seen) == 1
    assert seen[0]
    assert not seen[0] & asked


def test_a_pair_with_nothing_left_to_teach_has_no_scores(
    domains: list[Domain], packaged: CallRanker
) -> None:
    assert domains[0].taught is not None
    same = domains[0].taught.select(range(len(domains[0].taught)))
    again = replace(domains[0], name="again", taught=same, asked=None)
    found = transfer_scores(
        [replace(domains[0], taught=None), again], packaged, seed=3, settings=SMALL
    )
    assert set(found["source"]) == {*TEXT_BASELINES, PACKAGED}


def test_the_table_averages_and_compares_with_the_best_baseline(scores: pd.DataFrame) -> None:
    table = transfer_table(scores, rng=np.random.default_rng(0))
    for row in table.to_dict("records"):
        part = scores[(scores["task"] == row["task"]) & (scores["target"] == row["target"])]
        means = part.groupby("source")["ndcg@10"].mean()
        assert row["mean"] == pytest.approx(means[row["source"]])
        assert row["gain"] == pytest.approx(row["mean"] - max(means[n] for n in TEXT_BASELINES))
        assert row["low"] <= row["mean"] <= row["high"]
    assert set(table["task"]) == {"retrieval", "next_call"}


def test_values_name_every_pair_and_the_mean_elsewhere(scores: pd.DataFrame) -> None:
    table = transfer_table(scores, rng=np.random.default_rng(0))
    values = transfer_values(table)
    of = table.set_index(["task", "source", "target"])["gain"]
    assert values["retrieval.odd.elsewhere.gain"] == of["retrieval", "odd", "even"]
    packaged = [of["next_call", PACKAGED, target] for target in ("odd", "even")]
    assert values["next_call.packaged_model.elsewhere.gain"] == pytest.approx(np.mean(packaged))
    itself = [of["next_call", name, name] for name in ("odd", "even")]
    assert values["next_call.itself.gain"] == pytest.approx(np.mean(itself))
    assert "retrieval.odd.even.ndcg@10.low" in values
