"""The lists that a ranker and the baselines show for the queries of other catalogues."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nextcall.catalog import Catalog
from nextcall.embedding.selection import best_places
from nextcall.progress import Progress, silent
from nextcall.ranking.baselines import baseline_scores
from nextcall.ranking.evaluation import RANKER
from nextcall.ranking.metrics import metrics_table
from nextcall.ranking.ranker import CallRanker
from nextcall.ranking.rows import query_rows
from nextcall.sessions import Query
from nextcall.training.opening import open_index
from nextcall.training.zero_shot import TEXT_BASELINES


def ranked_lists(
    ranker: CallRanker,
    sets: Iterable[tuple[str, Catalog, Sequence[Query]]],
    *,
    cache: Path,
    k: int = 10,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Give the first operations that each system shows for each query.

    Parameters
    ----------
    sets : iterable of (name, catalogue, queries)
    cache : Path
        Folder where vectors are kept.
    k : int
        Length of the lists, at least 1; shorter where the catalogue is.

    Returns
    -------
    DataFrame
        One row a query: ``set, task, session, query_id, relevant`` (a tuple of ids) and, by its
        name, a tuple of ids for each of `TEXT_BASELINES` and for the ranker, best first.
    """
    rows = []
    for folder, catalog, queries in sets:
        index = open_index(catalog, cache=cache, progress=progress)
        names = [operation.operation_id for operation in index.catalog]
        own = query_rows(index, queries, ranker.prior_, progress=progress)
        vectors = index.encode_prompts([each.prompt for each in queries], embedder=index.teacher)
        unpopular = np.zeros(len(index), dtype=np.float32)
        for place, query in enumerate(queries):
            dense = index.text_vectors @ vectors[place]
            known = baseline_scores(index, query, dense, popular=unpopular)
            best = {name: best_places(known[name], k) for name in TEXT_BASELINES}
            order = np.argsort(-ranker.trees_.predict(own.features[place]), kind="stable")
            best[RANKER] = own.candidates[place][order[:k]]
            rows.append(
                {
                    "set": folder,
                    "task": query.task,
                    "session": query.session_id or query.query_id,
                    "query_id": query.query_id,
                    "relevant": tuple(query.relevant),
                }
                | {name: tuple(names[row] for row in found) for name, found in best.items()}
            )
    return pd.DataFrame(rows)


def list_ndcg(
    lists: Sequence[Sequence[str]], relevant: Sequence[Collection[str]], *, k: int = 10
) -> NDArray[np.float64]:
    """Compute the NDCG of lists as they are shown; higher is better.

    Parameters
    ----------
    lists : sequence
        Of ids, best first; those beyond the first `k` do not count.
    relevant : sequence
        Ids that are right, of each list.

    Examples
    --------
    >>> list_ndcg([["a", "b"], ["c"]], [{"b"}, {"c", "d"}]).round(3).tolist()
    [0.631, 0.613]
    """
    gains = np.zeros((len(lists), k))
    for row, (shown, right) in enumerate(zip(lists, relevant, strict=True)):
        gains[row, : len(shown[:k])] = [each in right for each in shown[:k]]
    order = np.broadcast_to(-np.arange(k, dtype=np.float64), gains.shape)
    table = metrics_table(gains, order, n_relevant=[len(set(each)) for each in relevant], ks=(k,))
    return table[f"ndcg@{k}"].to_numpy(dtype=np.float64)
