"""What users say when they want a call: real titles or summaries, said another way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.catalog import Catalog, Operation
from nextcall.catalog.actions import verb_action
from nextcall.catalog.text import singular
from nextcall.progress import Progress, silent

_OPENINGS: Final = (
    "", "", "", "please ", "how do I ", "I want to ", "can you ", "I need to ", "help me ",
    "we have to ", "is there a way to ", "now ",
)  # fmt: skip
_SYNONYMS: Final[dict[str, tuple[str, ...]]] = {
    "create": ("create", "make", "set up", "add"),
    "read": ("show", "get", "look up", "view", "give me"),
    "list": ("list", "show all", "show", "see", "get"),
    "search": ("search", "find", "look for"),
    "update": ("update", "change", "modify", "edit", "adjust"),
    "delete": ("delete", "remove", "get rid of", "drop"),
    "attach": ("attach", "add", "connect", "assign"),
    "detach": ("detach", "take off", "disconnect", "unassign"),
    "start": ("start", "run", "kick off", "launch"),
    "stop": ("stop", "halt", "end"),
    "send": ("send", "post", "submit"),
    "other": ("do", "handle"),
}
_FILLERS: Final = frozenset({"the", "a", "an", "specified", "given", "your", "this", "existing"})
_CODE_NOUNS: Final = frozenset({"command", "operation", "action", "api", "method", "call"})
_SUBJECTS: Final = tuple(
    (pronoun, noun)
    for pronoun in ("this", "the")
    for noun in ("operation", "action", "api", "API", "call", "command", "request", "method")
)
_NO_WISHES: Final = frozenset(
    {"is", "are", "apply", "support", "require", "work", "use", "has", "contain"}
)
_LONGEST = 24  # words of a sentence that are said
_PUNCTUATION = ".,;:!?()[]{}\"'`"


def remove_name(prompt: str, operation: Operation) -> str:
    """Take an operation's own name out of a prompt, so that the answer does not stand in it.

    Names of several words go wherever they stand as one token (``DescribeInstances``,
    ``describe-instances``, ``describe_instances()``), in any case; a name of one word is also an
    English word, and goes only where it is written as code (in back-ticks, or before *command*,
    *operation* and the like). Full ids and paths go too. Words apart stay: "describe instances" is
    what a user says.

    Examples
    --------
    >>> from nextcall.catalog import describe_operation
    >>> operation = describe_operation(operation_id="ec2:DescribeInstances")
    >>> remove_name("Use the describe-instances command to see your instances.", operation)
    'Use the to see your instances.'
    """
    name = "".join(operation.words)
    several = len(operation.words) > 1
    whole = {operation.operation_id.lower()} if not operation.operation_id.isalpha() else set()
    if operation.path is not None and len(operation.path) > 1:
        whole.add(operation.path.lower())
    tokens = prompt.split()
    kept: list[str] = []
    skip = False
    for position, token in enumerate(tokens):
        if skip and _bare(token) in _CODE_NOUNS:
            skip = False
            continue
        following = _bare(tokens[position + 1]) if position + 1 < len(tokens) else ""
        skip = _is_name(token, name, whole, several=several, before=following)
        if not skip:
            kept.append(token)
    return " ".join(kept)


def _bare(token: str) -> str:
    return token.strip(_PUNCTUATION).lower()


def _is_name(token: str, name: str, whole: set[str], *, several: bool, before: str) -> bool:
    low = token.lower()
    if any(identifier in low for identifier in whole):
        return True
    squeezed = "".join(letter for letter in low if letter.isalnum())
    if several:
        return name in squeezed
    return bool(name) and squeezed == name and ("`" in token or before in _CODE_NOUNS)


@dataclass(frozen=True, slots=True)
class PromptWriter:
    """Writes what a user says for a call; the same operation is rarely asked for in one way."""

    catalog: Catalog
    titles: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Real prompts by operation id; an operation without one is described by its summary."""
    synonym: float = 0.4
    """Chance that the verb is replaced by another for the same action."""
    dropped: float = 0.3
    """Chance that each filler word ("the", "specified") is left out."""
    _said: dict[int, tuple[tuple[str, ...], ...]] = field(default_factory=dict)

    def phrases(self, row: int) -> tuple[tuple[str, ...], ...]:
        """Give what is said of the operation in a row: imperative, as words, without its name."""
        found = self._said.get(row)
        if found is None:
            operation = self.catalog.operations[row]
            titles = self.titles.get(operation.operation_id, ())
            said = [_title(remove_name(text, operation)) for text in titles]
            if not titles:
                said = [_summary(remove_name(operation.summary, operation))]
            found = tuple(words for words in said if words) or (_bare_wish(operation),)
            self._said[row] = found
        return found

    def write(
        self, rows: NDArray[np.int64], *, rng: np.random.Generator, progress: Progress = silent
    ) -> list[str]:
        """Write a prompt for each operation, by its row in the catalogue."""
        n = len(rows)
        choices = rng.random((n, 4)).tolist()
        # Which fillers go is read from one long row of coins, at a place of the prompt's own.
        coins = (rng.random(4096) < self.dropped).tolist() * 2
        actions = [operation.action for operation in self.catalog]
        prompts = []
        pairs = zip(rows.tolist(), choices, strict=True)
        for row, (which, opening, verb, place) in progress(
            pairs, description="Writing prompts", total=n
        ):
            said = self.phrases(row)
            words = said[int(which * len(said))]
            flips = coins[int(place * 4096) :]
            rest = [
                word
                for word, drop in zip(words[1:], flips, strict=False)
                if not (drop and word in _FILLERS)
            ]
            first = words[0]
            if verb < self.synonym and verb_action(first) is not None:
                others = _SYNONYMS[actions[row]]
                first = others[int(verb / self.synonym * len(others))]
            prompts.append(_OPENINGS[int(opening * len(_OPENINGS))] + " ".join((first, *rest)))
        return prompts


def _title(title: str) -> tuple[str, ...]:
    """Turn "To describe X" into the words "describe X"."""
    words = title.rstrip(" .:").split()[:_LONGEST]
    if words and words[0].lower() == "to":
        words = words[1:]
    return _lowered(words)


def _summary(summary: str) -> tuple[str, ...]:
    """Turn "Describes X." or "This operation describes X." into "describe X".

    Nothing is given for a sentence that begins with no verb ("This action applies to X.").
    """
    words = list(_lowered(summary.rstrip(" .:").split()[:_LONGEST]))
    for subject in _SUBJECTS:
        if tuple(words[: len(subject)]) == subject:
            words = words[len(subject) :]
            break
    if not words or not words[0].isalpha():
        return ()
    verb = singular(words[0])  # "describes", "applies": verbs lose what nouns lose
    if (verb == words[0] and verb_action(verb) is None) or verb in _NO_WISHES:
        return ()
    return (verb, *words[1:])


def _lowered(words: Sequence[str]) -> tuple[str, ...]:
    """Begin with a small letter, unless the first word is an acronym or a name."""
    if not words or not words[0][1:].islower():
        return tuple(words)
    return (words[0].lower(), *words[1:])


def _bare_wish(operation: Operation) -> tuple[str, ...]:
    """Say the action and the resource, for an operation without documentation."""
    verb = _SYNONYMS[operation.action][-1].split()
    if not operation.resource and len(operation.words) > 1:
        return operation.words
    resource = operation.resource
    if (resource,) == operation.words:  # a name of one word: that would be the answer
        resource = ""
    return (*verb, *(resource or operation.service or "it").split())
