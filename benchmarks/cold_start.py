"""Each level of the cold start alone, on the same queries: NDCG@10 and Hit@1 with 95 % intervals.

    python benchmarks/cold_start.py --output cold_start.json

AWS is asked its own prompts of services in parts 8 and 9, alone and after two calls; the ranker
(the packaged one unless --model says otherwise) must not have been trained on those. It was trained
on the rest of AWS, so there it stands for a catalogue that is known; on the shared sets it ranks
catalogues that it has never seen. Every level answers every query, whether it would be chosen or
not; ``chance`` ranks at random. Ties count as the mean over every order of them.

Asked three times: with the prompts as they are, with nothing left of them but their verb ("delete
it"; "..." where there is none), and with "..." for all, which is what the last two levels are for.
Intervals are over
services (AWS) or sessions. Prints a table, and writes JSON to ``--output``.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from json_output import give, parser_of
from numpy.typing import NDArray

from nextcall.catalog.actions import verb_action
from nextcall.catalog.aws import read_aws
from nextcall.catalog.load import load_catalog
from nextcall.locations import cache_dir, packaged_model, shared_dir
from nextcall.ranking.candidates import retrieve
from nextcall.ranking.cold_start import (
    ColdStartLevel,
    Conventions,
    choose_level,
    names_something,
)
from nextcall.ranking.comparison import mean_interval
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.lexicon import prompt_words
from nextcall.ranking.metrics import metrics_table
from nextcall.ranking.model_files import load_ranker
from nextcall.ranking.ranker import CallRanker
from nextcall.sessions import Query
from nextcall.sessions.awscli_examples import read_awscli_examples, with_history
from nextcall.sessions.jsonl import TASKS, read_queries
from nextcall.training.folds import committed_parts
from nextcall.training.opening import open_index
from nextcall.training.transfer import HELD_OUT_PARTS

CHANCE: Final = "chance"
NOTHING: Final = "..."
BLOCK: Final = 64  # queries whose scores over the whole catalogue are held at once
RESAMPLES: Final = 2_000
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Queries of one kind over one catalogue."""

    name: str
    index: CatalogIndex
    queries: list[Query]
    groups: list[str]
    known: bool
    """Whether the ranker was trained on this catalogue."""


def some(queries: Sequence[Query], most: int) -> list[Query]:
    """Draw at most some of the queries, the same in every run."""
    order = np.random.default_rng(0).permutation(len(queries))[:most]
    return [queries[i] for i in np.sort(order)]


def worlds(*, most: int) -> list[World]:
    """Open AWS and the shared sets; vectors of all prompts are computed once and kept."""
    index, parts = open_index(read_aws(), cache=cache_dir()), committed_parts()
    prompts = read_awscli_examples(index.catalog)
    index.encode_prompts([query.prompt for query in prompts])
    held_out = [
        query
        for query in prompts
        if all(parts[index.catalog[name].service] in HELD_OUT_PARTS for name in query.relevant)
    ]
    alone = some(held_out, most)
    after = with_history(alone, index.catalog, n_calls=2, rng=np.random.default_rng(0))
    found = [
        World(
            name=name,
            index=index,
            queries=asked,
            groups=[index.catalog[query.relevant[0]].service for query in asked],
            known=True,
        )
        for name, asked in (("aws, prompt alone", alone), ("aws, after two calls", after))
    ]
    for folder in sorted((shared_dir() / "data" / "ranking").iterdir()):
        if not (folder / "catalog.jsonl").is_file():
            continue
        index = open_index(load_catalog(folder / "catalog.jsonl"), cache=cache_dir())
        queries = read_queries(folder / "queries.jsonl")
        index.encode_prompts([query.prompt for query in queries])
        for task in TASKS:
            asked = some([query for query in queries if query.task == task], most)
            groups = [query.session_id or query.query_id for query in asked]
            name = f"{folder.name}, {task}"
            if asked:
                found.append(
                    World(name=name, index=index, queries=asked, groups=groups, known=False)
                )
    return found


def verb_only(prompt: str) -> str:
    """Leave nothing of a prompt but its verb."""
    verb = next((word for word in prompt_words(prompt) if verb_action(word)), None)
    return f"{verb} it" if verb else NOTHING


def nothing(_: str) -> str:
    """Leave nothing of a prompt."""
    return NOTHING


SAID: Final[dict[str, Callable[[str], str]]] = {
    "as asked": str,
    "verb only": verb_only,
    "nothing": nothing,
}


def spread(index: CatalogIndex, rows: Sequence[int]) -> Scores:
    """Give scores that rank some rows in their order, and nothing else."""
    scores = np.full(len(index), -np.inf)
    scores[list(rows)] = -np.arange(len(rows), dtype=np.float64)
    return scores


def levels(world: World, ranker: CallRanker) -> dict[str, Callable[[Query], Scores]]:
    """Give what each level that this catalogue can be on makes of a query."""
    index = world.index
    conventions = Conventions(index)
    positions = index.catalog.positions

    def ranked(query: Query) -> Scores:
        vector = index.encode_prompts([query.prompt])[0]
        answers = ranker.rank(index, query.prompt, query.history, k=100, vector=vector)
        return spread(index, [positions[one.operation.operation_id] for one in answers])

    def fused(query: Query) -> Scores:
        vector = index.encode_prompts([query.prompt])[0]
        found = retrieve(index, query.prompt, query.history, vector=vector)
        return spread(index, found.rows.tolist())

    first: dict[str, Callable[[Query], Scores]] = {ColdStartLevel.ZERO_SHOT: ranked}
    if world.known:
        first = {
            ColdStartLevel.NONE: ranked,
            ColdStartLevel.PROMPT_ONLY: lambda query: ranked(replace(query, history=())),
        }
    return {
        **first,
        ColdStartLevel.FUSED_RETRIEVAL: fused,
        ColdStartLevel.REST_CONVENTIONS: lambda query: conventions.rest_scores(
            query.prompt, query.history
        ),
        ColdStartLevel.GENERIC_CRUD: lambda query: conventions.crud_scores(query.prompt),
        CHANCE: lambda _: np.zeros(len(index)),
    }


def measure(world: World, ranker: CallRanker) -> list[dict[str, object]]:
    """Score every level on every query; one row a level."""
    index, rows = world.index, []
    right = [index.positions(query.relevant) for query in world.queries]
    for level, answer in levels(world, ranker).items():
        if level == ColdStartLevel.NONE and not any(query.history for query in world.queries):
            continue
        ndcg, hit = [], []
        for start in range(0, len(right), BLOCK):
            asked = world.queries[start : start + BLOCK]
            scores = np.array([answer(query) for query in asked])
            relevance = np.zeros_like(scores)
            for row, operations in zip(relevance, right[start : start + BLOCK], strict=True):
                row[operations] = 1
            table = metrics_table(relevance, scores, ks=(10,))
            ndcg += table["ndcg@10"].tolist()
            hit += table["hit@1"].tolist()
        row_of: dict[str, object] = {
            "world": world.name, "level": str(level), "n_queries": len(ndcg)
        }  # fmt: skip
        for name, values in (("ndcg@10", ndcg), ("hit@1", hit)):
            rng = np.random.default_rng(0)
            found = mean_interval(values, groups=world.groups, rng=rng, resamples=RESAMPLES)
            row_of |= {
                name: round(found.mean, 4),
                f"{name}.low": round(found.ci_lower, 4),
                f"{name}.high": round(found.ci_upper, 4),
            }
        rows.append(row_of)
    return rows


def chosen(world: World) -> dict[str, float]:
    """Share of the queries that each level answers where there is no ranker."""
    index, conventions = world.index, Conventions(world.index)
    taken = []
    for query in world.queries:
        vector = index.encode_prompts([query.prompt])[0]
        found = retrieve(index, query.prompt, query.history, vector=vector)
        taken.append(
            choose_level(
                has_ranker=False,
                trained_here=False,
                known_calls=len(index.positions([call.operation_id for call in query.history])),
                text_match=names_something(found),
                has_paths=conventions.has_paths,
            )
        )
    return {str(level): round(taken.count(level) / len(taken), 4) for level in sorted(set(taken))}


def print_table(rows: Sequence[dict[str, object]]) -> None:
    """Show NDCG@10 of every level (columns) and world (rows) as a Markdown table."""
    order = [*ColdStartLevel, CHANCE]
    print(f"| queries | n | {' | '.join(order)} |", file=sys.stderr)
    print(f"| --- | --- |{' --- |' * len(order)}", file=sys.stderr)
    for name in dict.fromkeys(str(row["world"]) for row in rows):
        of = {row["level"]: row for row in rows if row["world"] == name}
        cells = [
            f"{of[level]['ndcg@10']:.3f} [{of[level]['ndcg@10.low']:.3f}, "
            f"{of[level]['ndcg@10.high']:.3f}]"
            if level in of
            else ""
            for level in order
        ]
        print(f"| {name} | {of[CHANCE]['n_queries']} | {' | '.join(cells)} |", file=sys.stderr)


def main() -> None:
    """Measure; show tables as they come, and give JSON."""
    parser = parser_of(__doc__)
    parser.add_argument("--model", type=Path, default=packaged_model())
    parser.add_argument("--queries", type=int, default=400, help="of each set and task, at most")
    options = parser.parse_args()
    ranker, _ = load_ranker(options.model)
    opened = worlds(most=options.queries)
    result = {}
    for said, left in SAID.items():
        rows, taken = [], {}
        for world in opened:
            queries = [replace(query, prompt=left(query.prompt)) for query in world.queries]
            asked = replace(world, queries=queries)
            asked.index.encode_prompts([query.prompt for query in queries])
            rows += measure(asked, ranker)
            taken[world.name] = chosen(asked)
        print(f"\n{said}\n", file=sys.stderr)
        print_table(rows)
        result[said] = {"levels": rows, "chosen_without_a_ranker": taken}
    give(result, options.output)


if __name__ == "__main__":
    main()
