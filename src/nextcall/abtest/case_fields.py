"""Fields of a case, as numbers and rows; what cannot be is refused with the field's name."""

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nextcall.abtest.effect import check_alpha

Quantities = dict[str, float | list[float]]
"""What is computed of a case, by the names that peers have for it."""


def number(case: Mapping[str, object], name: str) -> float:
    """Give a finite number.

    Raises
    ------
    ValueError
        Where it is missing or none.
    """
    value = case.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value!r}.")
    return float(value)


def level(case: Mapping[str, object]) -> float:
    """Give alpha, 0.05 where there is none.

    Raises
    ------
    ValueError
        Where it does not lie between 0 and 1.
    """
    return check_alpha(number(case, "alpha")) if "alpha" in case else 0.05


def arms_of_file(
    case: Mapping[str, object], folder: Path, columns: Sequence[str]
) -> list[NDArray[np.float64]]:
    """Read the case's file: the rows of control and those of treatment.

    Returns
    -------
    list of two arrays of shape (n_rows, n_columns)

    Raises
    ------
    ValueError
        Where the case has no file, a column is missing, a cell is no finite number, or a variant
        is neither ``control`` nor ``treatment``.
    OSError
        Where the file cannot be read.
    """
    name = case.get("file")
    if not isinstance(name, str):
        raise ValueError(f"file must name a CSV file, got {name!r}.")  # noqa: TRY004  # bad data
    rows = pd.read_csv(folder / name)
    for column in ("variant", *columns):
        if column not in rows:
            raise ValueError(f"{name} must have a column {column!r}, got {list(rows.columns)}.")
    values = rows[list(columns)].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    wrong = np.argwhere(~np.isfinite(values))
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
    return [values[(rows["variant"] == variant).to_numpy()] for variant in ("control", "treatment")]
