"""The states of any number of keys: a row each, in arrays that grow."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_FIRST: Final = 16  # keys for which there is room at once


class KeyedRows:
    """A row of numbers a key, or several rows of different types.

    Room for a new key may move the rows: ask for the place first, then for the arrays.

    Parameters
    ----------
    *fresh : array of shape (width,)
        Row of a key that is new; of each type one.

    Examples
    --------
    >>> rows = KeyedRows(np.array([0.0, 9.0]))
    >>> [rows.place(key) for key in ("a", "b", "a")], rows.keys
    ([0, 1, 0], ['a', 'b'])
    >>> rows.states[rows.place("b")].tolist()
    [0.0, 9.0]
    """

    def __init__(self, *fresh: NDArray[Any]) -> None:
        self._fresh = fresh
        self._places: dict[Hashable, int] = {}
        self._take(tuple(np.zeros((_FIRST, len(row)), dtype=row.dtype) for row in fresh))

    @property
    def keys(self) -> list[Hashable]:
        """Every key, the oldest first."""
        return list(self._places)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def bytes_per_key(self) -> int:
        """Size of the rows of one key; there is room for up to twice as many keys."""
        return sum(row.nbytes for row in self._fresh)

    def used(self) -> tuple[NDArray[Any], ...]:
        """Give the rows of the keys that are there, without the room for more; no copies."""
        return tuple(part[: len(self)] for part in self.parts)

    def place(self, key: Hashable) -> int:
        """Row that holds a key; a fresh one where there is none."""
        place = self._places.get(key)
        return self._add(key) if place is None else place

    def places(self, keys: Sequence[Hashable]) -> NDArray[np.int64]:
        """Give the row of each key, as `place` does."""
        return np.fromiter(map(self.place, keys), dtype=np.int64, count=len(keys))

    def known(self, key: Hashable) -> NDArray[Any] | None:
        """Give the first row of a key; None where there is none."""
        place = self._places.get(key)
        return None if place is None else self.states[place]

    def count(self, key: Hashable, column: int) -> int:
        """Give a whole number from the first row of a key; 0 where there is none."""
        row = self.known(key)
        return 0 if row is None else int(row[column])

    def total(self, column: int) -> int:
        """Sum the whole numbers of a column of the first rows over all keys."""
        return int(self.used()[0][:, column].sum())

    def counts(self, **columns: int) -> pd.DataFrame:
        """Give a row a key: ``key``, and by these names whole numbers of the first row.

        Parameters
        ----------
        **columns : int
            Of a name its column.

        Examples
        --------
        >>> rows = KeyedRows(np.array([5.0]))
        >>> place = rows.place("a")
        >>> rows.counts(points=0).to_dict("list")
        {'key': ['a'], 'points': [5]}
        """
        (used, *_) = self.used()
        return pd.DataFrame(
            {"key": pd.Series(self.keys, dtype=object)}
            | {name: used[:, column].astype(np.int64) for name, column in columns.items()}
        )

    def fill(self, keys: Iterable[Hashable], *parts: NDArray[Any]) -> None:
        """Take these keys and their rows in the place of what was there."""
        self._places = {key: place for place, key in enumerate(keys)}
        self._take(parts)

    def _add(self, key: Hashable) -> int:
        place = len(self._places)
        if place == len(self.states):
            room = max(2 * place, _FIRST)
            grown = tuple(np.zeros((room, len(row)), dtype=row.dtype) for row in self._fresh)
            for new, old in zip(grown, self.parts, strict=True):
                new[:place] = old
            self._take(grown)
        for part, row in zip(self.parts, self._fresh, strict=True):
            part[place] = row
        self._places[key] = place
        return place

    def _take(self, parts: tuple[NDArray[Any], ...]) -> None:
        self.parts = parts
        """The arrays of shape (at least n_keys, width), one of each type."""
        self.states: NDArray[Any] = parts[0]
        """The first of them."""
