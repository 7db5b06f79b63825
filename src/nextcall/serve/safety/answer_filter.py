"""What an answer may show of the catalogue's operations, whose texts nobody vouches for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

from nextcall.catalog.catalog import Catalog
from nextcall.catalog.operation import Operation
from nextcall.guard.output import OutputFilter, Proposal
from nextcall.guard.payload import Judge
from nextcall.guard.steady import SignatureGuard
from nextcall.serve.answers import FullPrediction, Prediction
from nextcall.serve.found import (
    DESCRIPTION_CHARACTERS,
    head_of,
    shortened,
    usual_head,
    usual_prediction,
)
from nextcall.serve.safety.counts import SafetyCounts

MOST_SHOWN: Final = DESCRIPTION_CHARACTERS + 1
"""Characters of a description that are kept: one more, so that it is seen whether some are left
out."""

Flags: TypeAlias = tuple[str, ...]
"""What is noticed of an operation, as `nextcall.guard.output.Released` has it."""

_MOST_KEPT: Final = 4096  # operations of which it is kept what they show: some megabytes
_MOST_READ: Final = 3_000  # characters of a description: markup may fill ten times what is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Showable:
    """What may be shown of an operation."""

    api_call: str
    method: str | None
    description: str
    parameters: Mapping[str, str]
    flags: Flags


@dataclass(frozen=True, slots=True, kw_only=True)
class Filtered:
    """Predictions that may leave.

    Attributes
    ----------
    predictions : list of Prediction
        In their order, ranks from 1.
    blocked : int
        How many were left out.
    filtered : int
        Of how many a text was changed or withheld.
    first_was_blocked : bool
        Whether another prediction stands first now, or none.
    failed : bool
        Whether the filter failed by itself; then only what is sure is shown.
    """

    predictions: list[Prediction]
    blocked: int
    filtered: int
    first_was_blocked: bool
    failed: bool


class _Head(NamedTuple):
    """What a short answer shows of an operation."""

    text: bytes
    is_changed: bool
    """Whether a text of it was changed or withheld."""


class AnswerFilter:
    """Keeps predictions that the catalogue has, and shows of each what may be shown.

    That is computed once an operation. Where the guard fails meanwhile, by signatures alone and for
    this time only; where that fails too, neither description nor parameters are shown.

    Parameters
    ----------
    catalog : Catalog
        That is ranked.
    guard : Judge
        Judges descriptions and names.
    counts : SafetyCounts
        Hears what was kept back, and of failures.
    judged : callable, optional
        Gives the flags of an operation that the guard judged before, and of which nothing is
        withheld or changed; None of all others.
    """

    def __init__(
        self,
        catalog: Catalog,
        guard: Judge,
        counts: SafetyCounts,
        *,
        judged: Callable[[str], Flags | None] | None = None,
    ) -> None:
        self._catalog, self._counts = catalog, counts
        self._judged = judged
        self._usual = OutputFilter(catalog, guard, most_characters=MOST_SHOWN)
        self._basic = OutputFilter(catalog, SignatureGuard(), most_characters=MOST_SHOWN)
        self._kept = lru_cache(_MOST_KEPT)(self._looked_at)
        self._written = lru_cache(_MOST_KEPT)(self._write)

    def release(self, predictions: Sequence[Prediction]) -> Filtered:
        """Look at the predictions of an answer.

        Parameters
        ----------
        predictions : sequence of Prediction
            As they were made; nothing but the names of their operations is trusted to be right.
        """
        kept: list[Prediction] = []
        filtered = 0
        all_sure = True
        for one in predictions:
            shown, sure = self._of(one.operation_id)
            all_sure = all_sure and sure
            if shown is None or (one.method, one.api_call) != (shown.method, shown.api_call):
                continue
            as_it_was = one.description == shown.description and one.parameters == shown.parameters
            filtered += not as_it_was
            changed: dict[str, Any] = {"rank": len(kept) + 1}
            if not as_it_was:
                changed |= {"description": shown.description, "parameters": shown.parameters}
            if isinstance(one, FullPrediction):
                changed |= {"safety_validated": sure, "safety_flags": list(shown.flags)}
            is_as_it_is = as_it_was and len(changed) == 1 and one.rank == changed["rank"]
            kept.append(one if is_as_it_is else one.model_copy(update=changed))
        blocked = len(predictions) - len(kept)
        self._counts.count_output(blocked=blocked, filtered=filtered)
        return Filtered(
            predictions=kept,
            blocked=blocked,
            filtered=filtered,
            first_was_blocked=blocked > 0
            and [one.operation_id for one in predictions[:1]]
            != [one.operation_id for one in kept[:1]],
            failed=not all_sure,
        )

    def heads(self, operations: Sequence[Operation]) -> list[bytes | None]:
        """Write what may be shown of operations of the catalogue, for a short answer.

        It is looked at and counted as by `release`.

        Returns
        -------
        list of bytes or None
            As `head_of` writes it; None of one that may not be shown.
        """
        try:
            heads = [self._written(operation.operation_id) for operation in operations]
        except Exception:  # noqa: BLE001  # each is looked at by itself, and what is wrong is told
            heads = [self._head(operation.operation_id) for operation in operations]
        else:
            if heads:
                self._counts.tell("output", None)
        blocked = filtered = 0
        texts = list[bytes | None]()
        for head in heads:
            texts.append(None if head is None else head.text)
            blocked += head is None
            filtered += head is not None and head.is_changed
        self._counts.count_output(blocked=blocked, filtered=filtered)
        return texts

    def operations(
        self, operations: Sequence[Operation], *, are_proposed: bool = True
    ) -> list[Operation | None]:
        """Give operations of the catalogue with such texts alone as may be shown.

        Looked at as by `release`, and counted so where they are proposed; None of one that may not
        be shown.
        """
        kept = list[Operation | None]()
        filtered = 0
        for operation in operations:
            shown, _ = self._of(operation.operation_id)
            told = None if shown is None else (shown.description, shown.parameters)
            usual = usual_prediction(operation)
            filtered += told is not None and told != (usual.description, usual.parameters)
            kept.append(None if shown is None else _as_shown(operation, shown))
        if are_proposed:
            self._counts.count_output(blocked=kept.count(None), filtered=filtered)
        return kept

    def _head(self, operation_id: str) -> _Head | None:
        try:
            head = self._written(operation_id)
        except Exception:  # noqa: BLE001  # is looked at once more, and told
            return self._head_of(operation_id, self._of(operation_id)[0])
        self._counts.tell("output", None)
        return head

    def _write(self, operation_id: str) -> _Head | None:
        if self._judged is not None and self._judged(operation_id) is not None:
            return _Head(usual_head(self._catalog[operation_id]), is_changed=False)
        return self._head_of(operation_id, self._kept(operation_id))

    def _head_of(self, operation_id: str, shown: Showable | None) -> _Head | None:
        if shown is None:
            return None
        usual = usual_prediction(self._catalog[operation_id])
        told = {"description": shown.description, "parameters": shown.parameters}
        changed = usual.model_copy(update=told)
        return _Head(head_of(changed), is_changed=changed != usual)

    def _of(self, operation_id: str) -> tuple[Showable | None, bool]:
        """Give what may be shown of an operation, and whether the guard had its full say."""
        try:
            shown = self._kept(operation_id)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is told, and less is shown
            self._counts.tell("output", error)
        else:
            self._counts.tell("output", None)
            return shown, True
        try:
            return self._showable(operation_id, self._basic), False
        except Exception as error:  # noqa: BLE001  # as above
            self._counts.tell("output", error)
            return self._bare(operation_id), False

    def _looked_at(self, operation_id: str) -> Showable | None:
        flags = None if self._judged is None else self._judged(operation_id)
        if flags is None:
            return self._showable(operation_id, self._usual)
        usual = usual_prediction(self._catalog[operation_id])
        return Showable(
            api_call=usual.api_call,
            method=usual.method,
            description=usual.description,
            parameters=usual.parameters,
            flags=flags,
        )

    def _showable(self, operation_id: str, by: OutputFilter) -> Showable | None:
        if operation_id not in self._catalog:
            return None
        return showable(self._catalog[operation_id], by)

    def _bare(self, operation_id: str) -> Showable:
        operation = self._catalog[operation_id]
        return Showable(
            api_call=operation.api_call,
            method=operation.method,
            description="",
            parameters={},
            flags=("description withheld", "parameter withheld"),
        )


def showable(operation: Operation, by: OutputFilter) -> Showable | None:
    """Say what may be shown of an operation of a filter's catalogue; None where it may not be."""
    usual = usual_prediction(operation)
    proposal = Proposal(
        operation_id=operation.operation_id,
        method=operation.method,
        path=operation.path,
        description=(operation.summary or operation.description)[:_MOST_READ],
        parameters=usual.parameters,
    )
    released = by.release([proposal]).kept
    if not released:
        return None
    (one,) = released
    return Showable(
        api_call=usual.api_call,
        method=usual.method,
        description=shortened(one.proposal.description),
        parameters={name: str(hint) for name, hint in one.proposal.parameters.items()},
        flags=one.flags,
    )


def _as_shown(operation: Operation, shown: Showable) -> Operation:
    known = tuple(one for one in operation.parameters if one.name in shown.parameters)
    text = shown.description
    return replace(operation, summary=text, description=text, parameters=known)
