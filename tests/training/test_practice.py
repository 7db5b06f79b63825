"""Practice catalogues and tasks: what they promise, held against many draws."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from nextcall.catalog import Catalog, describe_operation
from nextcall.sessions import Query
from nextcall.training.practice import PracticeSettings, practice_catalog, practice_queries

SETTINGS = PracticeSettings(queries=60, fewest=15, most=300)


@pytest.fixture(scope="module")
def titles(prompts: list[Query]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for query in prompts:
        for name in query.relevant:
            found.setdefault(name, []).append(query.prompt)
    return found


def test_catalogues_are_cut_from_the_services_given(
    aws: Catalog, titles: dict[str, list[str]]
) -> None:
    services = ["sqs", "elb", "mq", "acm", "cloud9"]
    sizes, seen = [], Counter[str]()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        part = practice_catalog(aws, titles, services, settings=SETTINGS, rng=rng)
        assert {o.service for o in part} <= set(services)
        assert all(aws[o.operation_id] == o for o in part)
        assert any(o.operation_id in titles for o in part)
        sizes.append(len(part))
        seen.update(part.services)
    assert set(seen) == set(services)  # also the one without prompts
    assert min(sizes) < 20
    assert max(sizes) <= 301
    again = practice_catalog(
        aws, titles, services, settings=SETTINGS, rng=np.random.default_rng(39)
    )
    assert again == part


def test_services_without_a_title_are_refused(aws: Catalog, titles: dict[str, list[str]]) -> None:
    with pytest.raises(ValueError, match="titled operation, got none"):
        practice_catalog(aws, titles, ["mq"], settings=SETTINGS, rng=np.random.default_rng(0))


def test_queries_ask_what_the_catalogue_can_answer(
    aws: Catalog, titles: dict[str, list[str]]
) -> None:
    part = aws.subset(
        [o.operation_id for o in aws if o.service in {"sqs", "elb", "mq"}], name="some"
    )
    queries = practice_queries(
        part, titles, settings=SETTINGS, rng=np.random.default_rng(3), name="p"
    )
    assert len(queries) == SETTINGS.queries == len({query.query_id for query in queries})
    for query in queries:
        assert query.session_id == "p"
        assert query.prompt.strip()
        assert query.relevant
        assert set(query.relevant) <= set(part.positions)
        assert {call.operation_id for call in query.history} <= set(part.positions)
        assert query.task == ("next_call" if query.history or query.step else query.task)
        if query.task == "retrieval":
            assert query.history == ()
        elif query.remaining:
            assert query.relevant == query.remaining[:1]
            assert query.step == len(query.history)
    kinds = Counter(query.task for query in queries)
    assert min(kinds.values()) > 10
    assert any(len(query.relevant) > 1 for query in queries if query.task == "retrieval")
    again = practice_queries(
        part, titles, settings=SETTINGS, rng=np.random.default_rng(3), name="p"
    )
    assert again == queries


def test_habits_differ_between_catalogues(aws: Catalog, titles: dict[str, list[str]]) -> None:
    """In some catalogues calls repeat often, in others never; some tasks need an unnamed call."""
    shares, unnamed = [], 0
    for seed in range(30):
        asked = practice_queries(
            aws,
            titles,
            settings=replace(SETTINGS, single=0.0, retrieval=0.0),
            rng=np.random.default_rng(seed),
            name="p",
        )
        runs = [[c.operation_id for c in q.history] + list(q.remaining) for q in asked]
        assert all(len(run) <= 12 + 1 for run in runs)
        shares.append(1 - sum(len(set(run)) for run in runs) / sum(len(run) for run in runs))
        unnamed += sum(name not in titles for run in runs for name in run)
    assert min(shares) < 0.1
    assert max(shares) > 0.2
    assert unnamed > 0


def test_single_questions_accept_every_operation_of_the_title(aws: Catalog) -> None:
    part = aws.subset(["elb:CreateLoadBalancer", "elb:DescribeTags", "elb:AddTags"], name="three")
    shared = {"elb:DescribeTags": ["To see tags"], "elb:AddTags": ["To see tags"]}
    only = replace(SETTINGS, single=1.0)
    asked = practice_queries(part, shared, settings=only, rng=np.random.default_rng(1), name="p")
    assert {frozenset(query.relevant) for query in asked} == {frozenset(shared)}
    assert {c.operation_id for q in asked for c in q.history} == {"elb:CreateLoadBalancer"}


def test_a_catalogue_without_titles_asks_nothing(aws: Catalog) -> None:
    rng = np.random.default_rng(0)
    assert practice_queries(aws, {}, settings=SETTINGS, rng=rng, name="p") == []


def test_a_lonely_operation_is_asked_for_without_calls_before() -> None:
    alone = Catalog("one", (describe_operation(operation_id="a:GetThing", service="a"),))
    asked = practice_queries(
        alone,
        {"a:GetThing": ["To see a thing"]},
        settings=SETTINGS,
        rng=np.random.default_rng(0),
        name="p",
    )
    assert {query.relevant for query in asked} == {("a:GetThing",)}
