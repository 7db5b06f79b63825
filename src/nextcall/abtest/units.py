"""Units (users, sessions, queries) as bytes: what is hashed of one, and of a column of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Units: TypeAlias = "pd.Series[Any] | pd.Index[Any] | pa.Array | NDArray[Any] | Sequence[str | int]"
"""A column of units: texts or integers."""

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedUnits:
    """The texts of units, one behind another.

    Parameters
    ----------
    texts : Arrow array of large_string
    rows : array of int, optional
        Which of them stands in each row of the column, where it repeats few (categories).
    """

    texts: Any
    rows: NDArray[np.int64] | None = None

    @property
    def data(self) -> NDArray[np.uint8]:
        """Their bytes."""
        return np.frombuffer(self.texts.buffers()[2] or b"", np.uint8)

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where in `data` each begins, and the last ends."""
        offsets = self.texts.buffers()[1]
        if not len(self.texts):
            return np.zeros(1, np.int64)
        return np.frombuffer(offsets, np.int64, len(self.texts) + 1, 8 * self.texts.offset)

    def places_in(self, wanted: Sequence[str]) -> NDArray[np.int64]:
        """Give the place of each in a list, or -1."""
        import pyarrow.compute as pc  # noqa: PLC0415  # 7 MB, and only for columns of units

        places = pc.index_in(self.texts, value_set=pa.array(wanted, pa.large_string()))
        return np.asarray(places.fill_null(-1), np.int64)

    def to_rows(self, values: NDArray[T]) -> NDArray[T]:
        """Spread what was found for each over the rows of the column."""
        return values if self.rows is None else values[self.rows]


def unit_bytes(unit: object) -> bytes:
    r"""Give the bytes of a unit: UTF-8 of a text, decimal digits of an integer.

    Raises
    ------
    TypeError
        Where it is neither; true and false are not integers here.
    ValueError
        Where UTF-8 has no bytes for it.

    Examples
    --------
    >>> unit_bytes("é"), unit_bytes(-42)
    (b'\xc3\xa9', b'-42')
    """
    if isinstance(unit, str):
        try:
            return unit.encode()
        except UnicodeEncodeError:
            raise ValueError(f"unit must be text that UTF-8 can hold, got {unit!r}.") from None
    if isinstance(unit, int | np.integer) and not isinstance(unit, bool):
        return b"%d" % int(unit)
    raise TypeError(f"unit must be a text or an integer, got {unit!r}.")


def packed_units(units: Units) -> PackedUnits:
    """Give the bytes of a column of units, each as `unit_bytes` gives them.

    Raises
    ------
    TypeError
        Where the column holds neither texts nor integers. One of integers that had missing values
        has become one of floats in many tools.
    ValueError
        Where a unit is missing, or UTF-8 has no bytes for one.

    Examples
    --------
    >>> packed_units([7, 42]).data.tobytes()
    b'742'
    """
    column = _as_arrow(units)
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type) and column.dictionary.null_count:
        column = column.dictionary_decode()
    if column.null_count:
        import pyarrow.compute as pc  # noqa: PLC0415  # as above

        row = pc.index(column.is_null(), True).as_py()
        raise ValueError(f"units must not be missing, but row {row} is.")
    rows = None
    if pa.types.is_dictionary(column.type):
        rows = column.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        column = column.dictionary
    if len(column) and not _is_unit(column.type):
        raise TypeError(f"units must be texts or integers, got a column of {column.type}.")
    return PackedUnits(texts=column.cast(pa.large_string()), rows=rows)


def _is_unit(kind: Any) -> bool:
    kinds = pa.types
    return bool(
        kinds.is_integer(kind)
        or kinds.is_string(kind)
        or kinds.is_large_string(kind)
        or kinds.is_string_view(kind)
    )


def _as_arrow(units: Units) -> Any:
    """Give a column as Arrow's, by way of single units where it mixes texts and integers."""
    if isinstance(units, pa.Array | pa.ChunkedArray):
        return units
    try:
        return pa.array(units, from_pandas=True)
    except (pa.ArrowException, OverflowError, TypeError, UnicodeEncodeError):
        texts = [unit_bytes(unit).decode() for unit in units]
        return pa.array(texts, pa.large_string())
