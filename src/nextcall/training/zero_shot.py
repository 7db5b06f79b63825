"""How a ranker does on catalogues that it has never seen, beside every baseline."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from nextcall.catalog.load import load_catalog
from nextcall.progress import Progress, silent
from nextcall.ranking.comparison import paired_difference
from nextcall.ranking.evaluation import RANKER, score_baselines, score_ranker
from nextcall.ranking.ranker import CallRanker
from nextcall.ranking.rows import query_rows
from nextcall.sessions.jsonl import TASKS, read_queries
from nextcall.training.opening import open_index

TEXT_BASELINES: Final = ("BM25", "MiniLM", "fusion")
"""Baselines that need no calls, by their names in tables."""


def zero_shot_scores(
    ranker: CallRanker,
    folders: Sequence[Path],
    *,
    cache: Path,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Score a ranker and the baselines on sets of queries over other catalogues.

    Parameters
    ----------
    folders : sequence of Path
        Each with ``catalog.jsonl`` and ``queries.jsonl``.
    cache : Path
        Folder where vectors are kept.

    Returns
    -------
    DataFrame
        One row a query and system: ``set, task, session, query_id, system`` and the metrics. A
        query whose answer is no candidate scores 0.
    """
    frames = []
    for folder in folders:
        index = open_index(load_catalog(folder / "catalog.jsonl"), cache=cache, progress=progress)
        queries = read_queries(folder / "queries.jsonl")
        unpopular = np.zeros(len(index), dtype=np.float32)
        baselines = score_baselines(index, queries, popular=unpopular, progress=progress)
        baselines = baselines[baselines["system"].isin(TEXT_BASELINES)]
        own = score_ranker(ranker, query_rows(index, queries, ranker.prior_), index)
        known = pd.DataFrame(
            {
                "query_id": [query.query_id for query in queries],
                "task": [query.task for query in queries],
                "session": [query.session_id or query.query_id for query in queries],
            }
        )
        both = pd.concat([baselines, own], ignore_index=True).merge(known, on="query_id")
        frames.append(both.assign(set=folder.name))
    return pd.concat(frames, ignore_index=True)


def gains(
    scores: pd.DataFrame, *, rng: np.random.Generator, metric: str = "ndcg@10"
) -> pd.DataFrame:
    """Compare the ranker with the best baseline of each set and task, on the same queries.

    Which baseline is best is seen on the very queries; that makes the gain smaller, not larger.

    Returns
    -------
    DataFrame
        One row a set and task: the mean of each system, ``best``, ``gain`` with its 95 % interval
        ``low`` and ``high`` over sessions, and ``n_queries``.
    """
    rows = []
    for (name, task), part in scores.groupby(["set", "task"], sort=False):
        wide = part.pivot_table(index="query_id", columns="system", values=metric)
        means = wide.mean()
        best = str(means[list(TEXT_BASELINES)].idxmax())
        session = part.drop_duplicates("query_id").set_index("query_id")["session"]
        found = paired_difference(
            wide[RANKER].to_numpy(),
            wide[best].to_numpy(),
            groups=session.loc[wide.index].to_numpy(),
            rng=rng,
        )
        rows.append(
            {
                "set": name,
                "task": task,
                "n_queries": len(wide),
                **{system: float(means[system]) for system in (*TEXT_BASELINES, RANKER)},
                "best": best,
                "gain": found.difference,
                "low": found.ci_lower,
                "high": found.ci_upper,
            }
        )
    table = pd.DataFrame(rows)
    order = {task: place for place, task in enumerate(TASKS)}
    return table.sort_values("task", key=lambda tasks: tasks.map(order), kind="stable").reset_index(
        drop=True
    )


def gain_values(table: pd.DataFrame) -> Mapping[str, float]:
    """Give the figures of `gains` by name, for ``result.json``."""
    values: dict[str, float] = {}
    for row in table.to_dict("records"):
        key = f"{row['set']}.{row['task']}"
        values |= {
            f"{key}.ndcg@10": row[RANKER],
            f"{key}.gain": row["gain"],
            f"{key}.gain.low": row["low"],
            f"{key}.gain.high": row["high"],
        }
    for task, part in table.groupby("task"):
        values[f"{task}.mean_gain"] = float(part["gain"].mean())
    if len(table):
        values["smallest_gain"] = float(table["gain"].min())
    return values
