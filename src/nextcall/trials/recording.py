"""Writes what units saw and did, many at once: their rows, and the sums that analyses read."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select

from nextcall.trials.aggregates import Aggregate, UnitTotal
from nextcall.trials.errors import EventConflictError, RefusedError
from nextcall.trials.exact import Exact
from nextcall.trials.life import not_running
from nextcall.trials.rows import Key, add_to_rows, insert_rows, lock_rows, put_rows, read_rows
from nextcall.trials.sighting import Recorded, Sighting, wrong_variant
from nextcall.trials.tables import AGGREGATE, ARM, EVENT, EXPOSURE, TRIAL, UNIT_TOTAL

MOST_METRICS: Final = 100
"""Metrics of one test."""

_COUNTS: Final = ("units", "events")
_EXACT: Final = tuple(each.name for each in fields(Aggregate) if each.name not in _COUNTS)


@dataclass(slots=True, kw_only=True)
class _State:
    """Rows that a group of sightings concerns: as they were, then as they are to be."""

    statuses: dict[int, str]
    exposures: dict[Key, str]
    events: dict[Key, float]
    totals: dict[Key, UnitTotal]
    sums: dict[Key, Aggregate]
    metrics: dict[int, set[str]]
    """Of tests for which one may be new."""
    new_exposures: dict[Key, Sighting] = field(default_factory=dict)
    new_events: dict[Key, tuple[float, datetime]] = field(default_factory=dict)
    new_totals: dict[Key, UnitTotal] = field(default_factory=dict)


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
    _write_exposures(connection, state)
    _write_events(connection, state)
    return answers


def sums_of(connection: Connection, trial: int) -> dict[tuple[str, str], Aggregate]:
    """Read the sums of a test, by variant and metric."""
    columns = [AGGREGATE.c[name] for name in ("variant_id", "metric", *_COUNTS, *_EXACT)]
    asked = select(*columns).where(AGGREGATE.c.trial == trial)
    return {(variant, metric): _sums(row) for variant, metric, *row in connection.execute(asked)}


def _sums(row: Sequence[Any]) -> Aggregate:
    units, events, *exact = row
    parsed = dict(zip(_EXACT, map(Exact.parse, exact), strict=True))
    return Aggregate(units=units, events=events, **parsed)


def _read(connection: Connection, sightings: Sequence[Sighting]) -> _State:
    statuses = lock_rows(connection, TRIAL, {(each.trial,) for each in sightings}, "status")
    exposures = {(each.trial, each.unit): each.variant_id for each in sightings if each.known}
    units = {(each.trial, each.unit) for each in sightings} - exposures.keys()
    for key, row in read_rows(connection, EXPOSURE, units, "variant_id").items():
        (exposures[key],) = row
    events = {event for each in sightings for event in each.events}
    kept = read_rows(connection, EVENT, events, "value")
    totals = read_rows(connection, UNIT_TOTAL, {key[:3] for key in events}, "events", "total")
    arms = {
        (each.trial, each.variant_id, metric) for each in sightings for metric, _ in each.values
    }
    sums = read_rows(connection, AGGREGATE, arms, *_COUNTS, *_EXACT)
    unknown = {trial for trial, *_ in arms - sums.keys()}
    return _State(
        statuses={trial: status for (trial,), (status,) in statuses.items()},
        exposures=exposures,
        events={key: value for key, (value,) in kept.items()},
        totals={
            key: UnitTotal(events=n, total=Exact.parse(total)) for key, (n, total) in totals.items()
        },
        sums={key: _sums(row) for key, row in sums.items()},
        metrics={trial: {metric for _, metric in sums_of(connection, trial)} for trial in unknown},
    )


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
    metrics = state.metrics.get(sighting.trial)
    if metrics is not None:
        more = metrics | {event[2] for event in new}
        if len(more) > MOST_METRICS:
            return RefusedError(
                f"a test must have at most {MOST_METRICS} metrics, got {len(more)}."
            )
        state.metrics[sighting.trial] = more
    if seen is None:
        state.exposures[key] = sighting.variant_id
        state.new_exposures[key] = sighting
    for event, value in new.items():
        state.events[event] = value
        state.new_events[event] = value, sighting.at
        of_unit = event[:3]
        before = state.new_totals.get(of_unit) or state.totals.get(of_unit) or UnitTotal()
        state.new_totals[of_unit] = before.with_event(value)
    return Recorded(recorded=len(new), repeated=len(sighting.values) - len(new))


def _write_exposures(connection: Connection, state: _State) -> None:
    if not state.new_exposures:
        return
    rows = [(*key, each.variant_id, each.at) for key, each in state.new_exposures.items()]
    insert_rows(connection, EXPOSURE, rows)
    arms = Counter((each.trial, each.variant_id) for each in state.new_exposures.values())
    add_to_rows(connection, ARM, arms, "units")


def _write_events(connection: Connection, state: _State) -> None:
    """Write events, and put each unit's new total in the old one's place in the sums."""
    if not state.new_events:
        return
    rows = [(*key, value, at) for key, (value, at) in state.new_events.items()]
    insert_rows(connection, EVENT, rows)
    changes: defaultdict[Key, list[tuple[UnitTotal, UnitTotal]]] = defaultdict(list)
    for key, new in state.new_totals.items():
        trial, unit, metric = key
        arm = (trial, state.exposures[trial, unit], metric)
        changes[arm].append((state.totals.get(key, UnitTotal()), new))
    sums = {arm: state.sums.get(arm, Aggregate()).replaced(each) for arm, each in changes.items()}
    totals = {key: (each.events, str(each.total)) for key, each in state.new_totals.items()}
    put_rows(connection, UNIT_TOTAL, totals, "events", "total")
    arms = {
        key: (each.units, each.events, *(str(getattr(each, name)) for name in _EXACT))
        for key, each in sums.items()
    }
    put_rows(connection, AGGREGATE, arms, *_COUNTS, *_EXACT)
