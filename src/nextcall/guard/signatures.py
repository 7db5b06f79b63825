"""What attacks look like: families of expressions over a normalised text in small letters."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.guard.marks import MarkTable

FAMILIES: Final = ("prompt_injection", "sqli", "xss", "cmdi", "path_traversal")
"""What a text may be; a score is given of each."""

_FILE: Final = Path(__file__).parent / "data" / "signatures.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """An expression that tells of an attack.

    Attributes
    ----------
    name : str
        What is matched, as reasons give it.
    family : str
        One of `FAMILIES`.
    marks : tuple of str
        The expression is tried only where one of these is in the text.
    pattern : re.Pattern
        Of a text in small letters.
    """

    name: str
    family: str
    marks: tuple[str, ...]
    pattern: re.Pattern[str]


def _shipped() -> Iterator[Signature]:
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield Signature(
            name=row["name"],
            family=row["family"],
            marks=tuple(row["marks"]),
            pattern=re.compile(row["pattern"], re.DOTALL),
        )


SIGNATURES: Final = tuple(_shipped())
"""Every expression that is tried."""

MARKS: Final = MarkTable(
    [(mark, number) for number, signature in enumerate(SIGNATURES) for mark in signature.marks]
)
"""Of which marks a text holds one, by places in `SIGNATURES`."""


def matching(lowered: str, codes: NDArray[np.uint32]) -> list[tuple[int, int, int]]:
    """Find which signatures a normalised text in small letters has, each where it has it first.

    Parameters
    ----------
    lowered : str
        The text.
    codes : NDArray of uint32
        Its characters.

    Returns
    -------
    list of (int, int, int)
        Place in `SIGNATURES`, beginning and end in the text.

    Examples
    --------
    >>> text = "x'; drop table users; --"
    >>> found = matching(text, np.frombuffer(text.encode("utf-32-le"), np.uint32))
    >>> [SIGNATURES[number].name for number, _, _ in found]
    ['odd quote', 'stacked statement', 'comment ends the statement', 'change of a table']
    """
    found = []
    for number in MARKS.held(codes):
        signature = SIGNATURES[number]
        for mark in signature.marks:
            if mark in lowered:
                if match := signature.pattern.search(lowered):
                    found.append((number, match.start(), match.end()))
                break
    return found
