"""How many held-out queries are new to both models where one is trained anew on more sessions.

    python benchmarks/held_out_sessions.py
    python benchmarks/held_out_sessions.py --queries shared/data/ranking/tau_retail/queries.jsonl

Sessions are simulated over some AWS services, or read; a model is trained on a part of them, the
next one on all. ``drawn`` has the held-out sessions of each training drawn by its seed, ``hashed``
chosen by a hash of their names, as `nextcall train` does. ``new_to_both`` is the share of the
second one's held-out queries that neither learned from, in this session or another; where it is
below a tenth, both cannot be judged by the same queries (``not_judged``: in how many rounds).
``kept`` is the share of all queries that the second one is kept from, its mean and its extremes
over rounds. Nothing is trained: only the split decides. Prints JSON, or writes it to ``--output``.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from json_output import give, parser_of
from numpy.typing import NDArray

from nextcall.catalog import Catalog
from nextcall.catalog.aws import read_aws
from nextcall.sessions import Query
from nextcall.sessions.awscli_examples import read_awscli_examples
from nextcall.sessions.jsonl import read_queries
from nextcall.sessions.queries import next_call_queries
from nextcall.sessions.splits import group_folds
from nextcall.sessions.table import sessions_from_frame
from nextcall.synth.simulate import simulate
from nextcall.training.folds import N_PARTS
from nextcall.training.held_out import query_digest
from nextcall.training.judging import FEWEST
from nextcall.training.session_parts import KEPT_PART, session_of, session_parts

SERVICES: Final = ("sqs", "secretsmanager", "kms", "ecr", "stepfunctions")

Mask = NDArray[np.bool_]
Way = Callable[[Sequence[Query], int], Mask]


def main() -> None:
    """Split twice, by both ways, and count."""
    parser = parser_of(__doc__, rounds=50, seed=0)
    parser.add_argument("--queries", type=Path, help="of sessions; else they are simulated")
    parser.add_argument("--sessions", type=int, default=300, help="simulated, in all")
    parser.add_argument("--begun", type=float, default=0.8, help="share that the first one has")
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    ways: dict[str, Way] = {"drawn": _drawn, "hashed": _hashed}
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for number in range(arguments.rounds):
        if arguments.queries is not None:
            every = read_queries(arguments.queries)
        else:
            every = _simulated(arguments.sessions, rng)
        named = [replace(each, session_id=f"{number}-{session_of(each)}") for each in every]
        sessions = sorted({each.session_id for each in named})
        begun = set(rng.choice(sessions, round(arguments.begun * len(sessions)), replace=False))
        first = [each for each in named if each.session_id in begun]
        for way, split in ways.items():
            found[way].append(_compared(first, named, split, number))
    result = {
        way: {
            "new_to_both": float(np.mean([new for new, _ in each])),
            "new_to_both_least": float(np.min([new for new, _ in each])),
            "not_judged": int(np.sum([new < FEWEST for new, _ in each])),
            "kept": float(np.mean([kept for _, kept in each])),
            "kept_least": float(np.min([kept for _, kept in each])),
            "kept_most": float(np.max([kept for _, kept in each])),
        }
        for way, each in found.items()
    }
    give({"sessions": len(sessions), "queries": len(named), **result}, arguments.output)


def _compared(
    first: Sequence[Query], second: Sequence[Query], split: Way, number: int
) -> tuple[float, float]:
    """Give the share of held-out queries that is new to both, and of all that is held out."""
    learned = _digests(first, ~split(first, 2 * number))
    kept = split(second, 2 * number + 1)
    learned |= _digests(second, ~kept)
    asked = [query_digest(query) for query, is_kept in zip(second, kept, strict=True) if is_kept]
    return float(np.mean([digest not in learned for digest in asked])), float(kept.mean())


def _digests(queries: Sequence[Query], chosen: Mask) -> set[str]:
    return {query_digest(query) for query, own in zip(queries, chosen, strict=True) if own}


def _drawn(queries: Sequence[Query], seed: int) -> Mask:
    folds = group_folds(
        [session_of(query) for query in queries], N_PARTS, rng=np.random.default_rng(seed)
    )
    kept: Mask = folds == KEPT_PART
    return kept


def _hashed(queries: Sequence[Query], seed: int) -> Mask:
    parts = session_parts(queries, rng=np.random.default_rng(seed))
    return np.array([parts[session_of(query)] == KEPT_PART for query in queries])


@cache
def _some_services() -> tuple[Catalog, dict[str, list[str]]]:
    whole = read_aws()
    catalog = whole.subset([o.operation_id for o in whole if o.service in SERVICES], name="some")
    prompts: dict[str, list[str]] = {}
    for query in read_awscli_examples(catalog):
        for operation_id in query.relevant:
            prompts.setdefault(operation_id, []).append(query.prompt)
    return catalog, prompts


def _simulated(n: int, rng: np.random.Generator) -> list[Query]:
    catalog, prompts = _some_services()
    walked = simulate(catalog, n_sessions=n, prompts=prompts, rng=rng)
    return next_call_queries(sessions_from_frame(walked.sessions))


if __name__ == "__main__":
    main()
