"""The ranker with one thing left out or changed, to be trained and tested as the whole is."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from nextcall.progress import Progress, silent
from nextcall.ranking.candidates import N_CANDIDATES, RETRIEVER_WEIGHTS, RETRIEVERS
from nextcall.ranking.feature_table import feature_groups
from nextcall.ranking.index import CatalogIndex
from nextcall.training.crossval import parts_of_fold, validation_part
from nextcall.training.recipe import Material, Recipe, rows_of_kinds

WHOLE: Final = "whole"
"""Name of the ranker with nothing changed."""

DATA: Final = "amount of data"
"""Family of the variants that are trained on less."""

_BY_VECTORS: Final = ("service_best_similarity", "similarity_within_service")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """The ranker with one thing changed."""

    family: str
    """What kind of thing is changed; `WHOLE` for the ranker as it is."""
    name: str
    recipe: Recipe
    material: Callable[[], Material]
    """Makes the rows when they are needed, for they are large."""
    folds: tuple[int, ...]
    """Folds of the cross-validation that are tested."""


def ignoring(recipe: Recipe, names: Iterable[str]) -> Recipe:
    """Take features away from the trees."""
    ignored = (*recipe.boosting.ignored, *names)
    return replace(recipe, boosting=replace(recipe.boosting, ignored=ignored))


def features_of_retriever(retriever: str) -> tuple[str, ...]:
    """Name the features that only this retriever can tell.

    Examples
    --------
    >>> features_of_retriever("name")
    ('bm25_name', 'bm25_name_share', 'rank_name')
    """
    if retriever == "dense":
        return (*feature_groups()["vectors"], "rank_dense", *_BY_VECTORS)
    return (f"bm25_{retriever}", f"bm25_{retriever}_share", f"rank_{retriever}")


def recompute(
    index: CatalogIndex,
    material: Material,
    *,
    n_candidates: int = N_CANDIDATES,
    weights: Mapping[str, float] = RETRIEVER_WEIGHTS,
    progress: Progress = silent,
) -> Material:
    """Compute the rows of the very same queries by other means.

    Parameters
    ----------
    index : CatalogIndex
        Of the same operations; its encoder may be another.
    n_candidates, weights
        As in `query_rows`.
    """
    queries = {name: rows.queries for name, rows in material.rows.items()}
    rows = rows_of_kinds(
        index, queries, material.prior,
        n_candidates=n_candidates, weights=weights, progress=progress,
    )  # fmt: skip
    return replace(material, rows=rows)


def teach_without(material: Material, kind: str) -> Material:
    """Train on no query of a kind; they are tested all the same.

    Raises
    ------
    ValueError
        Where there is no such kind.
    """
    if kind not in material.teaches:
        raise ValueError(f"kind must be one of {sorted(material.teaches)}, got {kind!r}.")
    return replace(
        material, teaches={**material.teaches, kind: np.zeros_like(material.teaches[kind])}
    )


def teach_share(material: Material, share: float, *, rng: np.random.Generator) -> Material:
    """Train on the prompts of some operations only, in every kind of query; all are tested.

    A smaller share is part of a greater one that is drawn with a generator of the same seed.

    Parameters
    ----------
    share : float
        Of the operations that a query is about, in (0, 1].

    Raises
    ------
    ValueError
        Where `share` is out of range.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must be in (0, 1], got {share}.")
    asked = sorted({q.relevant[0] for rows in material.rows.values() for q in rows.queries})
    chance = dict(zip(asked, rng.random(len(asked)).tolist(), strict=True))
    kept = {
        kind: material.teaches[kind]
        & np.array([chance[query.relevant[0]] < share for query in rows.queries], dtype=np.bool_)
        for kind, rows in material.rows.items()
    }
    return replace(material, teaches=kept)


def count_taught(material: Material, *, folds: Sequence[int]) -> float:
    """Count the prompts that a fold's ranker is trained on, without their copies; mean of folds."""
    counts = []
    for fold in folds:
        away = (*parts_of_fold(fold), validation_part(fold))
        counts.append(material.teaches["prompts"] & ~np.isin(material.parts["prompts"], away))
    return float(np.mean([count.sum() for count in counts]))


def standard_variants(
    index: CatalogIndex,
    material: Material,
    *,
    recipe: Recipe,
    folds: Sequence[int],
    candidates: Sequence[int],
    trees: Sequence[int],
) -> list[Variant]:
    """List the ranker without each group of features, retriever and kind of training query.

    And with each feature that its recipe ignores, and with other numbers of candidates and trees.

    Parameters
    ----------
    candidates : sequence of int
        Numbers of candidates to try beside `N_CANDIDATES`.
    trees : sequence of int
        The most trees, to try beside the recipe's.
    """
    boosting = recipe.boosting
    groups = feature_groups()
    first, second, third = list(groups)[:3]
    left_out = {f"no {name}": names for name, names in groups.items()}
    left_out["none of what retrievers say"] = groups[first] + groups[second] + groups[third]
    words = [names for group, names in groups.items() if "words" in group]
    left_out["no words at all"] = tuple(name for names in words for name in names)

    def whole() -> Material:
        return material

    def without_retriever(name: str) -> Callable[[], Material]:
        weights = {other: RETRIEVER_WEIGHTS[other] for other in RETRIEVERS if other != name}
        return lambda: recompute(index, material, weights=weights)

    def proposed(n_candidates: int) -> Callable[[], Material]:
        return lambda: recompute(index, material, n_candidates=n_candidates)

    def untaught(kind: str) -> Callable[[], Material]:
        return lambda: teach_without(material, kind)

    changes: list[tuple[str, str, Recipe, Callable[[], Material]]] = [
        *(("features", name, ignoring(recipe, names), whole) for name, names in left_out.items()),
        *(
            ("features", f"also {name}", replace(recipe, boosting=replace(boosting, ignored=tuple(
                other for other in boosting.ignored if other != name))), whole)
            for name in boosting.ignored
        ),
        *(
            ("retrievers", f"no {name}", ignoring(recipe, features_of_retriever(name)),
             without_retriever(name))
            for name in RETRIEVERS
        ),
        *(("candidates", f"{n}", recipe, proposed(n)) for n in candidates),
        *(
            ("trees", f"{n}", replace(recipe, boosting=replace(boosting, trees=n)), whole)
            for n in trees
        ),
        *(
            ("training queries", f"no {kind.replace('_', ' ')}", recipe, untaught(kind))
            for kind in material.rows
        ),
    ]  # fmt: skip
    return [
        Variant(family=family, name=name, recipe=own, material=made, folds=tuple(folds))
        for family, name, own, made in changes
    ]


def data_variants(
    material: Material, *, recipe: Recipe, folds: Sequence[int], shares: Sequence[float], seed: int
) -> list[Variant]:
    """List the ranker trained on shares of the operations with prompts, each part of the next."""

    def taught(share: float) -> Callable[[], Material]:
        return lambda: teach_share(material, share, rng=np.random.default_rng(seed))

    return [
        Variant(
            family=DATA,
            name=f"{share:.1%} of the prompts",
            recipe=recipe,
            material=taught(share),
            folds=tuple(folds),
        )
        for share in shares
    ]
