"""Domains are drawn whole: by session, by service, and half of bare prompts after calls."""

import json
from pathlib import Path

import numpy as np
import pytest

from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.workflow import WorkflowPrior
from nextcall.sessions import Query
from nextcall.training.transfer_domains import (
    described_queries,
    drawn_services,
    drawn_sessions,
    prompts_domain,
    set_domain,
)


def test_whole_sessions_are_drawn(prompts: list[Query]) -> None:
    drawn = drawn_sessions(prompts, most=50, rng=np.random.default_rng(1))
    assert 30 < len(drawn) <= 50
    chosen = {query.session_id for query in drawn}
    assert [q.query_id for q in drawn] == [q.query_id for q in prompts if q.session_id in chosen]
    whole = drawn_sessions(prompts, most=len(prompts), rng=np.random.default_rng(1))
    assert whole == prompts
    with pytest.raises(ValueError, match="most must be at least 1, got 0"):
        drawn_sessions(prompts, most=0, rng=np.random.default_rng(1))


def test_one_session_is_drawn_even_where_it_is_too_long() -> None:
    queries = [Query(query_id=f"{i}", prompt="p", session_id="one") for i in range(5)]
    assert drawn_sessions(queries, most=2, rng=np.random.default_rng(0)) == queries


def test_whole_services_are_drawn(index: CatalogIndex) -> None:
    part = drawn_services(index.catalog, most=120, rng=np.random.default_rng(1))
    assert 60 < len(part) <= 120
    whole = [o.operation_id for o in index.catalog if o.service in part.services]
    assert [o.operation_id for o in part] == whole
    one = drawn_services(index.catalog, most=1, rng=np.random.default_rng(1))
    assert len(one.services) == 1
    with pytest.raises(ValueError, match="most must be at least 1, got 0"):
        drawn_services(index.catalog, most=0, rng=np.random.default_rng(1))


def test_half_of_the_prompts_come_after_calls(index: CatalogIndex, prompts: list[Query]) -> None:
    rng = np.random.default_rng(0)
    domains = [
        prompts_domain(
            "all", index, WorkflowPrior.uniform(), taught=prompts, asked=asked, most=40, rng=rng
        )
        for asked in (prompts, [])
    ]
    for domain in domains:
        assert domain.taught is not None
        bare = [query for query in domain.taught.queries if not query.history]
        assert 2 * len(bare) == len(domain.taught)
    assert domains[0].asked is domains[0].taught
    assert domains[1].asked is None


def test_summaries_are_said_another_way_without_their_names(index: CatalogIndex) -> None:
    queries = described_queries(index, most=40, rng=np.random.default_rng(2))
    assert len(queries) == 40
    assert len({query.session_id for query in queries}) == 40
    for query in queries:
        operation = index.catalog[query.relevant[0]]
        assert operation.summary
        assert query.prompt
        assert operation.operation_id.rpartition(":")[2].lower() not in query.prompt.lower()


def test_a_set_on_disk_is_asked_what_it_teaches(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    folder.mkdir()
    names = ["add_book", "list_books", "lend_book", "pay_fine"]
    lines = [{"operation_id": name, "description": name.replace("_", " ")} for name in names]
    asked = [
        {"query_id": name, "prompt": f"please {name}", "relevant": [name], "session_id": name}
        for name in names
    ]
    for file, rows in (("catalog", lines), ("queries", asked)):
        (folder / f"{file}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    rng = np.random.default_rng(0)
    domain = set_domain(folder, WorkflowPrior.uniform(), cache=tmp_path / "cache", most=3, rng=rng)
    assert domain.name == "library"
    assert domain.asked is domain.taught
    assert domain.asked is not None
    assert len(domain.asked) == 3
