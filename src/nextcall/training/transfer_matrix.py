"""Train on one set of queries, test on another, for every pair; each set may be of any catalogue.

What is trained here is measured and thrown away: nothing of an evaluation set may be shipped.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nextcall.catalog import Catalog
from nextcall.catalog.load import load_catalog
from nextcall.progress import Progress, silent
from nextcall.ranking.adaptation import session_groups
from nextcall.ranking.boosting import BoostingSettings
from nextcall.ranking.comparison import mean_interval
from nextcall.ranking.evaluation import score_baselines, score_ranker
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.ranker import CallRanker
from nextcall.ranking.rows import QueryRows, query_rows
from nextcall.ranking.workflow import WorkflowPrior
from nextcall.sessions import Query
from nextcall.sessions.awscli_examples import with_history
from nextcall.sessions.jsonl import read_queries
from nextcall.sessions.splits import group_folds
from nextcall.synth.prompts import PromptWriter
from nextcall.training.opening import open_index
from nextcall.training.zero_shot import TEXT_BASELINES

PACKAGED: Final = "packaged model"
"""Name of the row of a ranker that is given, not trained here."""

FEW_TREES: Final = BoostingSettings(
    trees=60, leaves=15, learning_rate=0.08, feature_fraction=0.5, l2=5.0, max_bins=127
)
"""For a few hundred queries."""

_FOLDS: Final = 5
_FEWEST: Final = 20  # queries that teach anything
_RESAMPLES: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """Queries over one catalogue: those that teach and those that are asked."""

    name: str
    index: CatalogIndex
    taught: QueryRows | None
    """None where nothing is trained on it."""
    asked: QueryRows | None
    """None where nothing is tested on it; the very rows of `taught` where it is split by session
    to be tested on itself."""


def drawn_sessions(queries: Sequence[Query], *, most: int, rng: np.random.Generator) -> list[Query]:
    """Draw whole sessions until there are `most` queries; all where they are no more.

    Raises
    ------
    ValueError
        Where `most` is below 1.
    """
    if most < 1:
        raise ValueError(f"most must be at least 1, got {most}.")
    groups = session_groups(queries)
    names = list(dict.fromkeys(groups))
    size = dict(zip(*np.unique(groups, return_counts=True), strict=True))
    chosen: set[str] = set()
    n = 0
    for place in rng.permutation(len(names)):
        if n + size[names[place]] <= most or not chosen:
            chosen.add(names[place])
            n += int(size[names[place]])
    return [query for query, group in zip(queries, groups, strict=True) if group in chosen]


def drawn_services(catalog: Catalog, *, most: int, rng: np.random.Generator) -> Catalog:
    """Draw whole services until there are `most` operations, at least one service.

    Raises
    ------
    ValueError
        Where `most` is below 1.
    """
    if most < 1:
        raise ValueError(f"most must be at least 1, got {most}.")
    names = catalog.services
    size = Counter(operation.service for operation in catalog)
    chosen: set[str] = set()
    n = 0
    for place in rng.permutation(len(names)):
        if n + size[names[place]] <= most or not chosen:
            chosen.add(names[place])
            n += size[names[place]]
    return Catalog(catalog.name, tuple(o for o in catalog if o.service in chosen))


def set_domain(
    folder: Path, prior: WorkflowPrior, *, cache: Path, most: int, rng: np.random.Generator
) -> Domain:
    """Read a set of queries over a catalogue of its own; it teaches and is asked.

    Parameters
    ----------
    folder : Path
        With ``catalog.jsonl`` and ``queries.jsonl``.
    cache : Path
        Folder where vectors are kept.
    most : int
        Queries that are drawn, by whole sessions.
    """
    index = open_index(load_catalog(folder / "catalog.jsonl"), cache=cache)
    queries = drawn_sessions(read_queries(folder / "queries.jsonl"), most=most, rng=rng)
    rows = query_rows(index, queries, prior)
    return Domain(name=folder.name, index=index, taught=rows, asked=rows)


def prompts_domain(
    name: str,
    index: CatalogIndex,
    prior: WorkflowPrior,
    *,
    taught: Sequence[Query],
    asked: Sequence[Query],
    most: int,
    rng: np.random.Generator,
) -> Domain:
    """Make a domain of bare prompts: each is also asked after two calls of its service.

    Parameters
    ----------
    taught, asked : sequence of Query
        The same sequence where it is to be split by session; `asked` may be empty.
    most : int
        Queries that are drawn of each, half of them with calls before.
    """

    def rows(queries: Sequence[Query]) -> QueryRows | None:
        if not queries:
            return None
        drawn = drawn_sessions(queries, most=max(most // 2, 1), rng=rng)
        both = [*drawn, *with_history(drawn, index.catalog, rng=rng)]
        return query_rows(index, both, prior)

    own = rows(taught)
    return Domain(name=name, index=index, taught=own, asked=own if asked is taught else rows(asked))


def described_queries(index: CatalogIndex, *, most: int, rng: np.random.Generator) -> list[Query]:
    """Ask for operations with their own summaries, said another way and without their names."""
    catalog = index.catalog
    described = np.array([row for row, o in enumerate(catalog) if o.summary], dtype=np.int64)
    chosen = np.sort(rng.permutation(described)[:most])
    writer = PromptWriter(catalog, synonym=0.5, dropped=0.5)
    return [
        Query(
            query_id=f"{catalog.name}-{row}",
            prompt=prompt,
            relevant=(catalog.operations[row].operation_id,),
            session_id=f"{catalog.name}-{row}",
        )
        for row, prompt in zip(chosen.tolist(), writer.write(chosen, rng=rng), strict=True)
    ]


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
