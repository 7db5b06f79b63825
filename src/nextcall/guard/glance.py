"""A quick look at a plain text: its risks by one kernel, where nothing asks for a closer look.

What a text costs that comes between two rankings is less its instructions than all the code and
data that must come from memory again. So one call of one kernel does here what
`nextcall.guard.features` and `nextcall.guard.model` do step by step, to the last bit.
"""

from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numba import float32, float64, from_dtype, types, uint8
from numpy.typing import NDArray

from nextcall.compiling import compiled, entry_point
from nextcall.guard.features import AMOUNT_EDGES, FIRST_AMOUNT, FIRST_FLAG
from nextcall.guard.grams import GRAMS, add_scores, gram_places, risk_of
from nextcall.guard.marks import count_amounts, hold
from nextcall.guard.model import OF_A_WORD, GuardModel
from nextcall.guard.plain_text import FLAGS, hides_nothing, is_alnum, join, lower, put_flags
from nextcall.guard.plain_words import put_tokens, word_table
from nextcall.guard.signatures import FAMILIES, MARKS, SIGNATURES
from nextcall.guard.vocabulary import vocabulary

_NOT_PLAIN: Final = -1
_SEARCHES: Final = [signature.pattern.search for signature in SIGNATURES]
_Look = Callable[
    [
        bytes,
        NDArray[np.void],
        NDArray[np.float32],
        NDArray[np.float64],
        bytearray,
        NDArray[np.float64],
    ],
    int,
]


class Glimpse(NamedTuple):
    """What a glance tells of a text."""

    risks: list[float]
    """Of each family, as the model has them if no signature was found."""
    found: list[tuple[int, int, int]]
    """Signatures, as `nextcall.guard.signatures.matching` gives them."""


class Glance:
    """Gives the risks of most harmless texts; of others that no signature was found, or which.

    Parameters
    ----------
    model : GuardModel
        Whose risks they are.

    Examples
    --------
    >>> from nextcall.guard.guard import packaged_guard_model
    >>> glance = Glance(packaged_guard_model())
    >>> glimpse = glance.look("Which users are there?")
    >>> max(glimpse.risks) < 0.5, glimpse.found, glance.look("%6cs")
    (True, [], None)
    """

    def __init__(self, model: GuardModel) -> None:
        self._tables, self._look = _tables(), _look()
        self._weights = np.ascontiguousarray(model.weights)
        self._curves = np.stack([model.intercepts, model.thresholds, model.slopes])

    def look(self, text: str) -> Glimpse | None:
        """Give the risks of a text and its signatures.

        Parameters
        ----------
        text : str
            Of at most `nextcall.guard.features.MOST_CHARACTERS` characters.

        Returns
        -------
        Glimpse or None
            None of a text that has other characters than those of ASCII, or may hide something.
        """
        if not text.isascii():
            return None
        held, risks = bytearray(len(SIGNATURES)), np.empty(len(FAMILIES))
        number = self._look(text.encode(), self._tables, self._weights, self._curves, held, risks)
        if number == _NOT_PLAIN:
            return None
        lowered = text.lower()
        found: list[tuple[int, int, int]] = []
        for signature in held[:number]:
            match = _SEARCHES[signature](lowered)
            if match and any(mark in lowered for mark in SIGNATURES[signature].marks):
                found.append((signature, match.start(), match.end()))
        return Glimpse(risks.tolist(), found)


@cache
def _tables() -> NDArray[np.void]:
    """Lay all that is looked up in one record: the kernel takes it as one argument."""
    words = vocabulary()
    edges = [(number, edge) for number, edges in enumerate(AMOUNT_EDGES) for edge in edges]
    arrays: dict[str, NDArray[np.generic]] = {
        **word_table(words.classes)._asdict(),
        **MARKS.arrays._asdict(),
        "always": MARKS.arrays.always.view(np.uint8),  # a record holds no arrays of bools
        "concepts": words.concepts.view(np.uint8),
        "kinds": words.kinds,
        "edges": np.array([edge for _, edge in edges], np.float64),
        "amount_of": np.array([number for number, _ in edges], np.int64),
        "seen": np.zeros(GRAMS, np.uint8),  # the kernel leaves it empty, and holds the lock
    }
    record = np.dtype([(name, one.dtype, one.shape) for name, one in arrays.items()], align=True)
    tables = np.zeros(1, record)
    for name, one in arrays.items():
        tables[name] = one
    return tables


@cache
def _look() -> _Look:
    return entry_point(
        look,
        types.Bytes(uint8, 1, "C", readonly=True),
        from_dtype(_tables().dtype)[::1],
        float32[:, ::1],
        float64[:, ::1],
        types.ByteArray(uint8, 1, "C"),
        float64[::1],
    )


@compiled(hold_lock=True)
def look(
    text: bytes,
    tables: NDArray[np.void],
    weights: NDArray[np.float32],
    curves: NDArray[np.float64],
    held: bytearray,
    risks: NDArray[np.float64],
) -> int:
    """Write the risks of a plain text, and which signatures it may have.

    Parameters
    ----------
    text : bytes
        As it came, of ASCII.
    tables : array of one record
        Fields of `WordTable` and `MarkArrays`, classes of words, edges of amounts, and zeros.
    weights : array of shape (n_features, n_families)
    curves : array of shape (3, n_families)
        Intercepts, thresholds and slopes.
    held : bytearray
        Where to write the numbers of signatures of which the text holds a mark; as long as there
        are signatures.
    risks : array of shape (n_families,)
        Where to write what the risks are if the text has none of these signatures.

    Returns
    -------
    int
        How many signatures it may have, -1 where the text is not plain.
    """
    table, size = tables[0], len(text)
    codes = np.empty((3, size + 2), np.uint32)
    clear, lowered = codes[0, :size], codes[1, :size]
    for place in range(size):
        clear[place] = text[place]
    if not hides_nothing(clear):
        return _NOT_PLAIN
    lower(clear, lowered)
    joined = codes[2, : join(lowered, codes[2])]
    tokens = np.empty(size, np.uint64)
    tokens = tokens[: put_tokens(lowered, table, tokens)]
    _weigh((clear, lowered, joined), tokens, table, weights, curves, risks)
    return _put_held(lowered, table, held)


@compiled(hold_lock=True)
def _put_held(lowered: NDArray[np.uint32], table: np.void, held: bytearray) -> int:
    found = table["always"].copy()
    hold(lowered, table["owned"], table["mark_hashes"], table["first"], table["owners"], found)
    size = 0
    for number in range(len(found)):
        if found[number]:
            held[size] = number
            size += 1
    return size


@compiled(hold_lock=True)
def _weigh(
    texts: tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32]],
    tokens: NDArray[np.uint64],
    table: np.void,
    weights: NDArray[np.float32],
    curves: NDArray[np.float64],
    risks: NDArray[np.float64],
) -> None:
    """Write the risks of a text without a signature: as it is, in small letters, and joined."""
    clear, lowered, joined = texts
    traits = np.empty(len(table["edges"]) + FLAGS, np.int64)
    size = _put_amounts(clear, lowered, tokens, table, traits)
    size = put_flags(clear, FIRST_FLAG, traits, size)
    places = np.empty(3 * len(joined) + 19 * len(tokens), np.int32)
    counts = np.empty(4, np.int32)
    concepts, seen = table["concepts"][:].view(np.bool_), table["seen"][:]
    gram_places(joined, tokens, concepts, seen, places, counts)
    scores = curves[0].copy()
    add_scores(places, counts, traits[:size], weights, scores)
    is_word = len(clear) > 0
    for code in clear:
        is_word &= is_alnum(code)
    if is_word:
        for family in range(1, len(scores)):
            scores[family] = min(scores[family], OF_A_WORD)
    for family in range(len(scores)):
        risks[family] = risk_of(curves[2, family] * (scores[family] - curves[1, family]))


@compiled(hold_lock=True)
def _put_amounts(
    clear: NDArray[np.uint32],
    lowered: NDArray[np.uint32],
    tokens: NDArray[np.uint64],
    table: np.void,
    traits: NDArray[np.int64],
) -> int:
    """Write the traits of a text's amounts, and give how many there are."""
    counts = np.empty(7, np.int64)
    count_amounts(clear, lowered, tokens, table["kinds"][:], counts)
    number = max(len(tokens), 1)
    amounts = np.empty(8)
    amounts[0] = counts[2] / number
    amounts[1] = counts[1] / number
    amounts[2] = counts[1]
    amounts[3] = counts[0] / number
    amounts[4] = counts[4] / max(len(clear), 1)
    amounts[5] = len(clear)
    amounts[6] = counts[5] + 1
    amounts[7] = counts[6]
    size = 0
    for place in range(len(table["edges"])):
        if table["edges"][place] <= amounts[table["amount_of"][place]]:
            traits[size] = FIRST_AMOUNT + place
            size += 1
    return size
