"""Is an encoder of prompts as good as another, end to end? Both rankers on the same queries."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nextcall.progress import Progress, silent
from nextcall.ranking.comparison import paired_difference
from nextcall.ranking.evaluation import score_ranker
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.rows import QueryRows, query_rows
from nextcall.training.folds import NO_PART
from nextcall.training.recipe import Material, Recipe

MOST_LOST: Final = 0.005
"""NDCG@10 that a quick encoder may lose against its teacher and still be the one that is used."""

MOST_AT_RISK: Final = 0.03
"""NDCG@10 that it may lose at the low end of the interval: a few prompts tell little."""

FEWEST_PARTS: Final = 4
"""Parts of the prompts without which nothing can be told: each half trains and validates."""

_METRICS: Final = ("ndcg@10", "hit@1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """Two encoders, each with a ranker of its own, on the same held-out queries."""

    table: pd.DataFrame
    """One row a metric: ``metric, encoder, teacher, difference, low, high`` (95 %, over services or
    sessions)."""
    n_queries: int

    @property
    def difference(self) -> float:
        """NDCG@10 with the encoder less that with its teacher."""
        return float(self.table.set_index("metric")["difference"]["ndcg@10"])

    @property
    def holds(self) -> bool:
        """Whether the encoder loses less than `MOST_LOST`, and surely less than `MOST_AT_RISK`."""
        return self.difference > -MOST_LOST and self._low > -MOST_AT_RISK

    @property
    def _low(self) -> float:
        return float(self.table.set_index("metric")["low"]["ndcg@10"])

    def figures(self) -> dict[str, float]:
        """Give the difference in NDCG@10 and its interval by name."""
        table = self.table.set_index("metric")
        return {
            "encoder.difference": self.difference,
            "encoder.difference.low": self._low,
            "encoder.difference.high": float(table["high"]["ndcg@10"]),
        }


def encoder_parity(
    index: CatalogIndex,
    material: Material,
    *,
    recipe: Recipe,
    seed: int,
    taught: Material | None = None,
    workers: int = 2,
    progress: Progress = silent,
) -> Parity:
    """Compare the encoder of some material with its teacher, by two-fold cross-validation.

    Parts are dealt to two halves. On the prompts of one a ranker is trained with each encoder, the
    last part deciding the number of trees; both are tested on the prompts of the other half, and
    the other way round. Copies after calls and simulated sessions take no part.

    Parameters
    ----------
    index : CatalogIndex
        With the encoder; its teacher is the other.
    material : Material
        Prepared with `index`.
    taught : Material, optional
        The same prepared with the teacher, where the caller has it.
    workers : int
        Rankers that are trained side by side, each on one thread.

    Raises
    ------
    ValueError
        Where the prompts are of fewer than four parts: a half needs two; or where `taught` has
        others.
    """
    parts = material.parts["prompts"]
    present = sorted({int(part) for part in parts if part != NO_PART})
    if len(present) < FEWEST_PARTS:
        raise ValueError(
            f"material must have prompts of at least {FEWEST_PARTS} parts, got {len(present)}."
        )
    own = material.rows["prompts"]
    if taught is None:
        teacher = index.with_embedder(index.teacher)
        other = query_rows(teacher, own.queries, material.prior, progress=progress)
    else:
        other = taught.rows["prompts"]
        if other.queries != own.queries:
            raise ValueError("taught must have the prompts of material, in the same order.")
    halves = (present[::2], present[1::2])
    asked = [
        (name, rows, training, tested)
        for training, tested in (halves, halves[::-1])
        for name, rows in (("encoder", own), ("teacher", other))
    ]

    def scored(job: tuple[str, QueryRows, list[int], list[int]]) -> pd.DataFrame:
        name, rows, training, tested = job
        ranker = recipe.ranker().fit_rows(
            _of_parts(rows, material, training[:-1]),
            validation=_of_parts(rows, material, training[-1:]),
            prior=material.prior,
            rng=np.random.default_rng(seed),
        )
        held_out = rows.select(np.flatnonzero(np.isin(parts, tested)))
        return score_ranker(ranker, held_out, index).assign(encoder=name)

    with ThreadPoolExecutor(workers) as pool:  # LightGBM leaves Python's lock
        frames = list(pool.map(scored, asked))
    return _compared(pd.concat(frames), rng=np.random.default_rng(seed))


def _of_parts(rows: QueryRows, material: Material, parts: list[int]) -> QueryRows:
    inside = np.isin(material.parts["prompts"], parts) & material.teaches["prompts"]
    return rows.select(np.flatnonzero(inside))


def _compared(scores: pd.DataFrame, *, rng: np.random.Generator) -> Parity:
    """Pair the scores of both encoders by query."""
    of: dict[str, pd.DataFrame] = {
        str(name): part.set_index("query_id") for name, part in scores.groupby("encoder")
    }
    other = of["teacher"].loc[of["encoder"].index]
    groups: NDArray[np.str_] = of["encoder"]["service"].to_numpy()
    rows = []
    for metric in _METRICS:
        found = paired_difference(of["encoder"][metric], other[metric], groups=groups, rng=rng)
        rows.append(
            {
                "metric": metric,
                "encoder": found.mean,
                "teacher": found.baseline_mean,
                "difference": found.difference,
                "low": found.ci_lower,
                "high": found.ci_upper,
            }
        )
    return Parity(table=pd.DataFrame(rows), n_queries=len(groups))
