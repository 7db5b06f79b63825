"""Draft, running, stopped, archived: the row of a test, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, Final, Literal, get_args
from uuid import uuid4

from sqlalchemy import Connection, insert, select, update

from nextcall.abtest.allocation import Allocation
from nextcall.abtest.assignment import Assignment
from nextcall.trials.definition import Definition
from nextcall.trials.errors import StaleError, StatusError, UnknownTrialError
from nextcall.trials.tables import ARM, TRIAL, TRIAL_CHANGE

Status = Literal["draft", "running", "stopped", "archived"]
"""Only a draft can be changed, only a running test assigns and records."""

Action = Literal["create", "change", "start", "stop", "archive"]
"""What is done to a test."""

STATUSES: Final[tuple[Status, ...]] = get_args(Status)

_STEPS: Final[Mapping[Action, tuple[tuple[Status, ...], Status]]] = {
    "change": (("draft",), "draft"),
    "start": (("draft",), "running"),
    "stop": (("running",), "stopped"),
    "archive": (("draft", "stopped"), "archived"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A test as it stands.

    Parameters
    ----------
    test_id : str
    definition : Definition
    status : {"draft", "running", "stopped", "archived"}
    version : int
        Changes so far, its creation among them.
    created_at, changed_at : datetime
    started_at, stopped_at : datetime or None
    number : int
        Of its row; other tables refer to it.
    salt : str
    allocation : Allocation or None
        Whose each bucket is; none before it starts.
    units_at_first_look : mapping of variant to int, or None
        None where nobody analysed it while it ran.
    """

    test_id: str
    definition: Definition
    status: Status
    version: int
    created_at: datetime
    changed_at: datetime
    started_at: datetime | None
    stopped_at: datetime | None
    number: int
    salt: str
    allocation: Allocation | None
    units_at_first_look: Mapping[str, int] | None

    def assignment(self) -> Assignment:
        """Give what assigns its units.

        Raises
        ------
        StatusError
            Where it was never started.
        """
        if self.allocation is None:
            raise not_running(self.test_id, self.status)
        return Assignment(test=self.test_id, salt=self.salt, allocation=self.allocation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of a test, as it is kept for ever.

    Parameters
    ----------
    version : int
        Of the test, after it.
    action : {"create", "change", "start", "stop", "archive"}
    at : datetime
    status : {"draft", "running", "stopped", "archived"}
        After it.
    definition : Definition
        After it.
    """

    version: int
    action: Action
    at: datetime
    status: Status
    definition: Definition


def not_running(test_id: str, status: str) -> StatusError:
    """Say that only a running test assigns and records."""
    return StatusError(f"test {test_id} must be running, and it is {_told(status)}.")


def create(connection: Connection, definition: Definition) -> Trial:
    """Keep a new draft."""
    now = datetime.now(UTC)
    values = {
        "test_id": uuid4().hex,
        "test_type": definition.test_type,
        "status": "draft",
        "version": 1,
        "definition": definition.to_dict(),
        "salt": token_hex(8),
        "created_at": now,
        "changed_at": now,
    }
    number = connection.execute(insert(TRIAL).values(values).returning(TRIAL.c.number)).scalar_one()
    _keep_change(connection, number, "create", values)
    return load(connection, str(values["test_id"]))


def load(connection: Connection, test_id: str, *, lock: bool = False) -> Trial:
    """Read a test; with `lock`, nobody else changes it or records before the transaction ends.

    Raises
    ------
    UnknownTrialError
    """
    if "\0" in test_id:  # PostgreSQL would refuse to look for it
        raise UnknownTrialError(f"there is no test {test_id!r}.")
    asked = select(TRIAL).where(TRIAL.c.test_id == test_id)
    row = connection.execute(asked.with_for_update() if lock else asked).mappings().one_or_none()
    if row is None:
        raise UnknownTrialError(f"there is no test {test_id!r}.")
    return _trial(row)


def find(
    connection: Connection,
    *,
    status: Status | None = None,
    test_type: str | None = None,
    limit: int,
    offset: int,
) -> list[Trial]:
    """Read tests, the newest first."""
    asked = select(TRIAL).order_by(TRIAL.c.number.desc()).limit(limit).offset(offset)
    if status is not None:
        asked = asked.where(TRIAL.c.status == status)
    if test_type is not None:
        asked = asked.where(TRIAL.c.test_type == test_type)
    return [_trial(row) for row in connection.execute(asked).mappings()]


def change(
    connection: Connection,
    test_id: str,
    action: Action,
    *,
    version: int | None = None,
    definition: Definition | None = None,
) -> Trial:
    """Take a step, and keep it.

    Parameters
    ----------
    version : int, optional
        That the caller saw; where it is not given, any will do.
    definition : Definition, optional
        The draft's new one.

    Raises
    ------
    UnknownTrialError, StatusError
    StaleError
        Where the test has changed since that version; nothing is done.
    """
    trial = load(connection, test_id, lock=True)
    if version is not None and version != trial.version:
        raise StaleError(
            f"version must be that of the test now, {trial.version}, got {version}: the test has "
            "changed since."
        )
    before, after = _STEPS[action]
    if trial.status not in before:
        raise StatusError(
            f"test {test_id} must be {' or '.join(map(_told, before))} for {action!r}, and it is "
            f"{_told(trial.status)}."
        )
    now = datetime.now(UTC)
    planned = trial.definition if definition is None else definition
    values: dict[str, Any] = {
        "status": after,
        "version": trial.version + 1,
        "definition": planned.to_dict(),
        "test_type": planned.test_type,
        "changed_at": now,
    }
    if action == "start":
        values |= {"started_at": now, "allocation": planned.allocation().to_dict()}
        rows = [
            {"trial": trial.number, "variant_id": each.variant_id, "units": 0}
            for each in planned.variants
        ]
        connection.execute(insert(ARM), rows)
    if action == "stop":
        values["stopped_at"] = now
    connection.execute(update(TRIAL).where(TRIAL.c.number == trial.number).values(values))
    _keep_change(connection, trial.number, action, values)
    return load(connection, test_id)


def history(connection: Connection, test_id: str) -> list[Change]:
    """Read every change of a test, oldest first.

    Raises
    ------
    UnknownTrialError
    """
    trial = load(connection, test_id)
    asked = select(TRIAL_CHANGE).where(TRIAL_CHANGE.c.trial == trial.number)
    rows = connection.execute(asked.order_by(TRIAL_CHANGE.c.version)).mappings()
    return [
        Change(
            version=row["version"],
            action=row["action"],
            at=row["at"],
            status=row["status"],
            definition=Definition.from_dict(row["definition"]),
        )
        for row in rows
    ]


def _keep_change(
    connection: Connection, number: int, action: Action, values: Mapping[str, Any]
) -> None:
    kept = {name: values[name] for name in ("version", "status", "definition")}
    row = {"trial": number, "action": action, "at": values["changed_at"], **kept}
    connection.execute(insert(TRIAL_CHANGE).values(row))


def _trial(row: Mapping[Any, Any]) -> Trial:
    allocation = row["allocation"]
    return Trial(
        test_id=row["test_id"],
        definition=Definition.from_dict(row["definition"]),
        status=row["status"],
        version=row["version"],
        created_at=row["created_at"],
        changed_at=row["changed_at"],
        started_at=row["started_at"],
        stopped_at=row["stopped_at"],
        number=row["number"],
        salt=row["salt"],
        allocation=None if allocation is None else Allocation.from_dict(allocation),
        units_at_first_look=row["units_at_first_look"],
    )


def _told(status: str) -> str:
    return "a draft" if status == "draft" else status
