"""How good a ranker is, query by query, beside every baseline."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nextcall.embedding.selection import best_places
from nextcall.progress import Progress, silent
from nextcall.ranking.baselines import BASELINES, baseline_scores
from nextcall.ranking.comparison import compare_all, mean_interval
from nextcall.ranking.features import has_history
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.metrics import metrics_table
from nextcall.ranking.ranker import CallRanker
from nextcall.ranking.reliability import expected_calibration_error
from nextcall.ranking.rows import QueryRows
from nextcall.sessions import Query

RANKER: Final = "nextcall"
"""Name of the ranker in every table, beside `BASELINES`."""

_DEPTH: Final = 200  # ranks of a baseline that are looked at
_BLOCK: Final = 128
_RESAMPLES: Final = 2_000  # of each mean; their error is a fiftieth of the interval


def score_ranker(ranker: CallRanker, rows: QueryRows, index: CatalogIndex) -> pd.DataFrame:
    """Compute the metrics of a ranker for each query.

    Returns
    -------
    DataFrame
        One row a query: ``query_id, service, system``, the columns of `metrics_table`, and of the
        first answer ``confidence`` and ``correct``.
    """
    width = max(len(x) for x in rows.features)
    scores = np.full((len(rows), width), -np.inf)
    relevance = np.zeros((len(rows), width))
    confidence = np.zeros(len(rows))
    correct = np.zeros(len(rows))
    for i, (x, y) in enumerate(zip(rows.features, rows.relevance, strict=True)):
        values = ranker.trees_.predict(x)
        scores[i, : len(values)], relevance[i, : len(values)] = values, y
        order = np.argsort(-values, kind="stable")
        known = has_history(x)
        confidence[i] = ranker.calibration_.confidence(values[order], has_history=known)[0]
        correct[i] = y[order[0]]
    frame = _labelled(rows.queries, index, RANKER, _metrics(rows.queries, index, relevance, scores))
    return frame.assign(confidence=confidence, correct=correct)


def score_baselines(
    index: CatalogIndex,
    queries: Sequence[Query],
    *,
    popular: NDArray[np.float32],
    know_service: bool = False,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Compute the metrics of every baseline for each query, over the whole catalogue.

    Parameters
    ----------
    popular : array of shape (n_operations,)
        Score of each operation by popularity.
    know_service : bool
        Put the operations of the services called before the prompt first; the calls before an
        AWS prompt are all of the answer's service, so such a baseline knows the service.

    Returns
    -------
    DataFrame
        One row a query and baseline, with the columns of `score_ranker`.
    """
    vectors = index.encode_prompts([query.prompt for query in queries], embedder=index.teacher)
    scores = {name: np.full((len(queries), _DEPTH), -np.inf) for name in BASELINES}
    relevance = {name: np.zeros((len(queries), _DEPTH)) for name in BASELINES}
    dense = np.empty((0, 0), dtype=np.float32)
    for i, query in enumerate(
        progress(queries, description="Scoring baselines", total=len(queries))
    ):
        if i % _BLOCK == 0:  # one matrix product serves a block of prompts
            dense = vectors[i : i + _BLOCK] @ index.text_vectors.T
        right = index.positions(query.relevant)
        called = index.positions([call.operation_id for call in query.history])
        known = baseline_scores(
            index,
            query,
            dense[i % _BLOCK],
            popular=popular,
            called=called if know_service else None,
        )
        for name, values in known.items():
            top = best_places(values, _DEPTH)
            scores[name][i, : len(top)] = values[top]
            relevance[name][i, : len(top)] = np.isin(top, right)
    return pd.concat(
        [
            _labelled(queries, index, name, _metrics(queries, index, relevance[name], scores[name]))
            for name in BASELINES
        ],
        ignore_index=True,
    )


def summarise(
    scores: pd.DataFrame, *, rng: np.random.Generator, metrics: Sequence[str] = ("ndcg@10",)
) -> pd.DataFrame:
    """Average each system's metrics over queries, with intervals clustered by service.

    Returns
    -------
    DataFrame
        One row a system, in the order in which they come: for each metric its mean, ``low`` and
        ``high`` (95 %), and ``n_queries`` and ``n_services``.
    """
    rows = []
    for system, part in scores.groupby("system", sort=False):
        row: dict[str, object] = {"system": system}
        for metric in metrics:
            found = mean_interval(
                part[metric], groups=part["service"], rng=rng, resamples=_RESAMPLES
            )
            row |= {
                metric: found.mean,
                f"{metric}.low": found.ci_lower,
                f"{metric}.high": found.ci_upper,
            }
        rows.append({**row, "n_queries": len(part), "n_services": part["service"].nunique()})
    return pd.DataFrame(rows)


def compare_systems(
    scores: pd.DataFrame,
    *,
    rng: np.random.Generator,
    metric: str = "ndcg@10",
    baseline: str = RANKER,
) -> pd.DataFrame:
    """Compare every system with one of them on the same queries.

    Returns
    -------
    DataFrame
        What `compare_all` gives, with the system's name as ``system``; ``difference`` is the
        system minus the baseline.

    Raises
    ------
    ValueError
        Where a query has two rows of one system; as `compare_all` where a system lacks one.
    """
    twice = scores["query_id"][scores.duplicated(["query_id", "system"])]
    if len(twice):
        raise ValueError(
            f"scores must hold one row a query and system, got query {twice.iloc[0]!r} twice."
        )
    wide = scores.pivot_table(index="query_id", columns="system", values=metric)
    services = scores.drop_duplicates("query_id").set_index("query_id")["service"]
    table = compare_all(
        {str(name): wide[name].to_numpy() for name in wide.columns},
        baseline=baseline,
        groups=services.loc[wide.index].to_numpy(),
        rng=rng,
    )
    return table.rename(columns={"ranker": "system"})


def slices(
    scores: pd.DataFrame, by: str, *, metric: str = "ndcg@10", fewest: int = 20
) -> pd.DataFrame:
    """Average a metric within the values of a column, the weakest first.

    Slices of fewer than `fewest` queries are joined as ``(small)``.

    Returns
    -------
    DataFrame
        One row a slice: ``by``, ``n_queries``, and a column a system.
    """
    sizes = scores.drop_duplicates("query_id")[by].value_counts()
    small = set(sizes.index[sizes < fewest])
    labels = scores[by].map(lambda value: "(small)" if value in small else value)
    means = scores.assign(slice=labels).groupby(["slice", "system"], sort=False)[metric].mean()
    table = means.reset_index().pivot_table(index="slice", columns="system", values=metric)
    counts = scores.assign(slice=labels).drop_duplicates("query_id")["slice"].value_counts()
    table.insert(0, "n_queries", counts)
    first = RANKER if RANKER in table.columns else str(table.columns[-1])
    return table.sort_values(first).rename_axis(index=by, columns=None).reset_index()


def calibration_error(scores: pd.DataFrame) -> float:
    """Expected calibration error of the first answer's confidence, 15 bins of equal mass."""
    return expected_calibration_error(scores["correct"], scores["confidence"], bins=15)


def _metrics(
    queries: Sequence[Query],
    index: CatalogIndex,
    relevance: NDArray[np.float64],
    scores: NDArray[np.float64],
) -> pd.DataFrame:
    n_relevant = np.array([len(index.positions(query.relevant)) for query in queries])
    return metrics_table(relevance, scores, n_relevant=n_relevant)


def _labelled(
    queries: Sequence[Query], index: CatalogIndex, system: str, metrics: pd.DataFrame
) -> pd.DataFrame:
    labels = pd.DataFrame(
        {
            "query_id": [query.query_id for query in queries],
            "service": [index.catalog[query.relevant[0]].service for query in queries],
            "system": system,
        }
    )
    return pd.concat([labels, metrics.reset_index(drop=True)], axis=1)
