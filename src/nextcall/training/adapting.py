"""A ranker adapted to a catalogue's own sessions, and what that gained on sessions held out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import pandas as pd

from nextcall.progress import Progress, silent
from nextcall.ranking.adaptation import adapt_examined
from nextcall.ranking.adapted_crossval import cross_validate
from nextcall.ranking.adapted_ranker import AdaptedRanker
from nextcall.ranking.adapted_rows import Examiner
from nextcall.ranking.answers import Ranked
from nextcall.ranking.comparison import PairedDifference, paired_difference
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.metrics import ndcg
from nextcall.ranking.model_files import ModelCard
from nextcall.ranking.ranker import CallRanker
from nextcall.sessions import Query

JUDGED_BY: Final = "ndcg@10"
"""The metric that says whether adapting made a ranker worse."""

_K: Final = 10
_FOLDS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptation:
    """An adapted ranker and what it gained, as rankers that learned from other groups tell."""

    ranker: AdaptedRanker
    card: ModelCard
    gains: Mapping[str, PairedDifference]
    """By metric: the adapted ranker less the base, on queries whose group taught it nothing."""

    @property
    def is_worse(self) -> bool:
        """Whether the base ranks better on what was held out."""
        return self.gains[JUDGED_BY].difference < 0

    def to_frame(self) -> pd.DataFrame:
        """Give one row a metric: ``metric, before, after, gain, low, high, queries, groups``."""
        return pd.DataFrame(
            [
                {
                    "metric": name,
                    "before": each.baseline_mean,
                    "after": each.mean,
                    "gain": each.difference,
                    "low": each.ci_lower,
                    "high": each.ci_upper,
                    "queries": each.n_queries,
                    "groups": each.n_clusters,
                }
                for name, each in self.gains.items()
            ]
        )


def adapt_and_judge(
    base: CallRanker,
    index: CatalogIndex,
    queries: Sequence[Query],
    *,
    groups: Sequence[str],
    seed: int,
    folds: int = _FOLDS,
    progress: Progress = silent,
) -> Adaptation:
    """Adapt to all of the queries; judge by rankers that are adapted to all but a part each.

    Parameters
    ----------
    queries : sequence of Query
        With right answers.
    groups : sequence of str
        Who asked each, or its session: none is learned from and judged by at once.
    seed : int
        Of everything that is drawn.
    folds : int
        Parts; as many as groups where these are fewer.

    Raises
    ------
    ValueError
        Where there are fewer than three groups, or as `adapt_examined`.
    """
    n_groups = len(set(groups))
    if n_groups < 3:
        raise ValueError(
            f"queries must come from at least three users or sessions, so that two can teach and "
            f"one can tell what it gained, got {n_groups}."
        )
    judge, learn, draw = np.random.default_rng(seed).spawn(3)
    adapted = cross_validate(
        base,
        index,
        queries,
        rng=judge,
        folds=min(folds, n_groups),
        groups=groups,
        k=_K,
        progress=progress,
    )
    plain = _base_answers(base, index, queries, progress=progress)
    gains = {
        name: paired_difference(after, before, groups=list(groups), rng=draw)
        for name, after, before in (
            ("hit@1", _hits(queries, adapted), _hits(queries, plain)),
            (JUDGED_BY, _gains(queries, adapted), _gains(queries, plain)),
        )
    }
    ranker = adapt_examined(
        Examiner(index, base, queries, progress=progress),
        np.arange(len(queries)),
        groups=groups,
        rng=learn,
        progress=progress,
    )
    card = ModelCard(
        catalog=index.catalog.name,
        catalog_hash=index.catalog.content_hash,
        embedder=index.embedder.name,
        trained_at=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=seed,
        n_queries=len(queries),
        metrics=_figures(gains),
    )
    return Adaptation(ranker=ranker, card=card, gains=gains)


def _base_answers(
    base: CallRanker, index: CatalogIndex, queries: Sequence[Query], *, progress: Progress
) -> list[list[Ranked]]:
    vectors = index.encode_prompts([query.prompt for query in queries], progress=progress)
    asked = progress(list(zip(queries, vectors, strict=True)), description="Ranking by the base")
    return [
        base.rank(index, query.prompt, query.history, k=_K, vector=vector, now=query.time)
        for query, vector in asked
    ]


def _hits(queries: Sequence[Query], answers: Sequence[Sequence[Ranked]]) -> list[float]:
    return [
        float(bool(found) and found[0].operation.operation_id in query.relevant)
        for query, found in zip(queries, answers, strict=True)
    ]


def _gains(queries: Sequence[Query], answers: Sequence[Sequence[Ranked]]) -> list[float]:
    values = []
    for query, ranked in zip(queries, answers, strict=True):
        right = set(query.relevant)
        names = [each.operation.operation_id for each in ranked]
        found = [float(name in right) for name in names]
        found += [1.0] * len(right - set(names))  # what is not among the first stands below them
        values.append(ndcg(found, -np.arange(len(found)), k=min(_K, len(names))))
    return values


def _figures(gains: Mapping[str, PairedDifference]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for name, each in gains.items():
        figures |= {
            f"base.{name}": each.baseline_mean,
            f"held_out.{name}": each.mean,
            f"gain.{name}": each.difference,
            f"gain.{name}.low": each.ci_lower,
            f"gain.{name}.high": each.ci_upper,
        }
    return figures
