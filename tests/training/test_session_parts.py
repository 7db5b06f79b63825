"""A session is kept from every model or from none, whenever and by whatever seed it is trained."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.ranking.index import CatalogIndex
from nextcall.sessions import Query
from nextcall.sessions.hashed_split import hash_place, split_by_hash
from nextcall.sessions.queries import observed_sessions
from nextcall.training.folds import N_PARTS
from nextcall.training.recipe import Recipe
from nextcall.training.session_parts import KEPT_PART, PURPOSE, session_of, session_parts
from nextcall.training.train import Trained, train_for_use


def queries_of(sessions: list[int]) -> list[Query]:
    """Ask one to three times in each session."""
    return [
        Query(query_id=f"{name}#{step}", prompt="all", relevant=("a",), session_id=f"s{name}")
        for name in sessions
        for step in range(1 + name % 3)
    ]


def kept(queries: list[Query], seed: int) -> set[str]:
    parts = session_parts(queries, rng=np.random.default_rng(seed))
    return {name for name, part in parts.items() if part == KEPT_PART}


@given(st.sets(st.integers(0, 10**6), min_size=2, max_size=150), st.integers(0, 99))
def test_parts_are_as_many_as_can_be_and_like_in_size(numbers: set[int], seed: int) -> None:
    queries = queries_of(sorted(numbers))
    parts = session_parts(queries, rng=np.random.default_rng(seed))
    assert parts.keys() == {session_of(query) for query in queries}
    sizes = Counter(parts[session_of(query)] for query in queries)
    others = sum(part != KEPT_PART for part in parts.values())
    free = [part for part in range(N_PARTS) if part != KEPT_PART]
    assert sorted(sizes) == sorted([KEPT_PART, *free[:others]])
    rest = [size for part, size in sizes.items() if part != KEPT_PART]
    assert max(rest) - min(rest) <= 3  # the longest session
    split = split_by_hash(
        [session_of(query) for query in queries], test_share=1 / N_PARTS, purpose=PURPOSE
    )
    assert kept(queries, seed) == {session_of(queries[row]) for row in split.test}


def test_a_line_is_no_session_of_the_same_name() -> None:
    sessions = [
        Query(query_id=f"{name}#1", prompt="all", relevant=("a",), session_id=f"{name}")
        for name in range(200)
    ]
    lines = [
        Query(query_id=f"{line}", prompt=f"show {line}", relevant=("a",)) for line in range(200)
    ]
    alone = kept(sessions, 0)
    both = kept([*sessions, *lines], 0) & {session_of(query) for query in sessions}
    assert len(both ^ alone) <= 2  # where a share ends moves with what is shared out
    assert len(alone) > 10


def test_a_query_without_a_session_goes_by_what_it_asks() -> None:
    asked = [
        Query(query_id=f"{line}", prompt=f"show {line}", relevant=("a",)) for line in range(200)
    ]
    moved = [replace(query, query_id=f"{line + 7}") for line, query in enumerate(asked)]
    prompts = [
        {query.prompt for query in some if session_of(query) in kept(some, 0)}
        for some in (asked, moved)
    ]
    assert prompts[0] == prompts[1]
    assert 10 <= len(prompts[0]) <= 40
    with pytest.raises(ValueError, match="at least two sessions"):
        session_parts([asked[0], replace(asked[0], query_id="b")], rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def trained(index: CatalogIndex, prompts: list[Query], recipe: Recipe) -> tuple[Trained, Trained]:
    """Train on some sessions, then on these and others, by another seed."""
    few = replace(recipe, sessions=0, prior_sessions=20)
    own = [query for query in prompts if query.source in {"sqs", "elb", "secretsmanager", "acm"}]
    asked = [
        replace(query, task="next_call", session_id=f"day-{place // 2}")
        for place, query in enumerate(own)
    ]
    first = asked[: 2 * (len(asked) // 4)]
    for some in (first, asked):  # so many that none are topped up
        low = [hash_place(query.session_id, purpose=PURPOSE) < 1 / N_PARTS for query in some]
        assert 0.5 / N_PARTS < np.mean(low) < 2 / N_PARTS
    return (
        train_for_use(index, first, recipe=few, seed=1, observed=observed_sessions(first)),
        train_for_use(index, asked, recipe=few, seed=2, observed=observed_sessions(asked)),
    )


def test_what_one_training_keeps_back_every_later_one_does(
    trained: tuple[Trained, Trained],
) -> None:
    first, second = (set(each.held_out.groups) for each in trained)
    assert first < second
    assert set(trained[0].held_out.digests) <= set(trained[1].held_out.digests)
    for each in trained:
        total = len(each.held_out) + len(each.learned)
        assert 0.05 <= len(each.held_out) / total <= 0.2


def test_neither_learned_from_what_the_other_keeps_back(trained: tuple[Trained, Trained]) -> None:
    learned = trained[0].learned | trained[1].learned
    for each in trained:
        new = [digest for digest in each.held_out.digests if digest not in learned]
        assert len(new) == len(each.held_out)
