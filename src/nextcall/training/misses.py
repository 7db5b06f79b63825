"""Where the first answer is wrong, how it is wrong: a twin of the right one, or far from it."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from nextcall.catalog.load import load_catalog
from nextcall.progress import Progress, silent
from nextcall.ranking.comparison import mean_interval
from nextcall.ranking.features import has_history
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.lexicon import prompt_words
from nextcall.ranking.ranker import CallRanker
from nextcall.ranking.rows import QueryRows, query_rows
from nextcall.sessions.jsonl import read_queries
from nextcall.training.crossval import CrossValidation, parts_of_fold
from nextcall.training.opening import open_index
from nextcall.training.recipe import Material
from nextcall.training.twins import TWINS, twin_kind

OUTCOMES: Final = {
    "right": "right",
    "later call": "a call that is right later in the task",
    "twin": "a twin of a right one",
    "not a candidate": "no right one among the candidates",
    "right service": "another operation of the right service",
    "other service": "an operation of another service",
}
"""What a first answer may be; the first that holds counts."""


def first_answers(index: CatalogIndex, rows: QueryRows, ranker: CallRanker) -> pd.DataFrame:
    """Say of each query what came first and, where that is wrong, how.

    Returns
    -------
    DataFrame
        One row a query: ``query_id, session, task, prompt``, ``prompt_words`` (count), ``service``,
        ``action`` and ``service_size`` (operations) of its first right answer; ``answered`` and
        ``right`` (operation ids; of several right ones the most like what was answered),
        ``confidence`` of the answer, ``outcome`` (a key of `OUTCOMES`), ``twin`` (a key of `TWINS`
        or empty, for every wrong answer), ``other_service`` (whether it is of a service that no
        right answer has), ``cosine`` of the two, and ``rank`` of the first right answer, 0 where
        it was no candidate.
    """
    operations = index.catalog.operations
    found = []
    for query, candidates, x, y in zip(
        rows.queries, rows.candidates, rows.features, rows.relevance, strict=True
    ):
        scores = ranker.trees_.predict(x)
        order = np.argsort(-scores, kind="stable")
        confidence = ranker.calibration_.confidence(scores[order], has_history=has_history(x))[0]
        first = int(candidates[order[0]])
        gold = index.positions(query.relevant)
        cosines = index.vectors[gold] @ index.vectors[first]
        answered, right = operations[first], [operations[row] for row in gold]
        twins = [
            twin_kind(answered, one, cosine=float(cosine))
            for one, cosine in zip(right, cosines, strict=True)
        ]
        is_right = bool(y[order[0]])
        kinds = [kind for kind in TWINS if kind in twins]
        twin = "" if is_right or not kinds else kinds[0]
        services = {one.service for one in right}
        nearest = twins.index(twin) if twin else int(cosines.argmax())
        if is_right:
            outcome = "right"
        elif answered.operation_id in query.remaining:
            outcome = "later call"
        elif twin:
            outcome = "twin"
        elif not y.any():
            outcome = "not a candidate"
        else:
            outcome = "right service" if answered.service in services else "other service"
        found.append(
            {
                "query_id": query.query_id,
                "session": query.session_id or query.query_id,
                "task": query.task,
                "prompt": query.prompt,
                "prompt_words": len(prompt_words(query.prompt)),
                "service": right[0].service,
                "action": right[0].action,
                "service_size": int(index.service_sizes[index.statics.service[gold[0]]]),
                "answered": answered.operation_id,
                "right": right[nearest].operation_id,
                "confidence": float(confidence),
                "outcome": outcome,
                "twin": twin,
                "other_service": answered.service not in services,
                "cosine": float(cosines[nearest]),
                "rank": int(y[order].argmax()) + 1 if y.any() else 0,
            }
        )
    return pd.DataFrame(found)


def held_out_answers(
    index: CatalogIndex, material: Material, found: CrossValidation, *, kind: str = "prompts"
) -> pd.DataFrame:
    """Collect `first_answers` of every fold's ranker to the queries of services it never saw.

    Parameters
    ----------
    kind : str
        Rows of `material` that are asked.
    """
    rows = material.rows[kind]
    frames = []
    for fold, ranker in zip(sorted(found.scores["fold"].unique()), found.rankers, strict=True):
        tested = np.flatnonzero(np.isin(material.parts[kind], parts_of_fold(int(fold))))
        frames.append(first_answers(index, rows.select(tested), ranker))
    return pd.concat(frames, ignore_index=True)


def answers_on_sets(
    ranker: CallRanker, folders: Sequence[Path], *, cache: Path, progress: Progress = silent
) -> pd.DataFrame:
    """Collect `first_answers` of one ranker on sets of queries over other catalogues.

    Parameters
    ----------
    folders : sequence of Path
        Each with ``catalog.jsonl`` and ``queries.jsonl``.
    cache : Path
        Folder where vectors are kept.

    Returns
    -------
    DataFrame
        As `first_answers`, with the name of the folder as ``set``.
    """
    frames = []
    for folder in folders:
        index = open_index(load_catalog(folder / "catalog.jsonl"), cache=cache, progress=progress)
        queries = read_queries(folder / "queries.jsonl")
        rows = query_rows(index, queries, ranker.prior_, progress=progress)
        frames.append(first_answers(index, rows, ranker).assign(set=folder.name))
    return pd.concat(frames, ignore_index=True)


def outcome_shares(answers: pd.DataFrame, by: str) -> pd.DataFrame:
    """Share of each outcome within the values of a column.

    Returns
    -------
    DataFrame
        One row a value, in its order: ``by``, ``n_queries``, and a column a key of `OUTCOMES`;
        these sum to 1.
    """
    counts = pd.crosstab(answers[by], answers["outcome"])
    counts = counts.reindex(columns=list(OUTCOMES), fill_value=0)
    sizes = counts.sum(axis=1)
    shares = counts.div(sizes, axis=0)
    shares.insert(0, "n_queries", sizes)
    return shares.rename_axis(columns=None).reset_index()


def in_bins(values: pd.Series, edges: Sequence[float], *, unit: str = "") -> pd.Series:
    """Name the bin of each value: from each edge, it included, to below the next.

    Examples
    --------
    >>> in_bins(pd.Series([1, 5, 90]), [0, 5, 20], unit="words").tolist()
    ['0 to 4 words', '5 to 19 words', '20 or more words']
    >>> in_bins(pd.Series([0.25, 1.0]), [0, 0.5, 1.0]).tolist()
    ['0 to 0.5', '1 or more']
    """
    end = f" {unit}" if unit else ""
    whole = bool(unit)
    names = [f"{low:g} to {high - 1 if whole else high:g}{end}" for low, high in pairwise(edges)]
    names.append(f"{edges[-1]:g} or more{end}")
    place = np.searchsorted(np.asarray(edges, dtype=np.float64), values, side="right") - 1
    named = pd.Categorical([names[at] for at in place.tolist()], categories=names, ordered=True)
    return pd.Series(named, index=values.index)


def miss_shares(
    answers: pd.DataFrame, *, groups: str, rng: np.random.Generator
) -> dict[str, tuple[float, float, float]]:
    """Say how the wrong first answers divide, each share with its 95 % interval.

    Parameters
    ----------
    groups : str
        Column whose values are drawn again as a whole: ``service`` or ``session``.

    Returns
    -------
    dict of str to (share, low, high)
        ``missed`` is of all queries; ``twins``, ``twins.KIND``, ``another_service`` and
        ``not_a_candidate`` are of the misses.

    Raises
    ------
    ValueError
        Where nothing was missed, or in one group only.
    """
    missed = answers["outcome"] != "right"
    if not missed.any():
        raise ValueError("answers must hold a wrong one, got none.")
    misses = answers[missed]

    def share(values: Iterable[bool], of: pd.DataFrame) -> tuple[float, float, float]:
        found = mean_interval(
            np.asarray(list(values), dtype=np.float64), groups=of[groups], rng=rng
        )
        return found.mean, found.ci_lower, found.ci_upper

    return {
        "missed": share(missed, answers),
        "twins": share(misses["twin"] != "", misses),
        **{f"twins.{kind}": share(misses["twin"] == kind, misses) for kind in TWINS},
        "another_service": share(misses["other_service"], misses),
        "not_a_candidate": share(misses["rank"] == 0, misses),
    }


def surest_misses(answers: pd.DataFrame, *, each: int) -> pd.DataFrame:
    """List the wrong first answers of each kind that the ranker was surest of.

    The same answer to the same prompt is listed once.

    Returns
    -------
    DataFrame
        ``outcome, twin, prompt, answered, right, confidence, rank``, the kinds in the order of
        `OUTCOMES`.
    """
    columns = ["outcome", "twin", "prompt", "answered", "right", "confidence", "rank"]
    missed = answers[answers["outcome"] != "right"].sort_values(
        "confidence", ascending=False, kind="stable"
    )
    place = {outcome: number for number, outcome in enumerate(OUTCOMES)}
    distinct = missed.drop_duplicates(["prompt", "answered"])
    first = distinct.groupby("outcome", sort=False).head(each)
    return first.sort_values(
        "outcome", key=lambda outcomes: outcomes.map(place), kind="stable", ignore_index=True
    )[columns]
