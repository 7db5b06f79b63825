"""What each part of the ranker is worth: it is changed or left out, and the same is asked again."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
import pandas as pd

from nextcall.progress import Progress, silent
from nextcall.ranking.comparison import mean_interval
from nextcall.ranking.evaluation import compare_systems, score_ranker
from nextcall.ranking.index import CatalogIndex
from nextcall.training.crossval import parts_of_fold, validation_part
from nextcall.training.folds import N_PARTS
from nextcall.training.variants import DATA, WHOLE, Variant, count_taught

_ROWS_OF: Final = {"cold": "prompts", "after_calls": "after_calls"}


def score_variants(
    index: CatalogIndex,
    variants: Sequence[Variant],
    *,
    seed: int,
    tasks: Sequence[str] = ("cold", "after_calls"),
    workers: int = 2,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Train and test every variant on its folds, on the same queries with the same seeds.

    Parameters
    ----------
    index : CatalogIndex
        Of the operations that the variants rank.
    workers : int
        Variants that run side by side, each on one thread.

    Returns
    -------
    DataFrame
        What `score_ranker` gives, with ``family``, ``variant``, ``task`` and ``fold``.
    """

    def run(variant: Variant) -> pd.DataFrame:
        material = variant.material()
        frames = []
        for fold in variant.folds:
            validation, tested = validation_part(fold), parts_of_fold(fold)
            training = [p for p in range(N_PARTS) if p not in (*tested, validation)]
            ranker = material.fit(
                variant.recipe, training=training, validation=[validation], seed=seed + fold
            )
            for task in tasks:
                name = _ROWS_OF[task]
                chosen = np.flatnonzero(np.isin(material.parts[name], tested))
                frame = score_ranker(ranker, material.rows[name].select(chosen), index)
                frames.append(frame.assign(task=task, fold=fold))
        scored = pd.concat(frames, ignore_index=True)
        return scored.assign(family=variant.family, variant=variant.name)

    with ThreadPoolExecutor(workers) as pool:  # LightGBM and numba leave Python's lock
        done = progress(pool.map(run, variants), description="Leaving out", total=len(variants))
        return pd.concat(list(done), ignore_index=True)


def differences(
    scores: pd.DataFrame, *, rng: np.random.Generator, metric: str = "ndcg@10"
) -> pd.DataFrame:
    """Compare every variant with the whole ranker on the queries that both were asked.

    Parameters
    ----------
    scores : DataFrame
        What `score_variants` gives, `WHOLE` among the variants.

    Returns
    -------
    DataFrame
        One row a task and variant, the whole ranker first: ``task, family, variant``, ``mean`` with
        its 95 % interval ``low`` and ``high`` over services, ``difference`` to the whole with
        ``difference_low`` and ``difference_high``, ``pvalue`` and ``n_queries``. The difference of
        the whole itself is 0.

    Raises
    ------
    ValueError
        Where the whole ranker is not among the variants.
    """
    if WHOLE not in set(scores["variant"]):
        raise ValueError(f"scores must hold the variant {WHOLE!r}.")
    rows = []
    for task, of_task in scores.groupby("task", sort=False):
        whole = of_task[of_task["variant"] == WHOLE].assign(system=WHOLE)
        rows.append({"task": task, **_compared(whole, whole, rng=rng, metric=metric)})
        for _, part in of_task[of_task["variant"] != WHOLE].groupby(
            ["family", "variant"], sort=False
        ):
            reference = whole[whole["query_id"].isin(part["query_id"])]
            rows.append({"task": task, **_compared(part, reference, rng=rng, metric=metric)})
    return pd.DataFrame(rows)


def _compared(
    part: pd.DataFrame, reference: pd.DataFrame, *, rng: np.random.Generator, metric: str
) -> dict[str, object]:
    family, name = str(part["family"].iloc[0]), str(part["variant"].iloc[0])
    both = [reference] if name == WHOLE else [reference, part.assign(system=name)]
    table = compare_systems(
        pd.concat(both, ignore_index=True), rng=rng, metric=metric, baseline=WHOLE
    )
    found = dict(table[table["system"] == name].iloc[0])
    if name == WHOLE:  # it does not differ from itself
        found.update(difference=0.0, difference_lower=0.0, difference_upper=0.0, pvalue=1.0)
    columns = {
        "mean": "mean",
        "low": "ci_lower",
        "high": "ci_upper",
        "difference": "difference",
        "difference_low": "difference_lower",
        "difference_high": "difference_upper",
        "pvalue": "pvalue",
        "n_queries": "n_queries",
    }
    figures = {column: found[given] for column, given in columns.items()}
    return {"family": family, "variant": name, **figures}


def learning_curve(
    scores: pd.DataFrame,
    variants: Sequence[Variant],
    *,
    rng: np.random.Generator,
    metric: str = "ndcg@10",
) -> pd.DataFrame:
    """Average what the ranker reaches with each amount of data, on the same queries.

    Parameters
    ----------
    scores : DataFrame
        What `score_variants` gives for `variants`.
    variants : sequence of Variant
        Those of `data_variants`, the whole ranker, and any others, which are passed over.

    Returns
    -------
    DataFrame
        One row a task and amount, the smallest first: ``task, prompts`` (trained on, mean of the
        folds), ``mean`` with its 95 % interval ``low`` and ``high`` over services.
    """
    fewer = [variant for variant in variants if variant.family == DATA]
    asked = set(scores.loc[scores["family"] == DATA, "query_id"])
    folds = fewer[0].folds
    rows = []
    for variant in [*fewer, *(v for v in variants if v.name == WHOLE)]:
        prompts = count_taught(variant.material(), folds=folds)
        own = scores[(scores["variant"] == variant.name) & scores["query_id"].isin(asked)]
        for task, part in own.groupby("task", sort=False):
            found = mean_interval(part[metric], groups=part["service"], rng=rng)
            rows.append(
                {
                    "task": task,
                    "prompts": prompts,
                    "mean": found.mean,
                    "low": found.ci_lower,
                    "high": found.ci_upper,
                }
            )
    return pd.DataFrame(rows).sort_values("prompts", kind="stable", ignore_index=True)


def ablation_values(table: pd.DataFrame, *, metric: str = "ndcg@10") -> dict[str, float]:
    """Give the figures of `differences` by name, for ``result.json``."""
    values: dict[str, float] = {}
    for row in table.to_dict("records"):
        if row["variant"] == WHOLE:
            key, of = f"{row['task']}.{WHOLE}.{metric}", ("mean", "low", "high")
        else:
            place = f"{row['task']}.{row['family']}.{row['variant']}".replace(" ", "_")
            key = f"{place}.difference"
            of = ("difference", "difference_low", "difference_high")
        for suffix, column in zip(("", ".low", ".high"), of, strict=True):
            values[f"{key}{suffix}"] = float(row[column])
    return values
