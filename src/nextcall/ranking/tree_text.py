"""Trees in LightGBM's text form: their leaves, and what each split reads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

ZERO: Final = np.float32(1e-35)  # LightGBM's kZeroThreshold: what is no larger counts as 0
_OBJECTIVES: Final = ("lambdarank", "rank_xendcg")  # those whose score is the plain sum

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


def read_tree(
    tree: Mapping[str, str], *, bits: int
) -> tuple[list[int], Iterator[tuple[SplitColumn, float, int]]]:
    """Read a tree's leaves from the left, and each split: column, threshold, left leaves.

    Parameters
    ----------
    tree : mapping of str to str
        Fields as `read_trees` gives them.
    bits : int
        Leaves that a tree may have.

    Raises
    ------
    UnsupportedTreesError
        Where it has more.
    """
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


def split_column(feature: int, threshold: float, decision: int) -> SplitColumn:
    """Say what a split of LightGBM's reads, from its threshold and its decision type."""
    missing = decision >> 2 & 3
    if missing == _MISSING_NONE:  # LightGBM takes NaN for 0
        return SplitColumn(feature, threshold >= 0, zero_is_missing=False)
    left = bool(decision & _DEFAULT_LEFT)
    return SplitColumn(feature, left, zero_is_missing=missing == _MISSING_ZERO)


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


def _fields(lines: str) -> dict[str, str]:
    return {name: value for name, _, value in (line.partition("=") for line in lines.splitlines())}


def _require(condition: bool, rule: str) -> None:  # noqa: FBT001  # a condition
    if not condition:
        raise UnsupportedTreesError(f"{rule}.")
