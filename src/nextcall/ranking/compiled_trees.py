"""Score rows by many trees at once: bit for bit LightGBM's sums, in a tenth of its time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled

_OBJECTIVES: Final = ("lambdarank", "rank_xendcg")  # those whose score is the plain sum
ZERO: Final = np.float32(1e-35)  # LightGBM's kZeroThreshold: what is no larger counts as 0
_LANES: Final = 16  # rows are filled up to a multiple of one vector register
_BLOCK: Final = 128  # rows whose columns stay in the first caches
_UNROLLED: Final = 4  # splits that one pass over the rows takes; each tree is filled up to them

# De Bruijn sequences: the high bits of 2**i times one differ for every i.
_DE_BRUIJN: Final = {32: 0x077CB531, 64: 0x03F79D71B4CB0A89}

# Bits of LightGBM's decision_type.
_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_MISSING_NONE, _MISSING_ZERO = 0, 1


class UnsupportedTreesError(ValueError):
    """The trees are of a kind that only LightGBM itself scores."""


@dataclass(frozen=True, slots=True)
class SplitColumn:
    """What a split reads: a feature, and where the rows go that lack it."""

    feature: int
    missing_left: bool
    zero_is_missing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledTrees:
    """Trees as flat arrays of splits, after QuickScorer [1]_ with rows side by side [2]_.

    The leaves of a tree are bits, from the left. A row that goes right at a split has left that
    split's left leaves: their bits are cleared. After all splits, in any order, the lowest bit that
    stands is the row's leaf. There is no branch to mispredict, and sixteen rows are compared by one
    instruction where the processor has such. Sums run over the trees in their order, in 64 bits,
    so they are those of ``Booster.predict``.

    References
    ----------
    .. [1] Lucchese et al. (2015), "QuickScorer", SIGIR.
    .. [2] Lucchese et al. (2016), "Exploiting CPU SIMD extensions to speed-up document scoring
       with tree ensembles", SIGIR.
    """

    n_features: int
    features: NDArray[np.int64]
    """Feature of each column that splits read, shape (n_columns,)."""
    fills: NDArray[np.float32]
    """What stands for a missing value: below every threshold, or NaN, which is below none."""
    limits: NDArray[np.float32]
    """A value is missing unless its size is above this: -1, or LightGBM's zero."""
    columns: NDArray[np.int64]
    """Column of each split, shape (n_splits,)."""
    thresholds: NDArray[np.float32]
    """The largest float32 that goes left."""
    masks: NDArray[np.unsignedinteger]
    """Leaves that are left to a row that goes right."""
    starts: NDArray[np.int64]
    """First split of each tree, shape (n_trees + 1,)."""
    leaves: NDArray[np.float64]
    """Value of each leaf, shape (n_trees, 32 or 64), at the place that its bit is hashed to."""

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Flatten trees in LightGBM's text form; about 0.1 ms a tree.

        Raises
        ------
        UnsupportedTreesError
            Where an objective changes the sum, a tree has a categorical split, linear leaves or
            more than 64 leaves, or a text gives several scores a row.
        """
        trees, n_features = read_trees(text)
        return cls._of_trees(trees, n_features=n_features)

    @classmethod
    def _of_trees(cls, trees: Sequence[Mapping[str, str]], *, n_features: int) -> Self:
        bits = 32 if max((int(tree["num_leaves"]) for tree in trees), default=1) <= 32 else 64
        place = _places(bits)
        whole = (1 << bits) - 1
        known: dict[SplitColumn, int] = {}
        columns: list[int] = []
        thresholds: list[float] = []
        masks: list[int] = []
        starts = [0]
        leaves = np.zeros((len(trees), bits), dtype=np.float64)
        for values, tree in zip(leaves, trees, strict=True):
            order, splits = _read_tree(tree, bits=bits)
            values[place[: len(order)]] = np.array(tree["leaf_value"].split(), np.float64)[order]
            for column, threshold, left in splits:
                columns.append(known.setdefault(column, len(known)))
                thresholds.append(threshold)
                masks.append(whole ^ left)
            filling = -len(columns) % _UNROLLED
            columns += [0] * filling
            thresholds += [np.inf] * filling
            masks += [whole] * filling  # clears nothing
            starts.append(len(columns))
        return cls(
            n_features=n_features,
            features=np.array([column.feature for column in known], dtype=np.int64),
            fills=np.array(
                [-np.inf if column.missing_left else np.nan for column in known], dtype=np.float32
            ),
            limits=np.array(
                [ZERO if column.zero_is_missing else -1 for column in known], dtype=np.float32
            ),
            columns=np.array(columns, dtype=np.int64),
            thresholds=largest_left(np.array(thresholds, dtype=np.float64)),
            masks=np.array(masks, dtype=np.uint32 if bits == 32 else np.uint64),
            starts=np.array(starts, dtype=np.int64),
            leaves=leaves,
        )

    def takes(self, features: NDArray[np.generic]) -> bool:
        """Tell whether rows have the type and the number of features that are scored here."""
        return features.dtype == np.float32 and features.shape[1:] == (self.n_features,)

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Score rows that `takes` admits; shape (n_rows,)."""
        if not features.flags.carray:  # another layout would be compiled once more
            features = features.copy()
        scores = np.empty(len(features), dtype=np.float64)
        bits = self.leaves.shape[1]
        score_rows(
            features,
            (self.features, self.fills, self.limits),
            (self.columns, self.thresholds, self.masks, self.starts),
            self.leaves,
            np.uint64(_DE_BRUIJN[bits]),
            scores,
        )
        return scores


@compiled()
def score_rows(
    features: NDArray[np.float32],
    sources: tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]],
    splits: tuple[
        NDArray[np.int64], NDArray[np.float32], NDArray[np.unsignedinteger], NDArray[np.int64]
    ],
    leaves: NDArray[np.float64],
    de_bruijn: np.uint64,
    scores: NDArray[np.float64],
) -> None:
    """Score rows; the arrays are those of `CompiledTrees`."""
    source, fills, limits = sources
    columns, thresholds, masks, starts = splits
    bits = leaves.shape[1]
    keep = np.uint64(0xFFFFFFFF) if bits == 32 else np.uint64(0xFFFFFFFFFFFFFFFF)
    shift = np.uint64(27) if bits == 32 else np.uint64(58)
    width = max(_LANES, min(_BLOCK, (len(features) + _LANES - 1) // _LANES * _LANES))
    values = np.zeros((len(source), width), dtype=np.float32)
    alive = np.empty(width, dtype=masks.dtype)
    every = ~np.zeros(1, dtype=masks.dtype)[0]
    sums = np.empty(width, dtype=np.float64)
    for first in range(0, len(features), width):
        n = min(width, len(features) - first)
        for c in range(len(source)):
            feature, fill, limit = source[c], fills[c], limits[c]
            for r in range(n):
                value = features[first + r, feature]
                values[c, r] = value if abs(value) > limit else fill
        sums[:] = 0.0
        for tree in range(len(leaves)):
            alive[:] = every
            for s in range(starts[tree], starts[tree + 1], _UNROLLED):
                v0, v1 = values[columns[s]], values[columns[s + 1]]
                v2, v3 = values[columns[s + 2]], values[columns[s + 3]]
                t0, t1, t2, t3 = (
                    thresholds[s],
                    thresholds[s + 1],
                    thresholds[s + 2],
                    thresholds[s + 3],
                )
                m0, m1, m2, m3 = masks[s], masks[s + 1], masks[s + 2], masks[s + 3]
                for r in range(width):
                    a0 = every if v0[r] <= t0 else m0
                    a1 = every if v1[r] <= t1 else m1
                    a2 = every if v2[r] <= t2 else m2
                    a3 = every if v3[r] <= t3 else m3
                    alive[r] &= (a0 & a1) & (a2 & a3)
            of_tree = leaves[tree]
            for r in range(width):
                lowest = np.uint64(alive[r]) & (~np.uint64(alive[r]) + np.uint64(1))
                sums[r] += of_tree[((lowest * de_bruijn) & keep) >> shift]
        for r in range(n):
            scores[first + r] = sums[r]


def largest_left(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """Give the largest float32 that LightGBM, comparing in 64 bits, sends left at each threshold.

    It takes what is no larger than 1e-35 for 0 first.

    Examples
    --------
    >>> largest_left(np.array([0.1, 0.0, np.inf])).tolist()
    [0.09999999403953552, 1.0000000180025095e-35, inf]
    """
    with np.errstate(over="ignore"):
        nearest = thresholds.astype(np.float32)
    above = nearest.astype(np.float64) > thresholds
    nearest[above] = np.nextafter(nearest[above], np.float32(-np.inf))
    zero = np.float64(ZERO)
    nearest[(thresholds >= 0) & (thresholds < zero)] = ZERO
    nearest[(thresholds < 0) & (thresholds >= -zero)] = np.nextafter(-ZERO, np.float32(-np.inf))
    return nearest


def read_trees(text: str) -> tuple[list[Mapping[str, str]], int]:
    """Read the fields of each tree in LightGBM's text form, and the number of features.

    Raises
    ------
    UnsupportedTreesError
        Where an objective changes the sum, a tree has a categorical split or linear leaves, or a
        text gives several scores a row.
    """
    header, *parts = text.split("\nTree=")
    general = _fields(header)
    objective = general.get("objective", "").split(" ")[0]
    _require(objective in _OBJECTIVES, f"objective must be of {_OBJECTIVES}, got {objective!r}")
    per_row = general["num_tree_per_iteration"]
    _require(per_row == "1", f"a row must have one score, got {per_row}")
    _require("\naverage_output" not in header, "scores must be sums, got means")
    trees = [_fields(part.split("\n\n", 1)[0]) for part in parts]
    for tree in trees:
        _require(tree["num_cat"] == "0", "splits must be numerical, got categorical ones")
        _require(tree.get("is_linear", "0") == "0", "leaves must be constant, got linear ones")
    return list(trees), int(general["max_feature_idx"]) + 1


def split_column(feature: int, threshold: float, decision: int) -> SplitColumn:
    """Say what a split of LightGBM's reads, from its threshold and its decision type."""
    missing = decision >> 2 & 3
    if missing == _MISSING_NONE:  # LightGBM takes NaN for 0
        return SplitColumn(feature, threshold >= 0, zero_is_missing=False)
    left = bool(decision & _DEFAULT_LEFT)
    return SplitColumn(feature, left, zero_is_missing=missing == _MISSING_ZERO)


def _fields(lines: str) -> dict[str, str]:
    return {name: value for name, _, value in (line.partition("=") for line in lines.splitlines())}


def _places(bits: int) -> NDArray[np.int64]:
    """Place that each bit is hashed to."""
    whole, shift = (1 << bits) - 1, bits - bits.bit_length() + 1
    return np.array([((_DE_BRUIJN[bits] << bit) & whole) >> shift for bit in range(bits)])


def _read_tree(
    tree: Mapping[str, str], *, bits: int
) -> tuple[list[int], Iterator[tuple[SplitColumn, float, int]]]:
    """Read a tree's leaves from the left, and each split: column, threshold, left leaves."""
    n_leaves = int(tree["num_leaves"])
    _require(n_leaves <= bits, f"a tree must have at most {bits} leaves, got {n_leaves}")
    if n_leaves == 1:
        return [0], iter(())
    left = [int(child) for child in tree["left_child"].split()]
    right = [int(child) for child in tree["right_child"].split()]
    order: list[int] = []
    covers = [0] * len(left)

    def visit(child: int) -> None:
        if child < 0:
            order.append(~child)
            return
        first = len(order)
        visit(left[child])
        covers[child] = (1 << len(order)) - (1 << first)
        visit(right[child])

    visit(0)
    splits = zip(
        tree["split_feature"].split(),
        tree["threshold"].split(),
        tree["decision_type"].split(),
        covers,
        strict=True,
    )
    return order, (
        (split_column(int(feature), float(threshold), int(decision)), float(threshold), cover)
        for feature, threshold, decision, cover in splits
    )


def _require(condition: bool, rule: str) -> None:  # noqa: FBT001  # a condition
    if not condition:
        raise UnsupportedTreesError(f"{rule}.")
