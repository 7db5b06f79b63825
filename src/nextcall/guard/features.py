"""What is known of a text before it is judged: places in one vector that are one, others zero."""

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.guard.grams import BLOCKS, GRAMS, gram_places
from nextcall.guard.marks import count_amounts
from nextcall.guard.normalize import STEPS, normalize
from nextcall.guard.signatures import FAMILIES, SIGNATURES, matching
from nextcall.guard.vocabulary import Vocabulary, vocabulary

MOST_CHARACTERS: Final = 8_000
"""Characters that are looked at in one piece; longer texts are cut."""

_EDGES: Final = {
    "signs": (0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.45, 0.7),  # share of tokens
    "concepts": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6),  # share of tokens
    "number of concepts": (1, 2, 4, 7, 12, 20, 40, 80),
    "other words": (0.05, 0.2, 0.35, 0.5, 0.65, 0.8),  # share of tokens
    "capitals": (0.1, 0.2, 0.4, 0.7),  # share of characters
    "characters": (8, 16, 32, 64, 128, 256, 512, 1024, 2048),
    "lines": (2, 4, 9),
    "longest run": (5, 12, 60),  # of one character
}
_SIGNATURE_COUNTS: Final = (1, 2, 3, 5)
_FLAGS: Final = (
    "one word",
    "begins with a sign",
    "ends with a sign",
    "ends with a question mark",
    "odd single quotes",
    "odd double quotes",
    "open bracket",
    "bracket closed twice",
    "quote beside a bracket",
)

TRAITS: Final = (
    *(f"{signature.family}: {signature.name}" for signature in SIGNATURES),
    *(f"{family}: {count} signatures" for family in FAMILIES for count in _SIGNATURE_COUNTS),
    *(f"undone: {step}" for step in STEPS),
    *(f"{name} from {edge}" for name, edges in _EDGES.items() for edge in edges),
    *_FLAGS,
)
"""What is true or not of a text as a whole; their places come after those of the n-grams."""

FEATURES: Final = GRAMS + len(TRAITS)
"""Length of the vector."""

_PLACES: Final = {name: place for place, name in enumerate(TRAITS, GRAMS)}
_STEPS_OF_AMOUNTS: Final = [
    (_PLACES[f"{name} from {edges[0]}"], edges) for name, edges in _EDGES.items()
]
_FAMILY_PLACES: Final = [_PLACES[f"{family}: 1 signatures"] for family in FAMILIES]
_FAMILY_OF: Final = [FAMILIES.index(signature.family) for signature in SIGNATURES]
_STEP_PLACES: Final = {step: _PLACES[f"undone: {step}"] for step in STEPS}
AMOUNT_EDGES: Final = tuple(_EDGES.values())
"""From which on an amount has a trait; amounts are those of `_amounts`, in that order."""

FIRST_AMOUNT: Final = _STEPS_OF_AMOUNTS[0][0]
"""Place of the first trait of the first amount."""

FIRST_FLAG: Final = _PLACES[_FLAGS[0]]
"""Place of the first flag."""

_DIGITS: Final = str.maketrans("123456789", "000000000")
_QUOTED_BRACKET: Final = re.compile(r"['\"]\)|\(['\"]|['\"]\(")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFeatures:
    """The features of a text.

    Attributes
    ----------
    grams : NDArray of int32
        Places of hashed n-grams, block by block.
    counts : NDArray of int32 of shape (4,)
        How many places each block has.
    traits : list of int
        Places of traits.
    found : list of (int, int, int)
        Signatures, as `matching` gives them.
    text : str
        The normalised text in small letters.
    unchanged : bool
        Whether places in `text` are places in the text as it came.
    """

    grams: NDArray[np.int32]
    counts: NDArray[np.int32]
    traits: list[int]
    found: list[tuple[int, int, int]]
    text: str
    unchanged: bool


def text_features(text: str, *, found: list[tuple[int, int, int]] | None = None) -> TextFeatures:
    """Compute the features of a text of at most `MOST_CHARACTERS` characters.

    Parameters
    ----------
    text : str
        As it came.
    found : list of (int, int, int), optional
        Its signatures, as `matching` gives them, where they are known.

    Examples
    --------
    >>> features = text_features("'; DROP TABLE users; --")
    >>> [TRAITS[place - GRAMS] for place in features.traits][:2]
    ['sqli: odd quote', 'sqli: stacked statement']
    """
    normal = normalize(text)
    clear = normal.text[: 2 * MOST_CHARACTERS]
    lowered = clear.lower()
    words = vocabulary()
    tokens = words.tokens(lowered)
    codes = _codes(lowered)
    if found is None:
        found = matching(lowered, codes)
    grams, counts = _grams(lowered, tokens, words)
    return TextFeatures(
        grams=grams,
        counts=counts,
        traits=[
            *(GRAMS + number for number, _, _ in found),
            *_signature_counts(found),
            *(_STEP_PLACES[step] for step in normal.steps),
            *_amounts(_codes(clear), codes, tokens, words),
            *_flags(clear),
        ],
        found=found,
        text=lowered,
        unchanged=normal.text == text and len(lowered) == len(text),
    )


def _grams(
    lowered: str, tokens: NDArray[np.uint64], words: Vocabulary
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    codes = _codes(f" {' '.join(lowered.split())} ".translate(_DIGITS))
    places = np.empty(3 * len(codes) + 19 * len(tokens), np.int32)
    counts = np.empty(len(BLOCKS), np.int32)
    size = gram_places(codes, tokens, words.concepts, _SEEN, places, counts)
    return places[:size], counts


def _codes(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


# Marks of places that a text has: the kernel leaves it empty, and holds the interpreter's lock.
_SEEN: Final = np.zeros(GRAMS, np.uint8)


def _signature_counts(found: list[tuple[int, int, int]]) -> list[int]:
    if not found:
        return []
    counts = [0] * len(FAMILIES)
    for number, _, _ in found:
        counts[_FAMILY_OF[number]] += 1
    return [
        place + step
        for place, count in zip(_FAMILY_PLACES, counts, strict=True)
        for step in range(bisect_right(_SIGNATURE_COUNTS, count))
    ]


def _amounts(
    clear: NDArray[np.uint32],
    lowered: NDArray[np.uint32],
    tokens: NDArray[np.uint64],
    words: Vocabulary,
) -> list[int]:
    counts = np.empty(7, np.int64)
    count_amounts(clear, lowered, tokens, words.kinds, counts)
    other_words, concepts, signs, _, capitals, ends, run = counts.tolist()
    number = max(len(tokens), 1)
    amounts = (
        signs / number,
        concepts / number,
        concepts,
        other_words / number,
        capitals / max(len(clear), 1),
        len(clear),
        ends + 1,
        run,
    )
    places: list[int] = []
    for (first, edges), amount in zip(_STEPS_OF_AMOUNTS, amounts, strict=True):
        places += range(first, first + bisect_right(edges, amount))
    return places


def _flags(clear: str) -> list[int]:
    stripped = clear.strip()
    if not stripped:
        return []
    last = stripped[-1]
    opened, closed = clear.count("("), clear.count(")")
    flags = (
        not any(map(str.isspace, stripped)),
        not stripped[0].isalnum(),
        not last.isalnum() and last not in ".?!",
        last == "?",
        clear.count("'") % 2,
        clear.count('"') % 2,
        opened > closed,
        opened < closed,
        _QUOTED_BRACKET.search(clear),
    )
    return [place for place, flag in enumerate(flags, FIRST_FLAG) if flag]
