"""Personal data and secrets in a text: found, masked, and put back exactly."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from nextcall.guard.pii_numbers import (
    CARD,
    IBAN,
    NUMBER,
    PHONE,
    SSN,
    is_card,
    is_iban,
    is_phone,
    is_ssn,
)

PiiKind = Literal["api_key", "card", "email", "iban", "phone", "ssn"]
"""What may be found."""

PiiPolicy = Literal["redact", "block", "allow"]
"""What is done with what is found: masked, refused, or nothing."""

_EMAIL: Final = re.compile(
    r"(?<![\w.+%'-])[\w+%-][\w.+%'-]{0,63}@(?!\d+\.\d+$)[^\W_](?:[\w-]{0,62}\.){1,8}[^\W\d_]{2,24}(?![\w@])"
    r""
)
_SECRET: Final = re.compile(
    r"(?<![\w-])(?:"
    r"(?:sk|pk|rk)[-_](?:[A-Za-z0-9]+[-_])*[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{20,}"
    r"|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeprs]-[\w-]{10,}|(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|AIza[\w-]{30,}|ya29\.[\w-]{10,}|hf_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{30,}"
    r"|SG\.[\w-]{16,}\.[\w-]{16,}"
    r"|nc_[A-Za-z0-9]{40}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}|whsec_[\w+/=]{16,}"
    r"|dop_v1_[a-f0-9]{32,}"
    r")(?![\w-])"
)
_NAMED_SECRET: Final = re.compile(
    r"(?i)(?:\bbearer\s+|\b(?:api[ _-]?key|access[ _-]?(?:key|token)|auth[ _-]?token"
    r"|secret(?:[ _-]?key)?|client[ _-]?secret|token|passw(?:or)?d|pwd)[\"']?\s*(?:=|:"
    r"|\bis\b)\s*[\"']?)"
    r"(?P<value>(?=[^\s\"',;]*\d)[A-Za-z0-9_.~+/=!@#$%^&*-]{12,200})"
)
_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[\s\S]{0,10000}?-----END [A-Z ]{0,20}PRIVATE KEY-----"
)
_SECRET_MARKS: Final = (
    *("sk-", "sk_", "pk-", "pk_", "rk-", "rk_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_"),
    *("glpat", "xox", "akia", "asia", "aiza", "ya29", "hf_", "npm_", "sg.", "nc_", "eyj", "whsec"),
    *("dop_", "bearer", "key", "token", "secret", "passw", "pwd"),
)
"""Of which a text with a secret has one, in whatever case."""
_SHORTEST_SECRET: Final = 15  # characters of what `_SECRET` finds, none of them a blank
_SHORTEST_NAMED: Final = 12  # characters of a value that `_NAMED_SECRET` finds, one a digit
_DIGIT: Final = re.compile(r"\d")
_MASK: Final = "[{kind}_{number}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Where something personal stands.

    Attributes
    ----------
    kind : str
        One of `PiiKind`.
    start, end : int
        Place in the text, in characters.
    """

    kind: PiiKind
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """A text without what is personal.

    Attributes
    ----------
    text : str
        With a mark, as ``[EMAIL_1]``, for each value.
    values : mapping of str to str
        What each mark stands for; shown in no `repr`.
    findings : tuple of Finding
        Where it stood in the text as it was.
    """

    text: str
    values: Mapping[str, str] = field(repr=False)
    findings: tuple[Finding, ...]


def find_pii(text: str) -> tuple[Finding, ...]:
    """Find e-mail addresses, phone, card and social security numbers, IBANs, keys and tokens.

    Card numbers have a right Luhn digit and IBANs a right remainder of 97. Numbers that could be
    something else count as phone numbers only beside a word that says so.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    tuple of Finding
        In the order of the text; none overlaps another.

    Examples
    --------
    >>> [found.kind for found in find_pii("Mail anna@example.com or call +49 30 901820")]
    ['email', 'phone']
    """
    found: list[Finding] = []
    if "@" in text:
        found += _all("email", _EMAIL, text)
    if max(map(len, text.split()), default=0) >= _SHORTEST_NAMED and _may_hold_secret(text):
        found += _all("api_key", _SECRET, text)
        found += [
            Finding(kind="api_key", start=one.start("value"), end=one.end("value"))
            for one in _NAMED_SECRET.finditer(text)
        ]
    if "-----BEGIN" in text:
        found += _all("api_key", _PRIVATE_KEY, text)
    if NUMBER.search(text):
        found += [
            Finding(kind="iban", start=one.start(), end=one.start() + length)
            for one in IBAN.finditer(text)
            if (length := is_iban(one[0]))
        ]
        found += [one for one in _all("card", CARD, text) if is_card(text, one.start, one.end)]
        found += [one for one in _all("ssn", SSN, text) if is_ssn(text, one.start, one.end)]
        found += [one for one in _all("phone", PHONE, text) if is_phone(text, one.start, one.end)]
    return _apart(found) if found else ()


def mask_pii(text: str) -> Masked:
    """Put a mark in the place of each value; the same value gets the same mark.

    A mark is never a part of the text as it was, so `restore_pii` gives the text back exactly.

    Examples
    --------
    >>> masked = mask_pii("Update anna@example.com, then tell anna@example.com")
    >>> masked.text
    'Update [EMAIL_1], then tell [EMAIL_1]'
    >>> restore_pii(masked.text, masked.values)
    'Update anna@example.com, then tell anna@example.com'
    """
    findings = find_pii(text)
    marks: dict[tuple[str, str], str] = {}
    parts = []
    last = 0
    for one in findings:
        value = text[one.start : one.end]
        mark = marks.get((one.kind, value)) or _new_mark(one.kind, text, marks)
        marks[one.kind, value] = mark
        parts += [text[last : one.start], mark]
        last = one.end
    values = {mark: value for (_, value), mark in marks.items()}
    return Masked(text="".join([*parts, text[last:]]), values=values, findings=findings)


def restore_pii(text: str, values: Mapping[str, str]) -> str:
    """Put values back in the place of their marks, in a masked text or in an answer to it.

    Parameters
    ----------
    text : str
        With marks.
    values : mapping of str to str
        Those of `Masked`.
    """
    if not values:
        return text
    marks = re.compile("|".join(map(re.escape, values)))
    return marks.sub(lambda mark: values[mark[0]], text)


def _may_hold_secret(text: str) -> bool:
    """Tell quickly of most texts with a long word that none is a key or a token."""
    if max(map(len, text.split())) < _SHORTEST_SECRET and not _DIGIT.search(text):
        return False
    folded = text.casefold()
    return any(map(folded.__contains__, _SECRET_MARKS))


def _all(kind: PiiKind, pattern: re.Pattern[str], text: str) -> list[Finding]:
    return [Finding(kind=kind, start=one.start(), end=one.end()) for one in pattern.finditer(text)]


def _apart(found: list[Finding]) -> tuple[Finding, ...]:
    """Keep the first kind found where two overlap."""
    kept: list[Finding] = []
    for one in found:
        if all(one.end <= other.start or other.end <= one.start for other in kept):
            kept.append(one)
    return tuple(sorted(kept, key=lambda one: one.start))


def _new_mark(kind: str, text: str, marks: Mapping[tuple[str, str], str]) -> str:
    taken = set(marks.values())
    number = 1 + sum(known == kind for known, _ in marks)
    while (mark := _MASK.format(kind=kind.upper(), number=number)) in taken or mark in text:
        number += 1
    return mark
