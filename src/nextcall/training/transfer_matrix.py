"""Train on one set of queries, test on another, for every pair; each set may be of any catalogue.

What is trained here is measured and thrown away: nothing of an evaluation set may be shipped.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nextcall.progress import Progress, silent
from nextcall.ranking.boosting import BoostingSettings
from nextcall.ranking.comparison import mean_interval
from nextcall.ranking.evaluation import score_baselines, score_ranker
from nextcall.ranking.ranker import CallRanker
from nextcall.ranking.rows import QueryRows
from nextcall.ranking.workflow import WorkflowPrior
from nextcall.sessions.queries import session_groups
from nextcall.sessions.splits import group_folds
from nextcall.training.transfer_domains import (
    Domain,
    described_queries,
    drawn_services,
    prompts_domain,
    set_domain,
)
from nextcall.training.zero_shot import TEXT_BASELINES

__all__ = [  # what a study of transfer asks for
    "FEW_TREES",
    "PACKAGED",
    "described_queries",
    "drawn_services",
    "prompts_domain",
    "set_domain",
    "transfer_scores",
    "transfer_table",
    "transfer_values",
]

PACKAGED: Final = "packaged model"
"""Name of the row of a ranker that is given, not trained here."""

FEW_TREES: Final = BoostingSettings(
    trees=60, leaves=15, learning_rate=0.08, feature_fraction=0.5, l2=5.0, max_bins=127
)
"""For a few hundred queries."""

_FOLDS: Final = 5
_FEWEST: Final = 20  # queries that teach anything
_RESAMPLES: Final = 2_000


def transfer_scores(
    domains: Sequence[Domain],
    packaged: CallRanker,
    *,
    seed: int,
    settings: BoostingSettings = FEW_TREES,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Train on every domain that teaches, test on every one that is asked.

    A domain is tested on itself by session: of five folds one is asked, one decides the number of
    trees, three teach. A query never teaches where its prompt is asked; a pair of domains of which
    fewer than 20 queries are left to teach has no scores.

    Parameters
    ----------
    packaged : CallRanker
        Is asked too, as `PACKAGED`; its prior is that of the domains' rows.

    Returns
    -------
    DataFrame
        One row a source, target and query: ``source, target, task, session, query_id`` and the
        metrics; the best of the baselines are sources too.
    """
    frames = []
    for target in domains:
        if target.asked is None:
            continue
        unpopular = np.zeros(len(target.index), dtype=np.float32)
        queries = target.asked.queries
        baselines = score_baselines(target.index, queries, popular=unpopular)
        baselines = baselines[baselines["system"].isin(TEXT_BASELINES)]
        own = score_ranker(packaged, target.asked, target.index)
        known = _labels(target, baselines.assign(source=baselines["system"]))
        frames += [known, _labels(target, own.assign(source=PACKAGED))]
    sources = {domain.name: domain.taught for domain in domains if domain.taught is not None}
    for name, taught in progress(
        sources.items(), description="Training on each", total=len(sources)
    ):
        found = _scores_from(taught, domains, packaged.prior_, seed=seed, settings=settings)
        frames += [frame.assign(source=name) for frame in found]
    columns = ["source", "target", "task", "session", "query_id", "ndcg@10", "hit@1", "mrr"]
    return pd.concat(frames, ignore_index=True)[columns]


def _scores_from(
    taught: QueryRows,
    domains: Sequence[Domain],
    prior: WorkflowPrior,
    *,
    seed: int,
    settings: BoostingSettings,
) -> list[pd.DataFrame]:
    fold = group_folds(session_groups(taught.queries), _FOLDS, rng=np.random.default_rng(seed))

    def fitted(teach: NDArray[np.bool_], validation: int) -> CallRanker:
        return CallRanker(settings=settings).fit_rows(
            taught.select(np.flatnonzero(teach & (fold != validation))),
            validation=taught.select(np.flatnonzero(fold == validation)),
            prior=prior,
            rng=np.random.default_rng(seed),
        )

    frames = []
    everything = np.ones(len(taught), dtype=np.bool_)
    whole: CallRanker | None = None
    for target in domains:
        if target.asked is None:
            continue
        if target.asked is taught:
            for tested in range(_FOLDS):
                ranker = fitted(fold != tested, (tested + 1) % _FOLDS)
                part = taught.select(np.flatnonzero(fold == tested))
                frames.append(_labels(target, score_ranker(ranker, part, target.index)))
            continue
        prompts = {query.prompt for query in target.asked.queries}
        free = np.array([query.prompt not in prompts for query in taught.queries])
        if free.sum() < _FEWEST:
            continue
        if free.all():
            whole = ranker = whole or fitted(everything, 0)
        else:
            ranker = fitted(free, 0)
        frames.append(_labels(target, score_ranker(ranker, target.asked, target.index)))
    return frames


def _labels(target: Domain, scores: pd.DataFrame) -> pd.DataFrame:
    queries = target.asked.queries if target.asked is not None else ()
    known = pd.DataFrame(
        {
            "query_id": [query.query_id for query in queries],
            "task": [query.task for query in queries],
            "session": session_groups(queries),
        }
    )
    return scores.merge(known, on="query_id", validate="many_to_one").assign(target=target.name)


def transfer_table(
    scores: pd.DataFrame, *, rng: np.random.Generator, metric: str = "ndcg@10"
) -> pd.DataFrame:
    """Average each pair of source and target, task by task.

    Returns
    -------
    DataFrame
        One row a task, source and target: ``mean`` with its 95 % interval ``low`` and ``high``
        over sessions, ``best`` (the mean of the best baseline on the target), ``gain`` (mean minus
        best) and ``n_queries``.
    """
    rows = []
    for (task, target), part in scores.groupby(["task", "target"], sort=False):
        means = part.groupby("source")[metric].mean()
        best = float(means[list(TEXT_BASELINES)].max())
        for source, own in part.groupby("source", sort=False):
            found = mean_interval(own[metric], groups=own["session"], rng=rng, resamples=_RESAMPLES)
            rows.append(
                {
                    "task": task,
                    "source": source,
                    "target": target,
                    "mean": found.mean,
                    "low": found.ci_lower,
                    "high": found.ci_upper,
                    "best": best,
                    "gain": found.mean - best,
                    "n_queries": found.n_queries,
                }
            )
    return pd.DataFrame(rows)


def transfer_values(table: pd.DataFrame) -> Mapping[str, float]:
    """Give the figures of `transfer_table` by name, for ``result.json``.

    ``TASK.SOURCE.elsewhere.gain`` is the mean gain on the best baseline over all targets but the
    source itself, ``TASK.itself.gain`` that of the sources on themselves.
    """
    values: dict[str, float] = {}
    trained = table[~table["source"].isin(TEXT_BASELINES)]
    for row in trained.to_dict("records"):
        key = f"{row['task']}.{row['source']}.{row['target']}".replace(" ", "_")
        for suffix, column in (("", "mean"), (".low", "low"), (".high", "high")):
            values[f"{key}.ndcg@10{suffix}"] = float(row[column])
    itself = trained["source"] == trained["target"]
    for (task, source), part in trained[~itself].groupby(["task", "source"], sort=False):
        key = f"{task!s}.{source!s}".replace(" ", "_")
        values[f"{key}.elsewhere.gain"] = float(part["gain"].mean())
    for task, part in trained[itself].groupby("task", sort=False):
        values[f"{task!s}.itself.gain"] = float(part["gain"].mean())
    return values
