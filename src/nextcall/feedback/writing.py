"""Writes answers of many callers at once: each with what was shown, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select, update

from nextcall.feedback.shown import Shown
from nextcall.feedback.tables import ANSWER, REPLACED


class UnknownPredictionError(LookupError):
    """No prediction of this id was shown to this user lately, and none was answered for before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What somebody says became of a prediction.

    Parameters
    ----------
    prediction_id : str
    chosen : str, optional
        Operation id; None where none was called.
    at : datetime
        With a zone.
    user : str, optional
        Who says so.
    shown : Shown, optional
        Where it is known still.
    """

    prediction_id: str
    chosen: str | None
    at: datetime
    user: str | None
    shown: Shown | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What became of an answer; it is on disk.

    Parameters
    ----------
    prediction_id : str
    rank : int, optional
        Place of what was chosen, from 1; None where it was not shown, or nothing was called.
    repeated : bool
        Whether it says what is known already.
    replaced : bool
        Whether it takes the place of another answer, which is kept beside it.
    operations : tuple of str
        As they were shown.
    trial, variant : str, optional
        The A/B test that decided what was shown, and what it decided.
    """

    prediction_id: str
    rank: int | None
    repeated: bool
    replaced: bool
    operations: tuple[str, ...]
    trial: str | None
    variant: str | None


@dataclass(slots=True)
class _Kept:
    """A row as it is, or is to be."""

    user: str | None
    operations: tuple[str, ...]
    trial: str | None
    variant: str | None
    chosen: str | None
    rank: int | None
    changed_at: datetime
    version: int


@dataclass(slots=True, kw_only=True)
class _State:
    """Rows that a group of answers concerns, and what is to be written of them."""

    kept: dict[str, _Kept]
    new: dict[str, Told] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    replaced: list[dict[str, Any]] = field(default_factory=list)


_COLUMNS: Final = [ANSWER.c[each.name] for each in fields(_Kept)]


def write_answers(connection: Connection, told: Sequence[Told]) -> list[Given | Exception]:
    """Write answers; the same once more changes nothing, another one replaces the one before.

    Returns
    -------
    list of Given or Exception
        For each: what became of it, or `UnknownPredictionError`.
    """
    state = _State(kept=_read(connection, {each.prediction_id for each in told}))
    given = [_take(state, each) for each in told]
    _insert(connection, state)
    _update(connection, state)
    return given


def _read(connection: Connection, ids: set[str]) -> dict[str, _Kept]:
    """Read rows; nobody else changes them before the transaction ends."""
    known = ANSWER.c.prediction_id
    asked = select(known, *_COLUMNS).where(known.in_(ids)).order_by(known).with_for_update()
    found = {}
    for name, *values in connection.execute(asked):
        row = _Kept(*values)
        row.operations = tuple(row.operations)  # JSON gives a list
        found[name] = row
    return found


def _take(state: _State, told: Told) -> Given | Exception:
    """Add an answer to what is to be written, or say why not."""
    name = told.prediction_id
    before = state.kept.get(name)
    owner = before or told.shown
    if owner is None or owner.user != told.user:
        return UnknownPredictionError(
            "prediction_id must be of a prediction that was shown to this user lately, got "
            f"{name[:100]!r}."
        )
    rank = _rank(owner.operations, told.chosen)
    repeated = before is not None and before.chosen == told.chosen
    if before is None:
        state.new[name] = told
    elif not repeated:
        state.changed.add(name)
        state.replaced.append(
            {
                "prediction_id": name,
                "version": before.version,
                "at": before.changed_at,
                "chosen": before.chosen,
                "rank": before.rank,
            }
        )
    if not repeated:
        state.kept[name] = _Kept(
            user=owner.user,
            operations=owner.operations,
            trial=owner.trial,
            variant=owner.variant,
            chosen=told.chosen,
            rank=rank,
            changed_at=told.at,
            version=1 if before is None else before.version + 1,
        )
    return Given(
        prediction_id=name,
        rank=rank,
        repeated=repeated,
        replaced=before is not None and not repeated,
        operations=owner.operations,
        trial=owner.trial,
        variant=owner.variant,
    )


def _rank(operations: Sequence[str], chosen: str | None) -> int | None:
    return operations.index(chosen) + 1 if chosen in operations else None


def _insert(connection: Connection, state: _State) -> None:
    rows = []
    for name, told in state.new.items():
        row, shown = state.kept[name], told.shown
        if shown is None:  # no answer is new without
            raise ValueError(f"shown of {name!r} must be known, got none.")
        rows.append(
            {
                "prediction_id": name,
                "shown_at": shown.at,
                "given_at": told.at,
                "changed_at": row.changed_at,
                "version": row.version,
                "user": shown.user,
                "model_version": shown.model_version,
                "catalog_hash": shown.catalog_hash,
                "prompt": shown.prompt,
                "history": list(shown.history),
                "operations": list(shown.operations),
                "confidences": list(shown.confidences),
                "trial": shown.trial,
                "variant": shown.variant,
                "chosen": row.chosen,
                "rank": row.rank,
                "challenger": None if shown.draft is None else shown.draft.challenger,
                "draft": None if shown.draft is None else shown.draft.written(),
            }
        )
    if rows:
        connection.execute(insert(ANSWER), rows)


def _update(connection: Connection, state: _State) -> None:
    """Write what replaces other answers, and these beside it."""
    names = ("changed_at", "version", "chosen", "rank")
    rows = [
        {"of": each} | {f"new_{name}": getattr(state.kept[each], name) for name in names}
        for each in sorted(state.changed - state.new.keys())
    ]
    if rows:
        changed = update(ANSWER).where(ANSWER.c.prediction_id == bindparam("of"))
        connection.execute(changed.values({f: bindparam(f"new_{f}") for f in names}), rows)
    if state.replaced:
        connection.execute(insert(REPLACED), state.replaced)
