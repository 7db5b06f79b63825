"""Writes what units saw and did, many at once: their rows, and the sums that analyses read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Table, bindparam, insert, select, tuple_, update

from nextcall.trials.aggregates import Aggregate, UnitTotal
from nextcall.trials.errors import EventConflictError, RefusedError
from nextcall.trials.exact import Exact
from nextcall.trials.life import not_running
from nextcall.trials.sighting import Recorded, Sighting, wrong_variant
from nextcall.trials.tables import AGGREGATE, ARM, EVENT, EXPOSURE, TRIAL, UNIT_TOTAL

MOST_METRICS: Final = 100
"""Metrics of one test."""

_KEYS_AT_ONCE: Final = 1_000  # of one statement; databases take some ten thousand values

_Key = tuple[Any, ...]
_EXACT: Final = [each.name for each in fields(Aggregate) if each.name not in {"units", "events"}]


@dataclass(slots=True, kw_only=True)
class _State:
    """Rows that a group of sightings concerns: as they were, then as they are to be."""

    statuses: dict[int, str]
    exposures: dict[_Key, str]
    events: dict[_Key, float]
    totals: dict[_Key, UnitTotal]
    aggregates: dict[_Key, Aggregate]
    metrics: dict[int, set[str]]
    new_exposures: dict[_Key, Sighting] = field(default_factory=dict)
    new_events: dict[_Key, tuple[float, datetime]] = field(default_factory=dict)
    changed_totals: dict[_Key, UnitTotal] = field(default_factory=dict)
    changed_aggregates: dict[_Key, Aggregate] = field(default_factory=dict)


def write_sightings(
    connection: Connection, sightings: Sequence[Sighting]
) -> list[Recorded | Exception]:
    """Write sightings in one transaction; those that are refused leave nothing.

    The rows of their tests are locked first, so that no test is stopped and no sum is changed by
    another process meanwhile.

    Returns
    -------
    list of Recorded or Exception
        For each: what became of it, or `StatusError`, `WrongVariantError`, `EventConflictError`.
    """
    state = _read(connection, sightings)
    answers = [_take(state, each) for each in sightings]
    _write(connection, state)
    return answers


def _read(connection: Connection, sightings: Sequence[Sighting]) -> _State:
    recording = [each for each in sightings if each.values]
    trials = sorted({each.trial for each in sightings})
    asked = select(TRIAL.c.number, TRIAL.c.status).where(TRIAL.c.number.in_(trials))
    locked = connection.execute(asked.order_by(TRIAL.c.number).with_for_update())
    state = _State(
        statuses={row.number: row.status for row in locked},
        exposures={
            (row.trial, row.unit): row.variant_id
            for row in _rows(connection, EXPOSURE, {(each.trial, each.unit) for each in sightings})
        },
        events={},
        totals={},
        aggregates={},
        metrics={number: set() for number in trials},
    )
    if recording:
        events = {key for each in recording for key in each.events}
        for row in _rows(connection, EVENT, events):
            state.events[row.trial, row.unit, row.metric, row.event_id] = row.value
        for row in _rows(connection, UNIT_TOTAL, {key[:3] for key in events}):
            total = UnitTotal(events=row.events, total=Exact.parse(row.total))
            state.totals[row.trial, row.unit, row.metric] = total
        state.aggregates = aggregates_of(connection, sorted({each.trial for each in recording}))
        for trial, _, metric in state.aggregates:
            state.metrics[trial].add(metric)
    return state


def aggregates_of(connection: Connection, trials: Sequence[int]) -> dict[_Key, Aggregate]:
    """Read the sums of tests, by number, variant and metric."""
    found = connection.execute(select(AGGREGATE).where(AGGREGATE.c.trial.in_(trials))).mappings()
    return {
        (row["trial"], row["variant_id"], row["metric"]): Aggregate(
            units=row["units"],
            events=row["events"],
            **{name: Exact.parse(row[name]) for name in _EXACT},
        )
        for row in found
    }


def _rows(connection: Connection, table: Table, keys: Iterable[_Key]) -> Iterable[Row[Any]]:
    """Read rows by their primary keys."""
    wanted = sorted(keys)
    for start in range(0, len(wanted), _KEYS_AT_ONCE):
        some = wanted[start : start + _KEYS_AT_ONCE]
        asked = select(table).where(tuple_(*table.primary_key).in_(some))
        yield from connection.execute(asked)


def _take(state: _State, sighting: Sighting) -> Recorded | Exception:
    """Add a sighting to what is to be written, or say why not."""
    status = state.statuses[sighting.trial]
    if status != "running":
        return not_running(sighting.test_id, status)
    key = (sighting.trial, sighting.unit)
    seen = state.exposures.get(key)
    if seen is not None and seen != sighting.variant_id:
        return wrong_variant(sighting.unit, seen, sighting.variant_id)
    new = {}
    for event, value in sighting.events.items():
        kept = state.events.get(event)
        if kept is None:
            new[event] = value
        elif kept != value:
            return EventConflictError(
                f"event {sighting.event_id!r} of unit {sighting.unit!r} must say of {event[2]!r} "
                f"what it said before, {kept!r}, got {value!r}."
            )
    metrics = state.metrics[sighting.trial] | {event[2] for event in new}
    if len(metrics) > MOST_METRICS:
        return RefusedError(f"a test must have at most {MOST_METRICS} metrics, got {len(metrics)}.")
    state.metrics[sighting.trial] = metrics
    if seen is None:
        state.exposures[key] = sighting.variant_id
        state.new_exposures[key] = sighting
    for event, value in new.items():
        state.events[event] = value
        state.new_events[event] = value, sighting.at
        _add(state, event[:3], sighting.variant_id, value)
    return Recorded(recorded=len(new), repeated=len(sighting.values) - len(new))


def _add(state: _State, key: _Key, variant_id: str, value: float) -> None:
    """Add an event to its unit's total, and put that in the old one's place in the sums."""
    trial, _, metric = key
    old = state.changed_totals.get(key) or state.totals.get(key) or UnitTotal()
    new = old.with_event(value)
    arm = (trial, variant_id, metric)
    sums = state.changed_aggregates.get(arm) or state.aggregates.get(arm) or Aggregate()
    state.changed_totals[key] = new
    state.changed_aggregates[arm] = sums.replaced(old, new)


def _write(connection: Connection, state: _State) -> None:
    if state.new_exposures:
        rows = [
            {"trial": each.trial, "unit": each.unit, "variant_id": each.variant_id, "at": each.at}
            for each in state.new_exposures.values()
        ]
        connection.execute(insert(EXPOSURE), rows)
        arms: dict[_Key, int] = {}
        for each in state.new_exposures.values():
            arm = (each.trial, each.variant_id)
            arms[arm] = arms.get(arm, 0) + 1
        more = ARM.c.units + bindparam("more")
        counted = update(ARM).where(*_this(ARM)).values(units=more)
        connection.execute(counted, [{**_where(ARM, key), "more": n} for key, n in arms.items()])
    if state.new_events:
        rows = [
            {**_named(EVENT, key), "value": value, "at": at}
            for key, (value, at) in state.new_events.items()
        ]
        connection.execute(insert(EVENT), rows)
        totals = {
            key: {"events": each.events, "total": str(each.total)}
            for key, each in state.changed_totals.items()
        }
        _put(connection, UNIT_TOTAL, totals, there=set(state.totals))
        sums = {
            key: {"units": each.units, "events": each.events}
            | {name: str(getattr(each, name)) for name in _EXACT}
            for key, each in state.changed_aggregates.items()
        }
        _put(connection, AGGREGATE, sums, there=set(state.aggregates))


def _put(
    connection: Connection, table: Table, rows: dict[_Key, dict[str, Any]], *, there: set[_Key]
) -> None:
    """Insert rows, or change those that are there."""
    new = [{**_named(table, key), **row} for key, row in rows.items() if key not in there]
    if new:
        connection.execute(insert(table), new)
    old = [{**_where(table, key), **row} for key, row in rows.items() if key in there]
    if old:
        names = next(iter(rows.values()))
        changed = (
            update(table).where(*_this(table)).values({name: bindparam(name) for name in names})
        )
        connection.execute(changed, old)


def _named(table: Table, key: _Key) -> dict[str, Any]:
    return {column.name: part for column, part in zip(table.primary_key, key, strict=True)}


def _where(table: Table, key: _Key) -> dict[str, Any]:
    return {f"of_{name}": part for name, part in _named(table, key).items()}


def _this(table: Table) -> list[Any]:
    return [column == bindparam(f"of_{column.name}") for column in table.primary_key]
