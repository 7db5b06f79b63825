"""Which of many short strings a text holds, and what else one pass over its characters tells."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled
from nextcall.guard.grams import mix

_BITS: Final = 17
_SHIFT: Final = 32 - _BITS
_HASHED: Final = 7  # characters of a string that are looked for


class MarkTable:
    """Strings, each with a number of whatever it is a mark of, to be found in one pass.

    Hashes of their first seven characters stand for the strings: a text may now and then be said
    to hold one that it does not.

    Parameters
    ----------
    marks : sequence of (str, int)
        Strings and numbers; a string may come with several numbers. The empty one is everywhere.
    """

    def __init__(self, marks: Sequence[tuple[str, int]]) -> None:
        self._numbers = 1 + max(number for _, number in marks)
        self._always = np.zeros(self._numbers, np.bool_)
        owners: dict[int, list[int]] = {}
        for mark, number in marks:
            if mark:
                owners.setdefault(_slot(mark), []).append(number)
            else:
                self._always[number] = True
        self._first = np.zeros((1 << _BITS) + 1, np.int32)
        for slot, numbers in owners.items():
            self._first[slot + 1] = len(numbers)
        self._first = np.cumsum(self._first, dtype=np.int32)
        self._owners = np.array(
            [number for slot in sorted(owners) for number in owners[slot]], np.int32
        )
        # A bit a slot: they stay in the processor's caches, where the places do not.
        self._owned = np.packbits(np.diff(self._first) > 0, bitorder="little")

    def held(self, codes: NDArray[np.uint32]) -> list[int]:
        """Give the numbers of the strings that a text's characters hold, ascending.

        Examples
        --------
        >>> table = MarkTable([("ab", 0), ("c", 1), ("c", 2)])
        >>> table.held(np.array([ord("c"), ord("a")], np.uint32))
        [1, 2]
        """
        found = self._always.copy()
        _hold(codes, self._owned, self._first, self._owners, found)
        numbers: list[int] = found.nonzero()[0].tolist()
        return numbers


def _slot(mark: str) -> int:
    value = 9
    for character in mark[:_HASHED]:
        value = int(mix(value, ord(character)))
    return int(mix(value, 77)) >> _SHIFT


@compiled(hold_lock=True)
def _hold(
    codes: NDArray[np.uint32],
    owned: NDArray[np.uint8],
    first: NDArray[np.int32],
    owners: NDArray[np.int32],
    found: NDArray[np.bool_],
) -> None:
    for begin in range(len(codes)):
        value = 9
        for end in range(begin, min(len(codes), begin + _HASHED)):
            value = mix(value, int(codes[end]))
            slot = mix(value, 77) >> _SHIFT
            if owned[slot >> 3] >> (slot & 7) & 1:
                for place in range(first[slot], first[slot + 1]):
                    found[owners[place]] = True


@compiled(hold_lock=True)
def count_amounts(
    clear: NDArray[np.uint32],
    lowered: NDArray[np.uint32],
    tokens: NDArray[np.uint64],
    kinds: NDArray[np.int64],
    amounts: NDArray[np.int64],
) -> None:
    """Count tokens of each of four kinds, capitals, line ends, and the longest run of a character.

    Parameters
    ----------
    clear, lowered : NDArray of uint32
        A text's characters, as they are and in small letters.
    tokens : NDArray of uint64
        As `Vocabulary.tokens` gives them.
    kinds : NDArray of int64
        Kind of each class.
    amounts : NDArray of int64 of shape (7,)
        Where to write: four counts of tokens, capitals, line ends, length of the run.
    """
    amounts[:] = 0
    for token in tokens:
        amounts[kinds[np.int64(token >> np.uint64(32))]] += 1
    run = 0
    for place in range(len(clear)):
        code = clear[place]
        if len(clear) == len(lowered) and code != lowered[place]:
            amounts[4] += 1
        if code == 10:
            amounts[5] += 1
        if code in (10, 32):
            run = 0
        else:
            run = run + 1 if run and code == clear[place - 1] else 1
            amounts[6] = max(amounts[6], run)
