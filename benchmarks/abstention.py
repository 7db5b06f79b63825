"""Abstention: prompts of one catalogue asked of another; AUROC and what it costs on true ones.

    python benchmarks/abstention.py --output abstention.json

Every pair of the shared ranking sets and AWS is listed with its AUROC (chance that a foreign prompt
is thought more foreign than an own one; 1 is best), and for each catalogue the share of its own
prompts that is lost where 90 % of the foreign ones are refused. AWS is asked its own prompts of
services in parts 8 and 9 only: the model must not have been trained on those.

A pair is disjoint where at most 5 % of the prompts of either side have a right answer with a twin
on the other side: an operation at a cosine of 0.7 or more. Elsewhere a foreign prompt may well have
an answer (a general collection of 4,000 tools holds a weather forecast too), and the figure says
little; it is listed all the same. The similarity of the nearest operation stands beside as the
baseline. Parts of one another (the narrow and the wide set of films) are no pair.

``refused`` is what the default threshold refuses: of own prompts, and of the foreign ones of
disjoint pairs. ``aws_static`` is AWS once more, all prompts encoded by a static encoder distilled
on it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from json_output import give, parser_of
from numpy.typing import NDArray
from scipy.stats import rankdata

from nextcall.catalog.aws import read_aws
from nextcall.catalog.load import load_catalog
from nextcall.embedding.distill import piece_vectors
from nextcall.locations import cache_dir, packaged_model, shared_dir
from nextcall.ranking.abstention import NONE_THRESHOLD, Abstention, abstention_inputs
from nextcall.ranking.candidates import retrieve
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.model_files import load_abstention
from nextcall.sessions import Query
from nextcall.sessions.awscli_examples import read_awscli_examples
from nextcall.sessions.jsonl import read_queries
from nextcall.training.folds import committed_parts
from nextcall.training.opening import open_index
from nextcall.training.prompt_encoder import distill_for

TWIN = 0.7
SHARED_PROMPTS = 0.05
KIN = frozenset({"restbench_tmdb", "restbench_tmdb_wide"})
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A catalogue with prompts that are known to be its own."""

    index: CatalogIndex
    prompts: list[str]
    answers: list[NDArray[np.int64]]
    """Rows of the right answers of each prompt."""


def open_world(index: CatalogIndex, queries: list[Query], *, most: int) -> World:
    """Take each distinct prompt once, with every answer that is given for it; at most some."""
    answers: dict[str, set[int]] = {}
    for query in queries:
        answers.setdefault(query.prompt, set()).update(index.positions(query.relevant).tolist())
    every = [prompt for prompt, rows in answers.items() if rows]
    order = np.random.default_rng(0).permutation(len(every))[:most]
    prompts = [every[i] for i in np.sort(order)]
    return World(
        index=index,
        prompts=prompts,
        answers=[np.array(sorted(answers[prompt]), dtype=np.int64) for prompt in prompts],
    )


def worlds(*, most: int) -> dict[str, World]:
    """Open the shared ranking sets and AWS."""
    found = {}
    for folder in sorted((shared_dir() / "data" / "ranking").iterdir()):
        if not (folder / "catalog.jsonl").is_file():
            continue
        index = open_index(load_catalog(folder / "catalog.jsonl"), cache=cache_dir())
        found[folder.name] = open_world(index, read_queries(folder / "queries.jsonl"), most=most)
    index, parts = open_index(read_aws(), cache=cache_dir()), committed_parts()
    held_out = [
        query
        for query in read_awscli_examples(index.catalog)
        if all(parts[index.catalog[name].service] >= 8 for name in query.relevant)
    ]
    return found | {"aws": open_world(index, held_out, most=most)}


def auroc(own: Scores, foreign: Scores) -> float:
    """Chance that a foreign prompt scores higher than an own one, ties counting half."""
    ranks = rankdata(np.concatenate([foreign, own]))[: len(foreign)].sum()
    n = len(foreign)
    return float((ranks - n * (n + 1) / 2) / (n * len(own)))


def lost(own: Scores, foreign: Scores) -> float:
    """Share of own prompts that is refused at the threshold that refuses 90 % of the foreign."""
    return float((own >= np.quantile(foreign, 0.1)).mean())


def share_with_twins(asked: World, index: CatalogIndex) -> float:
    """Share of the prompts with a right answer that has a twin in another catalogue."""
    right = [asked.index.vectors[rows] @ index.vectors.T for rows in asked.answers]
    return float(np.mean([similar.max() >= TWIN for similar in right]))


def measure(opened: dict[str, World], score: Callable[[str, str], Scores]) -> dict[str, Any]:
    """Score every catalogue with every set of prompts; a table, and means over it."""
    pairs = [(c, p) for c, p in permutations(opened, 2) if {c, p} != KIN]
    twins = {(c, p): share_with_twins(opened[p], opened[c].index) for c, p in pairs}
    disjoint = {(c, p) for c, p in pairs if max(twins[c, p], twins[p, c]) <= SHARED_PROMPTS}
    own = {c: score(c, c) for c in opened}
    foreign = {(c, p): score(c, p) for c, p in pairs}
    area = {(c, p): auroc(own[c], foreign[c, p]) for c, p in pairs}
    cost = {}
    for c in opened:
        others = [foreign[pair] for pair in pairs if pair[0] == c]
        apart = [foreign[pair] for pair in pairs if pair[0] == c and pair in disjoint]
        cost[c] = {
            "all": round(lost(own[c], np.concatenate(others)), 4),
            "disjoint": round(lost(own[c], np.concatenate(apart)), 4) if apart else None,
        }
    return {
        "pairs": [
            {
                "catalogue": c,
                "prompts": p,
                "auroc": round(area[c, p], 4),
                "prompts_with_twins": round(twins[c, p], 3),
                "disjoint": (c, p) in disjoint,
            }
            for c, p in pairs
        ],
        "mean_auroc": round(float(np.mean(list(area.values()))), 4),
        "mean_auroc_disjoint": round(float(np.mean([area[pair] for pair in disjoint])), 4),
        "n_pairs": len(pairs),
        "n_disjoint": len(disjoint),
        "aws_mean_auroc": round(float(np.mean([area[q] for q in pairs if q[0] == "aws"])), 4),
        "own_lost_at_90_percent_refused": cost,
    }


def ask(
    abstention: Abstention, world: World, prompts: list[str], vectors: NDArray[np.float32]
) -> tuple[Scores, Scores]:
    """Ask a catalogue some prompts: how likely none answers, and how far the nearest is."""
    asked = {
        prompt: retrieve(world.index, prompt, vector=vector)
        for prompt, vector in zip(prompts, vectors, strict=True)
    }
    inputs = abstention_inputs(abstention.background, world.index, asked)
    nearest = np.array([-one.best["dense"] for one in asked.values()])
    return abstention.probabilities(inputs), nearest


def static_figures(abstention: Abstention, opened: dict[str, World]) -> dict[str, float]:
    """Ask AWS every set of prompts, encoded by a static encoder that is distilled on AWS."""
    aws = opened["aws"]
    pieces = piece_vectors(aws.index.embedder, directory=cache_dir() / "vectors")
    encoder, _ = distill_for(aws.index, pieces)
    scores = {
        name: ask(abstention, aws, world.prompts, encoder.encode(world.prompts))[0]
        for name, world in opened.items()
    }
    own = scores.pop("aws")
    foreign = np.concatenate(list(scores.values()))
    return {
        "mean_auroc": round(float(np.mean([auroc(own, some) for some in scores.values()])), 4),
        "own_lost_at_90_percent_refused": round(lost(own, foreign), 4),
        "refused_own": share_refused(own),
        "refused_foreign": share_refused(foreign),
    }


def share_refused(scores: Scores) -> float:
    """Share of the prompts of which it is said that nothing answers them."""
    return round(float((scores >= NONE_THRESHOLD).mean()), 4)


def main() -> None:
    """Measure; print JSON, or write it."""
    parser = parser_of(__doc__)
    parser.add_argument("--model", type=Path, default=packaged_model())
    parser.add_argument("--prompts", type=int, default=250, help="of each set, at most")
    options = parser.parse_args()
    abstention = load_abstention(options.model)
    if abstention is None:
        parser.error(f"{options.model} has not learned to abstain.")
    opened = worlds(most=options.prompts)
    found: dict[tuple[str, str], tuple[Scores, Scores]] = {
        (c, p): ask(abstention, world, other.prompts, other.index.encode_prompts(other.prompts))
        for c, world in opened.items()
        for p, other in opened.items()
    }
    measured = measure(opened, lambda c, p: found[c, p][0])
    apart = [(pair["catalogue"], pair["prompts"]) for pair in measured["pairs"] if pair["disjoint"]]
    result = {
        "prompts": {name: len(world.prompts) for name, world in opened.items()},
        "operations": {name: len(world.index) for name, world in opened.items()},
        "abstention": measured,
        "refused": {
            "threshold": NONE_THRESHOLD,
            "own": {c: share_refused(found[c, c][0]) for c in opened},
            "foreign": share_refused(np.concatenate([found[pair][0] for pair in apart])),
        },
        "aws_static": static_figures(abstention, opened),
        "nearest_operation": measure(opened, lambda c, p: found[c, p][1]),
    }
    give(result, options.output)


if __name__ == "__main__":
    main()
