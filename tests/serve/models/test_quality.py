"""A new model is put into use where it is as good as the one in use, by the same queries."""

import re
from dataclasses import replace
from typing import Any

import pytest

from nextcall.jobs.job import JobRefusedError
from nextcall.ranking.model_files import ModelCard
from nextcall.serve.models.quality import MAY_HAVE_LEARNED, check_quality, quality
from nextcall.training.judged import Judged, OnSameQueries

ON_SAME = OnSameQueries(
    ndcg=0.7,
    present_ndcg=0.75,
    difference=-0.05,
    ci_lower=-0.11,
    ci_upper=0.01,
    queries=40,
    groups=4,
)
JUDGED = Judged(against="a", on_same=ON_SAME, left_out=3, may_have_learned=False)


def card(ndcg: float | None) -> ModelCard:
    return ModelCard(
        catalog="shop",
        catalog_hash="0" * 64,
        embedder="static",
        trained_at="2026-06-01T00:00:00+00:00",
        seed=0,
        n_queries=9,
        metrics={} if ndcg is None else {"validation.ndcg@10": ndcg},
    )


def test_the_same_queries_decide_and_not_the_cards() -> None:
    found = quality(card(0.9), card(0.5), JUDGED, against="a")
    assert (found.judged_by, found.note) == ("same queries", None)
    assert (found.ndcg, found.present_ndcg, found.difference) == (0.7, 0.75, -0.05)
    assert (found.ci_lower, found.ci_upper, found.queries, found.groups) == (-0.11, 0.01, 40, 4)
    assert found.left_out == 3
    told = r"^NDCG@10 of the new model must be at most 0\.04 below 0\.7500, .* same 40 queries, got"
    with pytest.raises(JobRefusedError, match=told) as refused:
        check_quality(found, margin=0.04)  # though the interval holds 0
    assert refused.value.result == {"quality": found.to_dict()}
    check_quality(found, margin=0.06)  # though the interval reaches below it


def test_a_present_model_that_may_have_learned_is_told_of() -> None:
    judged = replace(JUDGED, may_have_learned=True)
    assert quality(card(0.9), None, judged, against="a").note == MAY_HAVE_LEARNED


@pytest.mark.parametrize(
    ("judged", "against", "note"),
    [
        (None, "a", r"^No queries were kept"),
        (JUDGED, "b", r"^The new model was judged beside one that is not in use any more\.$"),
        (JUDGED, None, r"^The new model was judged beside one that is not in use any more\.$"),
        (replace(JUDGED, on_same=None), "a", r"new to both; the one in use learned from 3\.$"),
    ],
)
def test_else_the_cards_decide_and_it_is_said_why(
    judged: Any, against: str | None, note: str
) -> None:
    found = quality(card(0.79), card(0.8), judged, against=against)
    assert (found.judged_by, found.ndcg, found.present_ndcg) == ("cards", 0.79, 0.8)
    assert found.difference == pytest.approx(-0.01)
    assert (found.ci_lower, found.ci_upper, found.queries) == (None, None, None)
    assert re.search(note, str(found.note))
    check_quality(found, margin=0.01)
    with pytest.raises(JobRefusedError, match=r"at most 0\.005 below 0\.8000, .*, got 0\.7900\.$"):
        check_quality(found, margin=0.005)


def test_against_a_model_that_states_nothing_all_pass() -> None:
    for present in (None, card(None)):
        found = quality(card(0.1), present, None, against=None)
        assert (found.present_ndcg, found.difference) == (None, None)
        check_quality(found, margin=0.0)


def test_a_new_model_must_state_something() -> None:
    for new in (None, card(None), card(float("nan"))):
        with pytest.raises(JobRefusedError, match=r"must state its NDCG@10, got none\.$"):
            quality(new, card(0.5), None, against="a")
