"""What adaptation gains, and from what: NDCG@10 with the evidence of few and of all sessions.

    python benchmarks/adaptation.py --set bfcl_nonlive --sessions 50

Every fold of five is ranked by what other sessions teach: all of the other folds, or so many drawn
from them (the same for every row of the table). Rows:

base              the base ranker alone
few               adapted to few sessions
all               adapted to all
all, no evidence  the base's own features, weighed anew by all sessions; nothing else of these
all, then few     weighed by all sessions, evidence of the few

``seen`` are queries whose right answers all occur in the sessions learned from, ``new`` the others.
"""

import sys
from dataclasses import replace
from typing import Final

import numpy as np
from json_output import give, parser_of
from numpy.typing import NDArray

from nextcall.catalog.load import load_catalog
from nextcall.locations import cache_dir, packaged_model, shared_dir
from nextcall.ranking.adaptation import ADAPTED_SETTINGS, INNER_FOLDS
from nextcall.ranking.adapted_features import ADAPTED_NAMES
from nextcall.ranking.adapted_rows import Examined, Examiner
from nextcall.ranking.adapted_score import AdaptedScore
from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.ranking.metrics import ndcg
from nextcall.ranking.model_files import load_ranker
from nextcall.ranking.rows import QueryRows
from nextcall.sessions import Query
from nextcall.sessions.jsonl import read_queries
from nextcall.sessions.queries import session_groups
from nextcall.sessions.splits import group_folds
from nextcall.training.opening import open_index

FOLDS: Final = 5
EVIDENCE: Final = len(FEATURE_NAMES) + ADAPTED_NAMES.index("prompt_regression")
"""Columns from here on are of evidence."""
BASE_SCORE: Final = len(FEATURE_NAMES) + ADAPTED_NAMES.index("base_score")
Told = dict[tuple[str, str], list[tuple[float, bool]]]


def measure(name: str, *, sessions: int, rng: np.random.Generator) -> Told:
    """Score each query of a set by each row of the table; say whether its answers were seen."""
    folder = shared_dir() / "data" / "ranking" / name
    base, _ = load_ranker(packaged_model())
    index = open_index(load_catalog(folder / "catalog.jsonl"), cache=cache_dir())
    examiner = Examiner(index, base, read_queries(folder / "queries.jsonl"))
    label = np.array(session_groups(examiner.queries))
    fold = group_folds(label.tolist(), FOLDS, rng=rng)
    told: Told = {}
    for held_out in range(FOLDS):
        every = np.flatnonzero(fold != held_out)
        names = np.unique(label[every])
        few = np.flatnonzero(
            np.isin(label, rng.choice(names, min(sessions, len(names)), replace=False))
        )
        learned = {"few": few, "all": every}
        scores: dict[str, AdaptedScore] = {}
        for row, positions in learned.items():
            n_inner = min(INNER_FOLDS, len(set(label[positions])))
            inner = group_folds(label[positions].tolist(), n_inner, rng=rng)
            rows = examiner.rows(positions, inner)
            scores[row] = _fit(rows, inner, rng)
            if row == "all":
                blind = replace(rows, features=tuple(_blind(x) for x in rows.features))
                scores["blind"] = _fit(blind, inner, rng)
        evidence = {row: examiner.evidence(positions) for row, positions in learned.items()}
        known = {row: _answers(examiner, positions) for row, positions in learned.items()}
        for position in np.flatnonzero(fold == held_out).tolist():
            query = examiner.queries[position]
            found = {row: examiner.examine(position, one) for row, one in evidence.items()}
            x = {row: one.features for row, one in found.items()}
            for row, source, values in (
                ("base", "all", x["all"][:, BASE_SCORE].astype(np.float64)),
                ("few", "few", scores["few"].predict(x["few"])),
                ("all", "all", scores["all"].predict(x["all"])),
                ("all, no evidence", "all", scores["blind"].predict(_blind(x["all"]))),
                ("all, then few", "few", scores["all"].predict(x["few"])),
            ):
                seen = set(query.relevant) <= known[source]
                value = _ndcg(examiner, query, found[source], values)
                told.setdefault((query.task, row), []).append((value, seen))
    return told


def _fit(rows: QueryRows, inner: NDArray[np.int64], rng: np.random.Generator) -> AdaptedScore:
    return AdaptedScore.fit(rows, inner, settings=ADAPTED_SETTINGS, rng=rng)[0]


def _blind(features: NDArray[np.float32]) -> NDArray[np.float32]:
    blind = features.copy()
    blind[:, EVIDENCE:] = np.nan
    return blind


def _answers(examiner: Examiner, positions: NDArray[np.int64]) -> set[str]:
    return {name for position in positions for name in examiner.queries[position].relevant}


def _ndcg(
    examiner: Examiner, query: Query, examined: Examined, scores: NDArray[np.float64]
) -> float:
    """NDCG@10; right answers that are no candidates stand last."""
    right = np.isin(examined.found.rows, examiner.index.positions(query.relevant))
    missed = len(query.relevant) - int(right.sum())
    relevance = np.concatenate([right, np.ones(missed)])
    return ndcg(relevance, np.concatenate([scores, np.full(missed, -1e9)]), k=10)


def main() -> None:
    """Measure; show a table, and give JSON."""
    parser = parser_of(__doc__, seed=0)
    parser.add_argument("--set", default="bfcl_nonlive", help="of the shared sets")
    parser.add_argument("--sessions", type=int, default=50)
    options = parser.parse_args()
    told = measure(options.set, sessions=options.sessions, rng=np.random.default_rng(options.seed))
    print("| task | ranked by | NDCG@10 | queries seen | seen | new |", file=sys.stderr)
    print("| --- | --- | --- | --- | --- | --- |", file=sys.stderr)
    rows = []
    for (task, ranked_by), pairs in told.items():
        values, seen = np.array(pairs).T
        figures = {"ndcg@10": values.mean(), "queries_seen": seen.mean()}
        for name, own in (("seen", values[seen == 1]), ("new", values[seen == 0])):
            figures[name] = own.mean() if len(own) else None
        rows.append({"task": task, "ranked_by": ranked_by, **figures})
        cells = ["" if value is None else f"{value:.3f}" for value in figures.values()]
        print(f"| {task} | {ranked_by} | {' | '.join(cells)} |", file=sys.stderr)
    give({"benchmark": "adaptation", "set": options.set, "rows": rows}, options.output)


if __name__ == "__main__":
    main()
