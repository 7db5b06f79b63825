"""Which of many short strings a text holds, and what else one pass over its characters tells."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled
from nextcall.guard.grams import mix

_BITS: Final = 17
_SHIFT: Final = 32 - _BITS
_HASHED: Final = 7  # characters of a string that are looked for
_NOWHERE: Final = -1


class MarkArrays(NamedTuple):
    """Strings by their hashes, as compiled loops look them up."""

    always: NDArray[np.bool_]
    """Numbers of which the empty string is one."""
    owned: NDArray[np.uint8]
    """A bit for each beginning of a hash: whether a string's begins so."""
    mark_hashes: NDArray[np.uint32]
    """Of the strings, ascending."""
    first: NDArray[np.int32]
    """Where in `owners` the numbers of each string begin, and where the last ones end."""
    owners: NDArray[np.int32]
    """Numbers of the strings, one after the other."""


class MarkTable:
    """Strings, each with a number of whatever it is a mark of, to be found in one pass.

    Hashes of their first seven characters stand for the strings: a text may now and then be said
    to hold one that it does not.

    Parameters
    ----------
    marks : sequence of (str, int)
        Strings and numbers; a string may come with several numbers. The empty one is everywhere.

    Attributes
    ----------
    arrays : MarkArrays
        For `hold`.
    """

    def __init__(self, marks: Sequence[tuple[str, int]]) -> None:
        always = np.zeros(1 + max(number for _, number in marks), np.bool_)
        owners: dict[int, list[int]] = {}
        for mark, number in marks:
            if mark:
                owners.setdefault(_hash(mark), []).append(number)
            else:
                always[number] = True
        hashes = sorted(owners)
        # A bit for the first bits of a hash: few texts need a look at the hashes themselves.
        owned = np.zeros(1 << _BITS, np.bool_)
        owned[[value >> _SHIFT for value in hashes]] = True
        self.arrays = MarkArrays(
            always=always,
            owned=np.packbits(owned, bitorder="little"),
            mark_hashes=np.array(hashes, np.uint32),
            first=np.cumsum([0, *(len(owners[value]) for value in hashes)], dtype=np.int32),
            owners=np.array([number for value in hashes for number in owners[value]], np.int32),
        )

    def held(self, codes: NDArray[np.uint32]) -> list[int]:
        """Give the numbers of the strings that a text's characters hold, ascending.

        Examples
        --------
        >>> table = MarkTable([("ab", 0), ("c", 1), ("c", 2)])
        >>> table.held(np.array([ord("c"), ord("a")], np.uint32))
        [1, 2]
        """
        found = self.arrays.always.copy()
        hold(codes, *self.arrays[1:], found)
        numbers: list[int] = found.nonzero()[0].tolist()
        return numbers


def _hash(mark: str) -> int:
    value = 9
    for character in mark[:_HASHED]:
        value = int(mix(value, ord(character)))
    return int(mix(value, 77))


@compiled(hold_lock=True)
def _place_of(mark: int, hashes: NDArray[np.uint32]) -> int:
    """Give the place of a hash among ascending ones, `_NOWHERE` where it is none of them."""
    low, high = 0, len(hashes) - 1
    while low < high:
        middle = (low + high) >> 1
        if hashes[middle] < mark:
            low = middle + 1
        else:
            high = middle
    return low if hashes[low] == mark else _NOWHERE


@compiled(hold_lock=True)
def hold(
    codes: NDArray[np.uint32],
    owned: NDArray[np.uint8],
    hashes: NDArray[np.uint32],
    first: NDArray[np.int32],
    owners: NDArray[np.int32],
    found: NDArray[np.bool_],
) -> None:
    """Note of which strings a text holds one.

    Parameters
    ----------
    codes : NDArray of uint32
        The text's characters.
    owned, hashes, first, owners : arrays
        Those of `MarkArrays`, but for the first.
    found : NDArray of bool
        Where to write, by their numbers.
    """
    for begin in range(len(codes)):
        value = 9
        for end in range(begin, min(len(codes), begin + _HASHED)):
            value = mix(value, int(codes[end]))
            mark = mix(value, 77)
            slot = mark >> _SHIFT
            if owned[slot >> 3] >> (slot & 7) & 1:
                at = _place_of(mark, hashes)
                if at != _NOWHERE:
                    for place in range(first[at], first[at + 1]):
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
