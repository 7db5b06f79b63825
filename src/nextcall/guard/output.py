"""What leaves the service: only operations of the catalogue, and nothing of theirs that acts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from nextcall.catalog.catalog import Catalog
from nextcall.catalog.operation import Operation
from nextcall.catalog.text import strip_html
from nextcall.guard.payload import Judge
from nextcall.guard.sanitize import sanitize

_LAYERS: Final = 3  # of markup within entities within entities
_ACTIVE: Final = re.compile(  # what stands in these elements is no text; one is open to the end
    r"<(script|style|iframe)\b.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL
)
_SHORT_NAME: Final = re.compile(r"\w{1,24}")  # too short to tell anybody what to do
_VARIABLE: Final = re.compile(r"<([\w:]+)>")  # of a path, as some frameworks write it
_MOST_KNOWN: Final = 4096  # texts of which it is kept whether they are attacks
_POWERFUL: Final = frozenset(
    {"admin", "administrator", "administration", "debug", "impersonate", "internal"}
    | {"root", "sudo", "superuser", "system"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A call that is about to be proposed.

    Attributes
    ----------
    operation_id : str
        Of the catalogue.
    method, path : str or None
        As the catalogue has them.
    description : str
        What is shown of it.
    parameters : mapping of str to object
        Names and values, where some are proposed.
    """

    operation_id: str
    method: str | None
    path: str | None
    description: str
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A proposal that may leave.

    Attributes
    ----------
    proposal : Proposal
        With plain text and known parameters only.
    flags : tuple of str
        What was noticed: ``"powerful operation"``, ``"description withheld"``,
        ``"parameter withheld"``; sorted.
    """

    proposal: Proposal
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What became of proposals.

    Attributes
    ----------
    kept : tuple of Released
        In their order.
    blocked_predictions : int
        How many do not stand in the catalogue, or not as they say, or under a name or path that
        is itself an attack.
    """

    kept: tuple[Released, ...]
    blocked_predictions: int


class OutputFilter:
    """Checks proposals against a catalogue whose texts nobody vouches for.

    Parameters
    ----------
    catalog : Catalog
        Whose operations may be proposed.
    guard : Judge
        Judges descriptions and values: an instruction in a description would reach whoever reads
        the answer, a model perhaps.
    most_characters : int
        Characters that a description keeps.

    Raises
    ------
    ValueError
        Where `most_characters` is below 1.
    """

    def __init__(self, catalog: Catalog, guard: Judge, *, most_characters: int = 500) -> None:
        if most_characters < 1:
            raise ValueError(f"most_characters must be at least 1, got {most_characters}.")
        self._catalog = catalog
        self._is_attack = lru_cache(_MOST_KNOWN)(lambda text: guard.detect(text).is_injection)
        self._most = most_characters

    def release(self, proposals: Sequence[Proposal]) -> Release:
        """Keep what the catalogue has, with plain descriptions and known parameters."""
        kept = []
        for proposal in proposals:
            if proposal.operation_id not in self._catalog:
                continue
            operation = self._catalog[proposal.operation_id]
            if (proposal.method, proposal.path) != (operation.method, operation.path):
                continue
            path = _VARIABLE.sub(r"{\1}", operation.path or "")
            if self._is_attack(operation.operation_id) or self._is_attack(path):
                continue
            kept.append(self._released(proposal, operation))
        return Release(kept=tuple(kept), blocked_predictions=len(proposals) - len(kept))

    def _released(self, proposal: Proposal, operation: Operation) -> Released:
        flags = set()
        if is_powerful(operation):
            flags.add("powerful operation")
        plain = _plain(proposal.description)[: self._most]
        if self._is_attack(plain):
            flags.add("description withheld")
            plain = ""
        names = {each.name for each in operation.parameters if self._is_harmless(each.name)}
        values = {
            name: sanitize(value).text if isinstance(value, str) else value
            for name, value in proposal.parameters.items()
            if name in names and not (isinstance(value, str) and self._is_attack(value))
        }
        if len(values) < len(proposal.parameters):
            flags.add("parameter withheld")
        safe = replace(proposal, description=plain, parameters=values)
        return Released(proposal=safe, flags=tuple(sorted(flags)))

    def _is_harmless(self, name: str) -> bool:
        if _SHORT_NAME.fullmatch(name):
            return True
        odd = "<" in name or ">" in name or bool(sanitize(name).changes)
        return not odd and not self._is_attack(name)


def _plain(description: str) -> str:
    """Take out markup, what entities hide as well; angle brackets that are left are taken out."""
    plain = description
    for _ in range(_LAYERS):
        plain = strip_html(_ACTIVE.sub(" ", plain))
    return sanitize(plain.replace("<", " ").replace(">", " ")).text


def is_powerful(operation: Operation) -> bool:
    """Tell whether an operation's name or path speaks of administration, the system or debugging.

    Parameters
    ----------
    operation : Operation
        Of a catalogue.
    """
    words = set(operation.words) | {operation.service.lower()}
    words |= set((operation.path or "").lower().replace("-", "/").replace("_", "/").split("/"))
    return not _POWERFUL.isdisjoint(words)
