"""A text without what shows nothing and may deceive; tells what was changed, never silently."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_LINES: Final = re.compile(r"\r\n?|[\u2028\u2029]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What was taken out or replaced.

    Attributes
    ----------
    what : str
        ``"control characters"``, ``"invisible characters"``, ``"lone surrogates"``,
        ``"line ends"``, ``"unicode form"`` or ``"characters beyond the limit"``.
    count : int
        How many times; for the Unicode form 1.
    """

    what: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sanitized:
    """A text and what was done to it; words are never taken out.

    Attributes
    ----------
    text : str
        The text as it may be used.
    changes : tuple of Change
        Empty where `text` is as it came.
    """

    text: str
    changes: tuple[Change, ...]


def sanitize(text: str, *, most_characters: int = 100_000) -> Sanitized:
    r"""Take out control and invisible characters, and settle line ends and the Unicode form (NFC).

    Attacks are not cut out: what is left of one may be another. `detect` judges, a policy acts.

    Parameters
    ----------
    text : str
        As it came.
    most_characters : int
        Where it is cut.

    Raises
    ------
    ValueError
        Where `most_characters` is below 1.

    Examples
    --------
    >>> clean = sanitize("ru\u200bn\x00")
    >>> clean.text, [change.what for change in clean.changes]
    ('run', ['control characters', 'invisible characters'])
    """
    if most_characters < 1:
        raise ValueError(f"most_characters must be at least 1, got {most_characters}.")
    changes = []
    clean = text
    for what, pattern, replacement in (
        ("lone surrogates", _SURROGATE, "\ufffd"),
        ("line ends", _LINES, "\n"),
        ("control characters", _CONTROL, ""),
        ("invisible characters", _INVISIBLE, ""),
    ):
        clean, count = pattern.subn(replacement, clean)
        if count:
            changes.append(Change(what=what, count=count))
    composed = unicodedata.normalize("NFC", clean)
    if composed != clean:
        changes.append(Change(what="unicode form", count=1))
    if len(composed) > most_characters:
        beyond = len(composed) - most_characters
        changes.append(Change(what="characters beyond the limit", count=beyond))
    return Sanitized(text=composed[:most_characters], changes=tuple(changes))
