"""LambdaMART: the one module that knows LightGBM."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from nextcall.ranking.feature_table import FEATURE_NAMES

if TYPE_CHECKING:
    import lightgbm

    from nextcall.ranking.compiled_trees import CompiledTrees
    from nextcall.ranking.tree_contributions import TreeContributions

_EARLY_STOPPING_METRIC: Final = "ndcg@10"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoostingSettings:
    """How the trees are grown."""

    trees: int = 100
    """The most trees; fewer where the validation queries stop improving."""
    leaves: int = 31
    learning_rate: float = 0.1
    min_rows_in_leaf: int = 20
    feature_fraction: float = 1.0
    """Share of the features that each tree may use, in (0, 1]."""
    l2: float = 0.0
    max_bins: int = 255
    truncation: int = 30
    """Rank beyond which LambdaMART ignores pairs."""
    patience: int = 20
    """Trees without a better validation NDCG@10 before it stops; only with validation rows."""
    ignored: tuple[str, ...] = ()
    """Features that no tree looks at."""
    threads: int = 1
    """One is fastest below about 200,000 rows on shared cores."""


@dataclass(frozen=True, slots=True)
class RankingRows:
    """Rows of queries, those of one query in a row; the three arrays that must agree."""

    features: NDArray[np.float32]
    """Shape (n_rows, n_features)."""
    relevance: NDArray[np.int8]
    """Shape (n_rows,), 0 or 1."""
    group_sizes: NDArray[np.int64]
    """Rows of each query, shape (n_queries,)."""

    def __post_init__(self) -> None:
        total = int(self.group_sizes.sum())
        if not len(self.features) == len(self.relevance) == total:
            raise ValueError(
                "features, relevance and the sum of group_sizes must agree, "
                f"got {len(self.features)}, {len(self.relevance)} and {total}."
            )

    def shuffled(self, rng: np.random.Generator) -> "RankingRows":
        """Shuffle the rows inside each query, so that no score depends on where a row stood."""
        group = np.repeat(np.arange(len(self.group_sizes)), self.group_sizes)
        order = np.lexsort((rng.random(len(group)), group))
        return RankingRows(self.features[order], self.relevance[order], self.group_sizes)


class Trees:
    """A trained ensemble: rows in, scores out.

    Parameters
    ----------
    trained : lightgbm.Booster or str
        What LightGBM trained, or its text form, which LightGBM reads only where it must.
    """

    def __init__(self, trained: "lightgbm.Booster | str") -> None:
        self._trained = trained

    @cached_property
    def _booster(self) -> "lightgbm.Booster":
        if not isinstance(self._trained, str):
            return self._trained
        import lightgbm  # noqa: PLC0415  # a second and 40 MB, which compiled trees do not need

        try:
            return lightgbm.Booster(model_str=self._trained)
        except lightgbm.basic.LightGBMError as error:
            raise ValueError(f"trees must be LightGBM's text form: {error}.") from error

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        names = self.to_text().partition("\nfeature_names=")[2].partition("\n")[0]
        return tuple(names.split(" "))

    @property
    def n_trees(self) -> int:
        """Trees that score."""
        return self.to_text().count("\nTree=")

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Score rows; shape (n_rows,), higher is better, comparable within a query only.

        The first call loads compiled code, or compiles it where none is kept: 0.5 or 2 seconds.
        Trees of a kind that is not compiled, and rows of another type, are scored by LightGBM; the
        scores are the same to the last bit.
        """
        compiled = self._compiled
        if compiled is not None and compiled.takes(features):
            return compiled.predict(features)
        return np.asarray(self._booster.predict(features, num_threads=1), dtype=np.float64)

    @cached_property
    def _compiled(self) -> "CompiledTrees | None":
        try:
            from nextcall.ranking import compiled_trees  # noqa: PLC0415  # numba loads for 0.4 s
        except ImportError:  # without numba
            return None
        try:
            return compiled_trees.CompiledTrees.from_text(self.to_text())
        except (ValueError, KeyError):  # of another kind, or no trees at all
            return None

    @cached_property
    def _split(self) -> "TreeContributions | None":
        if self._compiled is None:
            return None
        from nextcall.ranking.tree_contributions import TreeContributions  # noqa: PLC0415  # as above

        try:
            return TreeContributions.from_text(self.to_text())
        except (ValueError, KeyError):  # it does not tell how many rows came where
            return None

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Split each score into what every feature adds (TreeSHAP), and a constant at the end.

        Compiled as `predict` is, and left to LightGBM where that is; both agree to rounding.

        Returns
        -------
        array of shape (n_rows, n_features + 1)
            Rows sum to `predict`.
        """
        split = self._split
        if split is not None and split.takes(features):
            return split.split(features)
        values = self._booster.predict(features, pred_contrib=True, num_threads=1)
        return np.asarray(values, dtype=np.float64)

    def importance(self) -> NDArray[np.float64]:
        """Sum of the gain of each feature's splits, shape (n_features,)."""
        return np.asarray(self._booster.feature_importance("gain"), dtype=np.float64)

    def to_text(self) -> str:
        """Give LightGBM's own text form."""
        if isinstance(self._trained, str):
            return self._trained
        return str(self._trained.model_to_string())

    @classmethod
    def from_text(cls, text: str) -> "Trees":
        """Read what `to_text` gave.

        Raises
        ------
        ValueError
            Where LightGBM cannot read the text.
        """
        trees = cls(text)
        if trees._compiled is None:
            trees._booster  # noqa: B018  # raises where the text is none
        return trees


def train_trees(
    rows: RankingRows,
    *,
    settings: BoostingSettings,
    rng: np.random.Generator,
    validation: RankingRows | None = None,
    feature_names: Sequence[str] = FEATURE_NAMES,
) -> Trees:
    """Train LambdaMART on rows of queries.

    Parameters
    ----------
    rows : RankingRows
        Shuffled within each query before LightGBM sees them.
    validation : RankingRows, optional
        Other queries, whose NDCG@10 decides how many trees are kept.

    Raises
    ------
    ValueError
        Where no row is relevant, or an ignored feature is none of the columns.
    """
    import lightgbm  # noqa: PLC0415  # as above

    if not rows.relevance.any():
        raise ValueError("rows must hold at least one relevant row, got none.")
    names = list(feature_names)
    unknown = sorted(set(settings.ignored) - set(names))
    if unknown:
        raise ValueError(f"settings.ignored must name features, got {unknown}.")
    train = _dataset(rows.shuffled(rng), names, settings)
    callbacks: list[Callable[..., Any]] = []
    sets = []
    if validation is not None:
        sets = [_dataset(validation.shuffled(rng), names, settings, reference=train)]
        callbacks = [lightgbm.early_stopping(settings.patience, verbose=False)]
    booster = lightgbm.train(
        _parameters(settings, seed=int(rng.integers(2**31))),
        train,
        num_boost_round=settings.trees,
        valid_sets=sets,
        callbacks=callbacks,
    )
    if validation is None:
        return Trees(booster.free_dataset())
    best = booster.best_iteration  # the text holds no tree beyond it, and no data
    return Trees(lightgbm.Booster(model_str=booster.model_to_string(num_iteration=best)))


def _dataset(
    rows: RankingRows,
    names: list[str],
    settings: BoostingSettings,
    *,
    reference: "lightgbm.Dataset | None" = None,
) -> "lightgbm.Dataset":
    """Bin rows that are the caller's to write over."""
    import lightgbm  # noqa: PLC0415  # as above

    rows.features[:, [names.index(name) for name in settings.ignored]] = np.nan
    return lightgbm.Dataset(
        rows.features,
        label=rows.relevance,
        group=rows.group_sizes,
        feature_name=names,
        reference=reference,
        params={"max_bin": settings.max_bins, "verbosity": -1, "num_threads": settings.threads},
        free_raw_data=True,
    )


def _parameters(settings: BoostingSettings, *, seed: int) -> dict[str, Any]:
    return {
        "objective": "lambdarank",
        "metric": "ndcg",
        "eval_at": [10],
        "num_leaves": settings.leaves,
        "learning_rate": settings.learning_rate,
        "min_data_in_leaf": settings.min_rows_in_leaf,
        "feature_fraction": settings.feature_fraction,
        "lambda_l2": settings.l2,
        "max_bin": settings.max_bins,
        "lambdarank_truncation_level": settings.truncation,
        "num_threads": settings.threads,
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed,
        "verbosity": -1,
    }
