"""What compiled loops tell of a plain text, one of ASCII: is anything hidden, how is it written."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled

LONGEST_PLAIN_RUN: Final = 15
"""Characters in a row that base64 or hexadecimal digits may be written in; more may hide a text."""

FLAGS: Final = 9
"""How many flags `put_flags` knows."""

# Of words that `nextcall.guard.normalize` looks into: a word with marks between lone letters, and
# how many lone letters there must be for what they spell.
_SHORTEST_SPACED: Final = 11
_LONE_LETTERS: Final = 6


@compiled(hold_lock=True)
def is_blank(code: int | np.uint32) -> bool:
    """Tell whether `str.split` cuts at a character of ASCII."""
    return bool(code == 32 or 9 <= code <= 13 or 28 <= code <= 31)


@compiled(hold_lock=True)
def is_small_letter(code: int | np.uint32) -> bool:
    """Tell whether a character is one of a to z."""
    return bool(97 <= code <= 122)


@compiled(hold_lock=True)
def is_alnum(code: int | np.uint32) -> bool:
    """Tell whether a character of ASCII is a letter or a digit."""
    return bool(48 <= code <= 57 or 65 <= code <= 90 or 97 <= code <= 122)


@compiled(hold_lock=True)
def hides_nothing(codes: NDArray[np.uint32]) -> bool:
    r"""Tell of most texts that `nextcall.guard.normalize.normalize` gives them back as they are.

    So it does where each character is of ASCII, no encoding of single characters has its mark in
    the text (``%``, ``&``, ``\``, ``0x``, ``+A``), no run of characters is long enough for base64
    or hexadecimal digits, no long word has a mark after its first letter, and few letters stand
    alone. Some texts that hide nothing are not told.

    Parameters
    ----------
    codes : NDArray of uint32
        The text's characters.

    Examples
    --------
    >>> [bool(hides_nothing(np.array([*text.encode()]))) for text in ("list it", "%6cist it")]
    [True, False]
    """
    run = length = lone = 0
    before = second = np.uint32(0)
    for place in range(len(codes) + 1):
        code = codes[place] if place < len(codes) else np.uint32(32)
        # % & \ and the x and A that may make a mark of what stands before them
        if code > 127 or code in (37, 38, 92):
            return False
        if (code == 120 and before == 48) or (code == 65 and before == 43):
            return False
        run = run + 1 if is_alnum(code) or code in (43, 45, 47, 95) else 0  # + - / _
        if run > LONGEST_PLAIN_RUN:
            return False
        if is_blank(code):
            if length >= _SHORTEST_SPACED and second in (42, 45, 46, 95):  # * - . _
                return False
            lone += length == 1
            length = 0
        else:
            length += 1
            if length == 2:
                second = code
        before = code
    return lone < _LONE_LETTERS


@compiled(hold_lock=True)
def lower(codes: NDArray[np.uint32], lowered: NDArray[np.uint32]) -> None:
    """Write a text of ASCII in small letters, as `str.lower` would."""
    for place in range(len(codes)):
        code = codes[place]
        lowered[place] = code + np.uint32(32) if 65 <= code <= 90 else code


@compiled(hold_lock=True)
def join(codes: NDArray[np.uint32], joined: NDArray[np.uint32]) -> int:
    """Write a text with one space around each word, and each digit as zero; give its length.

    Parameters
    ----------
    codes : NDArray of uint32
        Of ASCII.
    joined : NDArray of uint32
        Where to write; of two places more than the text.
    """
    joined[0] = 32
    size = 1
    for code in codes:
        if not is_blank(code):
            joined[size] = 48 if 48 <= code <= 57 else code
            size += 1
        elif joined[size - 1] != 32:
            joined[size] = 32
            size += 1
    if size == 1 or joined[size - 1] != 32:
        joined[size] = 32
        size += 1
    return size


@compiled(hold_lock=True)
def put_flags(codes: NDArray[np.uint32], first: int, traits: NDArray[np.int64], size: int) -> int:
    """Write the flags of a text of ASCII, in the order of `nextcall.guard.features`.

    Parameters
    ----------
    codes : NDArray of uint32
        The text's characters.
    first : int
        Place of the first flag.
    traits : NDArray of int64
        Where to write the places of those that are set, from `size` on.

    Returns
    -------
    int
        How many places of `traits` are taken then.
    """
    begin, end = 0, len(codes)
    while begin < end and is_blank(codes[begin]):
        begin += 1
    while begin < end and is_blank(codes[end - 1]):
        end -= 1
    if begin == end:
        return size
    flags = np.zeros(FLAGS, np.bool_)
    flags[0] = True
    single = double = opened = closed = 0
    for place in range(begin, end):
        code = codes[place]
        if is_blank(code):
            flags[0] = False
        single += code == 39
        double += code == 34
        opened += code == 40
        closed += code == 41
        before = codes[place - 1] if place > begin else np.uint32(0)
        if (code in (34, 39) and before == 40) or (code in (40, 41) and before in (34, 39)):
            flags[8] = True
    last = codes[end - 1]
    flags[1] = not is_alnum(codes[begin])
    flags[2] = not is_alnum(last) and last not in (33, 46, 63)  # ! . ?
    flags[3] = last == 63
    flags[4] = single % 2 == 1
    flags[5] = double % 2 == 1
    flags[6] = opened > closed
    flags[7] = opened < closed
    for number in range(FLAGS):
        if flags[number]:
            traits[size] = first + number
            size += 1
    return size
