"""Fields of a case, as numbers and rows; what cannot be is refused with the field's name."""

from collections.abc import Callable, Mapping, Sequence
from math import inf, isfinite
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nextcall.abtest.effect import Arm, check_alpha

Quantities = dict[str, float | list[float]]
"""What is computed of a case, by the names that peers have for it."""

Answer = Callable[[Mapping[str, object], Path], Quantities]
"""Computes them of a case, whose file is relative to a folder."""


def number(
    case: Mapping[str, object], name: str, *, least: float = -inf, above: float = -inf
) -> float:
    """Give a finite number.

    Raises
    ------
    ValueError
        Where it is missing or none, below `least` or not above `above`.
    """
    return _number(name, case.get(name), least=least, above=above)


def numbers(case: Mapping[str, object], name: str) -> list[float]:
    """Give a list of finite numbers.

    Raises
    ------
    ValueError
        Where it is missing or none.
    """
    values = case.get(name)
    if not isinstance(values, Sequence) or isinstance(values, str):
        rule = "a list of numbers"
        raise ValueError(f"{name} must be {rule}, got {values!r}.")  # noqa: TRY004  # bad data
    return [_number(name, each) for each in values]


def whole(case: Mapping[str, object], name: str, *, least: int) -> int:
    """Give a whole number.

    Raises
    ------
    ValueError
        Where it is missing or none, or below `least`.
    """
    return as_whole(name, case.get(name), least=least)


def as_whole(name: str, value: object, *, least: int) -> int:
    """Give a value as a whole number; errors as of `whole`."""
    found = _number(name, value, least=least)
    if found != int(found):
        raise ValueError(f"{name} must be a whole number, got {value!r}.")
    return int(found)


def arm(case: Mapping[str, object], side: str) -> Arm:
    """Give an arm from ``n_SIDE``, ``mean_SIDE`` and ``var_SIDE``; side c or t.

    Raises
    ------
    ValueError
        Where one is missing or cannot be.
    """
    return Arm(
        n=number(case, f"n_{side}", least=1),
        estimate=number(case, f"mean_{side}"),
        variance=number(case, f"var_{side}", least=0),
    )


def _number(name: str, value: object, *, least: float = -inf, above: float = -inf) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value!r}.")
    if value < least:
        raise ValueError(f"{name} must be at least {least:g}, got {value}.")
    if value <= above:
        raise ValueError(f"{name} must be above {above:g}, got {value}.")
    return float(value)


def level(case: Mapping[str, object]) -> float:
    """Give alpha, 0.05 where there is none.

    Raises
    ------
    ValueError
        Where it does not lie between 0 and 1.
    """
    return check_alpha(number(case, "alpha")) if "alpha" in case else 0.05


def rows_of_file(case: Mapping[str, object], folder: Path) -> pd.DataFrame:
    """Read the case's CSV file.

    Raises
    ------
    ValueError
        Where the case names none.
    OSError
        Where the file cannot be read.
    """
    name = case.get("file")
    if not isinstance(name, str):
        raise ValueError(f"file must name a CSV file, got {name!r}.")  # noqa: TRY004  # bad data
    return pd.read_csv(folder / name)


def arms_of_file(
    case: Mapping[str, object], folder: Path, columns: Sequence[str]
) -> list[NDArray[np.float64]]:
    """Read the case's file: the rows of control and those of treatment.

    A row that lacks one of the values is left out, as in an analysis.

    Returns
    -------
    list of two arrays of shape (n_rows, n_columns)

    Raises
    ------
    ValueError
        Where the case has no file, a column is missing, a cell is no finite number and not empty,
        or a variant is neither ``control`` nor ``treatment``.
    OSError
        Where the file cannot be read.
    """
    rows, name = rows_of_file(case, folder), case["file"]
    for column in ("variant", *columns):
        if column not in rows:
            raise ValueError(f"{name} must have a column {column!r}, got {list(rows.columns)}.")
    values = rows[list(columns)].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    empty = rows[list(columns)].isna().to_numpy()
    wrong = np.argwhere(~np.isfinite(values) & ~empty)
    if len(wrong):
        row, place = (int(each) for each in wrong[0])
        value = rows[columns[place]].iloc[row]
        raise ValueError(
            f"{name}, line {row + 2}, column {columns[place]}: must be a finite number, "
            f"got {value!r}."
        )
    others = sorted(set(rows["variant"].astype(str)) - {"control", "treatment"})
    if others:
        raise ValueError(f"{name}: variant must be 'control' or 'treatment', got {others}.")
    whole, variants = ~empty.any(axis=1), rows["variant"].to_numpy()
    return [values[whole & (variants == variant)] for variant in ("control", "treatment")]
