"""Queries over one catalogue each, drawn to teach a ranker or to be asked."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nextcall.catalog import Catalog
from nextcall.catalog.load import load_catalog
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.rows import QueryRows, query_rows
from nextcall.ranking.workflow import WorkflowPrior
from nextcall.sessions import Query
from nextcall.sessions.awscli_examples import with_history
from nextcall.sessions.jsonl import read_queries
from nextcall.sessions.queries import session_groups
from nextcall.synth.prompts import PromptWriter
from nextcall.training.opening import open_index


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """Queries over one catalogue: those that teach and those that are asked."""

    name: str
    index: CatalogIndex
    taught: QueryRows | None
    """None where nothing is trained on it."""
    asked: QueryRows | None
    """None where nothing is tested on it; the very rows of `taught` where it is split by session
    to be tested on itself."""


def drawn_sessions(queries: Sequence[Query], *, most: int, rng: np.random.Generator) -> list[Query]:
    """Draw whole sessions until there are `most` queries; all where they are no more.

    Raises
    ------
    ValueError
        Where `most` is below 1.
    """
    if most < 1:
        raise ValueError(f"most must be at least 1, got {most}.")
    groups = session_groups(queries)
    names = list(dict.fromkeys(groups))
    size = dict(zip(*np.unique(groups, return_counts=True), strict=True))
    chosen: set[str] = set()
    n = 0
    for place in rng.permutation(len(names)):
        if n + size[names[place]] <= most or not chosen:
            chosen.add(names[place])
            n += int(size[names[place]])
    return [query for query, group in zip(queries, groups, strict=True) if group in chosen]


def drawn_services(catalog: Catalog, *, most: int, rng: np.random.Generator) -> Catalog:
    """Draw whole services until there are `most` operations, at least one service.

    Raises
    ------
    ValueError
        Where `most` is below 1.
    """
    if most < 1:
        raise ValueError(f"most must be at least 1, got {most}.")
    names = catalog.services
    size = Counter(operation.service for operation in catalog)
    chosen: set[str] = set()
    n = 0
    for place in rng.permutation(len(names)):
        if n + size[names[place]] <= most or not chosen:
            chosen.add(names[place])
            n += size[names[place]]
    return Catalog(catalog.name, tuple(o for o in catalog if o.service in chosen))


def set_domain(
    folder: Path, prior: WorkflowPrior, *, cache: Path, most: int, rng: np.random.Generator
) -> Domain:
    """Read a set of queries over a catalogue of its own; it teaches and is asked.

    Parameters
    ----------
    folder : Path
        With ``catalog.jsonl`` and ``queries.jsonl``.
    cache : Path
        Folder where vectors are kept.
    most : int
        Queries that are drawn, by whole sessions.
    """
    index = open_index(load_catalog(folder / "catalog.jsonl"), cache=cache)
    queries = drawn_sessions(read_queries(folder / "queries.jsonl"), most=most, rng=rng)
    rows = query_rows(index, queries, prior)
    return Domain(name=folder.name, index=index, taught=rows, asked=rows)


def prompts_domain(
    name: str,
    index: CatalogIndex,
    prior: WorkflowPrior,
    *,
    taught: Sequence[Query],
    asked: Sequence[Query],
    most: int,
    rng: np.random.Generator,
) -> Domain:
    """Make a domain of bare prompts: each is also asked after two calls of its service.

    Parameters
    ----------
    taught, asked : sequence of Query
        The same sequence where it is to be split by session; `asked` may be empty.
    most : int
        Queries that are drawn of each, half of them with calls before.
    """

    def rows(queries: Sequence[Query]) -> QueryRows | None:
        if not queries:
            return None
        drawn = drawn_sessions(queries, most=max(most // 2, 1), rng=rng)
        both = [*drawn, *with_history(drawn, index.catalog, rng=rng)]
        return query_rows(index, both, prior)

    own = rows(taught)
    return Domain(name=name, index=index, taught=own, asked=own if asked is taught else rows(asked))


def described_queries(index: CatalogIndex, *, most: int, rng: np.random.Generator) -> list[Query]:
    """Ask for operations with their own summaries, said another way and without their names."""
    catalog = index.catalog
    described = np.array([row for row, o in enumerate(catalog) if o.summary], dtype=np.int64)
    chosen = np.sort(rng.permutation(described)[:most])
    writer = PromptWriter(catalog, synonym=0.5, dropped=0.5)
    return [
        Query(
            query_id=f"{catalog.name}-{row}",
            prompt=prompt,
            relevant=(catalog.operations[row].operation_id,),
            session_id=f"{catalog.name}-{row}",
        )
        for row, prompt in zip(chosen.tolist(), writer.write(chosen, rng=rng), strict=True)
    ]
