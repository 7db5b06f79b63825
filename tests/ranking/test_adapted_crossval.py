"""Cross-validated adaptation: honest, and better than what it starts from."""

from dataclasses import replace

import numpy as np
import pytest

from nextcall.ranking.adaptation import ADAPTED_SETTINGS
from nextcall.ranking.adapted_crossval import cross_validate
from nextcall.ranking.answers import Ranked
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.ranker import CallRanker
from nextcall.sessions import Query

SETTINGS = replace(ADAPTED_SETTINGS, trees=20, min_rows_in_leaf=3)


def _queries(odd_one: str = "users:GetUser") -> list[Query]:
    """Twelve sessions whose answer only habit tells; the last has an answer of its own."""
    answers = ["billing:CreateRefund" if i % 2 else "users:ListUserPolicies" for i in range(11)]
    words = ("sunny", "rainy")
    return [
        Query(
            query_id=f"q{i}",
            prompt=f"{words[i % 2]} day number {i}",
            relevant=(name,),
            task="next_call",
            session_id=f"s{i}",
        )
        for i, name in enumerate([*answers, odd_one])
    ]


def _validate(ranker: CallRanker, index: CatalogIndex, queries: list[Query]) -> list[list[Ranked]]:
    rng = np.random.default_rng(0)
    return cross_validate(ranker, index, queries, rng=rng, folds=4, k=5, settings=SETTINGS)


def test_a_held_out_session_is_ranked_by_what_the_others_teach(
    ranker: CallRanker, shop_index: CatalogIndex
) -> None:
    queries = _queries()
    answers = _validate(ranker, shop_index, queries)
    assert all(len(answered) == 5 for answered in answers)
    right = [
        answered[0].operation.operation_id in query.relevant
        for query, answered in zip(queries, answers, strict=True)
    ]
    assert sum(right[:-1]) >= 10
    assert not right[-1]
    plain = [ranker.rank(shop_index, query.prompt, k=1)[0].operation for query in queries]
    assert sum(o.operation_id in q.relevant for o, q in zip(plain, queries, strict=True)) < 6


def test_a_sessions_own_answer_does_not_change_how_it_is_ranked(
    ranker: CallRanker, shop_index: CatalogIndex
) -> None:
    scores = [
        [(a.operation.operation_id, a.score) for a in _validate(ranker, shop_index, queries)[-1]]
        for queries in (_queries(), _queries("orders:TagResource"))
    ]
    assert scores[0] == scores[1]


def test_a_fold_is_ranked_by_the_sessions_that_are_drawn(
    ranker: CallRanker, shop_index: CatalogIndex
) -> None:
    """All sessions of the other folds are drawn, or two of twelve, which know one habit or both."""
    queries = _queries()
    found = {}
    for sessions in (None, 9, 2):
        found[sessions] = cross_validate(
            ranker,
            shop_index,
            queries,
            rng=np.random.default_rng(0),
            folds=4,
            sessions=sessions,
            k=5,
            settings=SETTINGS,
        )
    right = {
        sessions: sum(
            answered[0].operation.operation_id in query.relevant
            for query, answered in zip(queries, answers, strict=True)
        )
        for sessions, answers in found.items()
    }
    assert right[9] >= 10
    assert right[None] >= 10
    assert right[2] < 10


def test_a_group_may_be_something_else_than_a_session(
    ranker: CallRanker, shop_index: CatalogIndex
) -> None:
    queries = _queries()
    halves = ["sun" if i % 2 == 0 else "rain" for i in range(len(queries))]
    with pytest.raises(ValueError, match="at least two sessions, got 1"):
        cross_validate(
            ranker, shop_index, queries, rng=np.random.default_rng(0), folds=2, groups=halves
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "k must be at least 1, got 0"),
        ({"folds": 13}, "folds must be from 2 to"),
        ({"sessions": 1}, "sessions must be from 2 to the groups of all folds but one, 9, got 1"),
        ({"sessions": 10}, "but one, 9, got 10"),
    ],
)
def test_what_is_asked_of_it_is_checked(
    ranker: CallRanker, shop_index: CatalogIndex, options: dict[str, int], message: str
) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=message):
        cross_validate(ranker, shop_index, _queries(), rng=rng, **options)  # type: ignore[arg-type]
