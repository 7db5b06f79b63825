"""Hashed n-grams of a text's characters, words and classes of words."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled

BLOCKS: Final = (14, 14, 15, 15)
"""Bits of the hash of each block: runs of one to five classes, concepts in order, one or two
words, three to five characters."""

_CLASSES: Final = 0
_CONCEPTS: Final = _CLASSES + (1 << BLOCKS[0])
_WORDS: Final = _CONCEPTS + (1 << BLOCKS[1])
_CHARACTERS: Final = _WORDS + (1 << BLOCKS[2])
GRAMS: Final = _CHARACTERS + (1 << BLOCKS[3])
"""Number of places."""

_FAR: Final = 500.0  # odds, as logarithms, beyond which a risk is 0 or 1
_CLASS_SHIFT: Final = 32 - BLOCKS[0]
_CONCEPT_SHIFT: Final = 32 - BLOCKS[1]
_WORD_SHIFT: Final = 32 - BLOCKS[2]
_CHARACTER_SHIFT: Final = 32 - BLOCKS[3]
_NEAR: Final = 6  # concepts that may follow one
_SPAN: Final = 14  # tokens in which they may


@compiled(hold_lock=True)
def mix(value: int, more: int) -> int:
    """Hash a number into a hash, both of 32 bits.

    Examples
    --------
    >>> int(mix(mix(0, 1), 2)) != int(mix(mix(0, 2), 1))
    True
    """
    value = ((value ^ more) * 0x9E3779B1 + 0x7F4A7C15) & 0xFFFFFFFF
    return value ^ (value >> 15)


@compiled(hold_lock=True)
def _put(place: int, seen: NDArray[np.uint8], places: NDArray[np.int32], size: int) -> int:
    if seen[place]:
        return size
    seen[place] = 1
    places[size] = place
    return size + 1


@compiled(hold_lock=True)
def _class_runs(
    classes: NDArray[np.int64], seen: NDArray[np.uint8], places: NDArray[np.int32], size: int
) -> int:
    for first in range(len(classes)):
        value = 1
        for last in range(first, min(len(classes), first + 5)):
            value = mix(value, int(classes[last]) + 1)
            place = _CLASSES + (mix(value, 77) >> _CLASS_SHIFT)
            size = _put(place, seen, places, size)
    return size


@compiled(hold_lock=True)
def _concepts_in_order(
    classes: NDArray[np.int64],
    concepts: NDArray[np.bool_],
    seen: NDArray[np.uint8],
    places: NDArray[np.int32],
    size: int,
) -> int:
    """Put pairs of concepts that are near each other, and three in a row."""
    at = np.empty(len(classes), np.int64)
    number = 0
    for place in range(len(classes)):
        if concepts[classes[place]]:
            at[number] = place
            number += 1
    for first in range(number):
        for second in range(first + 1, min(number, first + 1 + _NEAR)):
            if at[second] - at[first] > _SPAN:
                break
            value = mix(mix(2, int(classes[at[first]]) + 1), int(classes[at[second]]) + 1)
            place = _CONCEPTS + (mix(value, 77) >> _CONCEPT_SHIFT)
            size = _put(place, seen, places, size)
            third = second + 1
            if second == first + 1 and third < number and at[third] - at[first] <= _SPAN:
                value = mix(mix(value, 5), int(classes[at[third]]) + 1)
                place = _CONCEPTS + (mix(value, 77) >> _CONCEPT_SHIFT)
                size = _put(place, seen, places, size)
    return size


@compiled(hold_lock=True)
def gram_places(
    codes: NDArray[np.uint32],
    tokens: NDArray[np.uint64],
    concepts: NDArray[np.bool_],
    seen: NDArray[np.uint8],
    places: NDArray[np.int32],
    counts: NDArray[np.int32],
) -> int:
    """Write the places of a text's n-grams, each once, block by block.

    Parameters
    ----------
    codes : NDArray of uint32
        The text's characters.
    tokens : NDArray of uint64
        As `Vocabulary.tokens` gives them.
    concepts : NDArray of bool
        Which classes are concepts.
    seen : NDArray of uint8 of shape (GRAMS,)
        Zeros; zeros again afterwards.
    places : NDArray of int32
        Where to write; of at least 3 places a character and 19 a token.
    counts : NDArray of int32 of shape (4,)
        Where to write how many places each block has.

    Returns
    -------
    int
        Number of places.
    """
    classes = np.empty(len(tokens), np.int64)
    for number in range(len(tokens)):
        classes[number] = np.int64(tokens[number] >> np.uint64(32))
    size = _class_runs(classes, seen, places, 0)
    counts[0] = size
    size = _concepts_in_order(classes, concepts, seen, places, size)
    counts[1] = size - counts[0]
    begun = size
    for first in range(len(tokens)):
        value = 3
        for last in range(first, min(len(tokens), first + 2)):
            value = mix(value, int(tokens[last] & np.uint64(0xFFFFFFFF)))
            size = _put(_WORDS + (mix(value, 77) >> _WORD_SHIFT), seen, places, size)
    counts[2] = size - begun
    begun = size
    for first in range(len(codes)):
        value = 4
        for last in range(first, min(len(codes), first + 5)):
            value = mix(value, int(codes[last]))
            if last - first >= 2:
                place = _CHARACTERS + (mix(value, 77) >> _CHARACTER_SHIFT)
                size = _put(place, seen, places, size)
    counts[3] = size - begun
    for number in range(size):
        seen[places[number]] = 0
    return size


@compiled(hold_lock=True)
def add_scores(
    places: NDArray[np.int32],
    counts: NDArray[np.int32],
    traits: NDArray[np.int64],
    weights: NDArray[np.float32],
    scores: NDArray[np.float64],
) -> None:
    """Add to each family's score what the features of a text weigh.

    Parameters
    ----------
    places, counts : arrays
        Of n-grams, as `gram_places` gives them: each block counts by the mean weight of its places,
        times their root.
    traits : array of shape (n_traits,)
        Places of traits, which count by their weights.
    weights : array of shape (n_features, n_families)
    scores : array of shape (n_families,)
    """
    begin = 0
    for block in range(len(counts)):
        if counts[block]:
            share = 1 / np.sqrt(counts[block])
            for number in range(begin, begin + counts[block]):
                for family in range(len(scores)):
                    scores[family] += share * weights[places[number], family]
        begin += counts[block]
    for family in range(len(scores)):
        total = np.float32(0)
        for place in traits:
            total += weights[place, family]
        scores[family] += total


@compiled(hold_lock=True)
def logistic(
    scores: NDArray[np.float64], thresholds: NDArray[np.float64], slopes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Turn scores into risks: 0.5 at the threshold; shapes (n, n_families) and (n_families,)."""
    risks = np.empty(scores.shape)
    for row in range(len(scores)):
        for family in range(len(thresholds)):
            odds = slopes[family] * (scores[row, family] - thresholds[family])
            risks[row, family] = risk_of(odds)
    return risks


@compiled(hold_lock=True)
def risk_of(odds: float) -> float:
    """Turn log-odds into a risk.

    Examples
    --------
    >>> float(risk_of(0.0)), float(risk_of(1e9))
    (0.5, 1.0)
    """
    return float(1 / (1 + np.exp(-min(max(odds, -_FAR), _FAR))))
