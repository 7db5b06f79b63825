"""Numbers of one worker, in memory that other processes may read; they outlive the worker."""

import json
import mmap
import struct
import threading
from collections.abc import Iterable, Iterator
from operator import add
from typing import Final, TypeAlias

Key: TypeAlias = tuple[str, ...]
"""Name of a family, and the values of its labels."""

_MAGIC: Final = int.from_bytes(b"ncslot01", "little")
_HEADER: Final = 16  # the magic number, and where the keys end
_KEYS: Final = 384 * 1024  # bytes of the header and the keys
_SLOTS: Final = 16 * 1024  # numbers of eight bytes
SIZE: Final = _KEYS + 8 * _SLOTS
"""Bytes of a worker's file."""

_LENGTH: Final = struct.Struct("<I")


class Slots:
    """Numbers, each with its place; only this worker writes them.

    A key may have several places, whose numbers are summed (`summed`). A key is written before its
    end moves on, and a number is eight aligned bytes, so another process sees each whole.

    Parameters
    ----------
    memory : mmap.mmap, optional
        `SIZE` bytes, all zero; memory of this process alone where none is given.

    Examples
    --------
    >>> slots = Slots()
    >>> place = slots.place(("hits", "small"), 1)
    >>> slots.values[place] += 2
    >>> list(slots.numbers())
    [(('hits', 'small'), (2.0,))]
    """

    def __init__(self, memory: mmap.mmap | None = None) -> None:
        self._memory = mmap.mmap(-1, SIZE) if memory is None else memory
        whole = memoryview(self._memory)
        self._header = whole[:_HEADER].cast("Q")
        self.values = whole[_KEYS:].cast("d")
        """The numbers; to be changed while `lock` is held."""
        self.lock = threading.Lock()
        self._reader = SlotsReader()
        self._used = 0
        self._header[1] = _HEADER
        self._header[0] = _MAGIC

    def place(self, key: Key, size: int, *, first: float = 0.0) -> int | None:
        """Give a key the next `size` places; the first of them, or None where all are taken.

        Parameters
        ----------
        key : tuple of str
        size : int
        first : float
            Number that stands in each place at the beginning.
        """
        text = json.dumps([size, *key], separators=(",", ":")).encode()
        with self.lock:
            begin = self._header[1]
            end = begin + _LENGTH.size + len(text)
            if end > _KEYS or self._used + size > _SLOTS:
                return None
            place = self._used
            for each in range(place, place + size):
                self.values[each] = first
            self._memory[begin:end] = _LENGTH.pack(len(text)) + text
            self._header[1] = end
            self._used += size
        return place

    def numbers(self) -> Iterator[tuple[Key, tuple[float, ...]]]:
        """Give each key with its numbers as they are now."""
        return self._reader.read(self._memory)


class SlotsReader:
    """Reads the numbers of one worker again and again; what its keys are is read once.

    Examples
    --------
    >>> memory = mmap.mmap(-1, SIZE)
    >>> slots, reader = Slots(memory), SlotsReader()
    >>> for name in ("a", "b"):
    ...     _ = slots.place((name,), 2)
    ...     print(list(reader.read(memory)))
    [(('a',), (0.0, 0.0))]
    [(('a',), (0.0, 0.0)), (('b',), (0.0, 0.0))]
    >>> list(SlotsReader().read(b"of another program"))
    []
    """

    def __init__(self) -> None:
        self._rows: list[tuple[Key, int, int]] = []  # key, its first place, the one after its last
        self._begin = _HEADER  # of the next key
        self._lock = threading.Lock()

    def read(self, content: bytes | mmap.mmap) -> Iterator[tuple[Key, tuple[float, ...]]]:
        """Give each key with its numbers; nothing where the content is not what `Slots` writes."""
        if len(content) != SIZE or int.from_bytes(content[:8], "little") != _MAGIC:
            return
        self._read_keys(content, int.from_bytes(content[8:_HEADER], "little"))
        with memoryview(content) as whole, whole[_KEYS:] as rest, rest.cast("d") as values:
            for key, first, end in tuple(self._rows):
                # Each of them at once: it is eight aligned bytes.
                yield key, tuple(values[first:end].tolist())

    def _read_keys(self, content: bytes | mmap.mmap, end: int) -> None:
        with self._lock:
            rows, begin = self._rows, self._begin
            while begin < end:
                (length,) = _LENGTH.unpack_from(content, begin)
                begin += _LENGTH.size
                size, *key = json.loads(content[begin : begin + length])
                first = rows[-1][2] if rows else 0
                rows.append((tuple(key), first, first + size))
                begin += length
            self._begin = begin


def summed(numbers: Iterable[tuple[Key, tuple[float, ...]]]) -> dict[Key, tuple[float, ...]]:
    """Give one sum of each key.

    Examples
    --------
    >>> summed([(("a",), (1.0, 2.0)), (("b",), (3.0,)), (("a",), (4.0, 5.0))])
    {('a',): (5.0, 7.0), ('b',): (3.0,)}
    """
    sums: dict[Key, tuple[float, ...]] = {}
    for key, values in numbers:
        known = sums.get(key)
        sums[key] = values if known is None else tuple(map(add, known, values))
    return sums
