"""What a report on cross-validation shows beyond the tables of scores."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nextcall.ranking.evaluation import RANKER
from nextcall.ranking.index import CatalogIndex
from nextcall.training.crossval import CrossValidation, parts_of_fold
from nextcall.training.recipe import Material

_METRICS: Final = ("ndcg@10", "ndcg@5", "ndcg@1", "recall@5", "recall@10", "mrr", "map")


def result_values(
    summaries: Mapping[str, pd.DataFrame], calibration_errors: Mapping[str, float]
) -> dict[str, float]:
    """Flatten summaries into the names of ``result.json``: ``TASK.SYSTEM.METRIC``.

    Parameters
    ----------
    summaries : mapping of str to DataFrame
        What `summarise` gives, by task.
    calibration_errors : mapping of str to float
        Of the ranker, by task.
    """
    values: dict[str, float] = {}
    for task, summary in summaries.items():
        for row in summary.to_dict("records"):
            start = f"{task}.{str(row['system']).lower()}"
            for metric in _METRICS:
                for suffix in ("", ".low", ".high"):
                    values[f"{start}.{metric}{suffix}"] = float(row[f"{metric}{suffix}"])
            values[f"{start}.hit@1"] = float(row["ndcg@1"])
        values[f"{task}.queries"] = float(summary["n_queries"].max())
    for task, error in calibration_errors.items():
        values[f"{task}.{RANKER}.calibration_error"] = float(error)
    return values


def headline_table(
    summaries: Mapping[str, pd.DataFrame], headings: Mapping[str, str], *, metric: str = "ndcg@10"
) -> pd.DataFrame:
    """Lay systems down and tasks across, each cell a mean with its interval.

    Parameters
    ----------
    headings : mapping of str to str
        Column heading of each task that is shown.
    """
    columns = {}
    for task, heading in headings.items():
        cells = zip(
            *(summaries[task][name] for name in (metric, f"{metric}.low", f"{metric}.high")),
            strict=True,
        )
        columns[heading] = pd.Series(
            [f"{mean:.3f} [{low:.3f}, {high:.3f}]" for mean, low, high in cells],
            index=summaries[task]["system"],
        )
    return pd.DataFrame(columns)


def recall_curves(
    index: CatalogIndex, material: Material, found: CrossValidation, *, ks: Sequence[int]
) -> dict[str, NDArray[np.float64]]:
    """Mean recall of the ranker and of its candidates at each of `ks`, prompt alone.

    Returns
    -------
    dict of str to array of shape (n_ks,)
        ``retrieval alone`` is the fusion of all retrievers, before ranking.
    """
    rows = material.rows["prompts"]
    ranked, proposed = [], []
    for fold, ranker in zip(sorted(found.scores["fold"].unique()), found.rankers, strict=True):
        tested = np.flatnonzero(np.isin(material.parts["prompts"], parts_of_fold(int(fold))))
        for i in tested:
            n_right = len(index.positions(rows.queries[i].relevant))
            order = np.argsort(-ranker.trees_.predict(rows.features[i]), kind="stable")
            ranked.append(_recalls(rows.relevance[i][order], n_right, ks))
            proposed.append(_recalls(rows.relevance[i], n_right, ks))
    return {
        "retrieval alone": np.mean(proposed, axis=0),
        RANKER: np.mean(ranked, axis=0),
    }


def _recalls(relevance: NDArray[np.int8], n_right: int, ks: Sequence[int]) -> list[float]:
    found = np.cumsum(relevance)
    return [float(found[min(k, len(found)) - 1]) / n_right for k in ks]


def worst_errors(
    index: CatalogIndex, material: Material, found: CrossValidation, *, first: int
) -> pd.DataFrame:
    """List the wrong first answers that the ranker was surest of, prompt alone.

    Returns
    -------
    DataFrame
        ``prompt, answered, right, confidence``, and ``rank of the right one``, 0 where it was no
        candidate.
    """
    rows = material.rows["prompts"]
    errors = []
    for fold, ranker in zip(sorted(found.scores["fold"].unique()), found.rankers, strict=True):
        tested = np.flatnonzero(np.isin(material.parts["prompts"], parts_of_fold(int(fold))))
        for i in tested:
            scores = ranker.trees_.predict(rows.features[i])
            order = np.argsort(-scores, kind="stable")
            ordered = rows.relevance[i][order]
            if ordered[0]:
                continue
            confidence = ranker.calibration_.confidence(scores[order], has_history=False)[0]
            answered = index.catalog.operations[rows.candidates[i][order[0]]].operation_id
            errors.append(
                {
                    "prompt": rows.queries[i].prompt,
                    "answered": answered,
                    "right": ", ".join(rows.queries[i].relevant[:2]),
                    "confidence": float(confidence),
                    "rank of the right one": int(ordered.argmax()) + 1 if ordered.any() else 0,
                }
            )
    table = pd.DataFrame(errors).sort_values("confidence", ascending=False)
    return table.head(first).reset_index(drop=True)
