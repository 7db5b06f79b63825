"""Entities that are busier or quieter than the hour of the week, or do other things than usual."""

from collections.abc import Iterable
from math import floor
from pathlib import Path
from typing import Final, Self

import numpy as np
import pandas as pd

from nextcall.anomaly.entity_files import load_entities, save_entities
from nextcall.anomaly.entity_record import (
    ALARMS,
    EVENTS,
    LATE,
    MISSING,
    RISK,
    SKIPPED,
    SPANS,
    EntityRecord,
)
from nextcall.anomaly.monitor_input import seconds
from nextcall.anomaly.pattern_score import PatternScore
from nextcall.anomaly.wall_clock import time_zone

_MOST_RATE: Final = 0.02
_SHORTEST, _LONGEST = 60.0, 86_400.0
_FARTHEST: Final = 1e11  # seconds from 1970: 3,000 years
_COLUMNS: Final = ("entity", "behavior", "time")


class EntityPatterns:
    """Watches the events of any number of entities: how many there are, and of what kinds.

    Events are counted in spans. When a span is over, its count is held against the mean of that
    hour of the week, and the shares of the entity's behaviors against those of four weeks;
    so are the last 4 and 16 spans together. An anomaly is more than 30 % off, and rarer than the
    rate by chance. `entity_record` says how.

    Each entity takes 2,224 bytes and the names of its behaviors; the first 32 count by name, all
    others as one. One thread at a time.

    Parameters
    ----------
    rate : float
        Alarms a span where nothing is wrong, above 0 and at most 0.02.
    span : float
        Seconds, from a minute to a day.
    zone : str
        Time zone whose wall clock, summer time included, shows the hour of the week; a name of the
        IANA database. Spans begin at multiples of their length in UTC all year.

    Raises
    ------
    ValueError
        Where an option is out of its range, or there is no such zone.

    Examples
    --------
    >>> patterns = EntityPatterns()
    >>> for hour in range(24 * 21):
    ...     for call in range(60):
    ...         _ = patterns.update("ann", "read", hour * 3600 + call * 50)
    >>> for call in range(240):
    ...     _ = patterns.update("ann", "read", hour * 3600 + 3600 + call * 15)
    >>> (score,) = patterns.close(hour * 3600 + 7200)
    >>> score.alarm, score.anomalies[0].kind, score.events, round(score.expected)
    (True, 'rate', 240, 60)
    """

    def __init__(self, *, rate: float = 1 / 500, span: float = 3600.0, zone: str = "UTC") -> None:
        if not 0 < rate <= _MOST_RATE:
            raise ValueError(f"rate must be above 0 and at most {_MOST_RATE}, got {rate}.")
        if not _SHORTEST <= span <= _LONGEST:
            raise ValueError(f"span must be from {_SHORTEST:.0f} to {_LONGEST:.0f}, got {span}.")
        self._rate, self._span, self._zone = float(rate), float(span), zone
        self._clock = time_zone(zone)
        self._records: dict[str, EntityRecord] = {}

    @property
    def rate(self) -> float:
        """Alarms a span that are wanted."""
        return self._rate

    @property
    def span(self) -> float:
        """Seconds."""
        return self._span

    @property
    def zone(self) -> str:
        """Name of the time zone whose wall clock counts."""
        return self._zone

    def __len__(self) -> int:
        """Give the number of entities."""
        return len(self._records)

    def update(self, entity: str, behavior: str, time: object) -> tuple[PatternScore, ...]:
        """Count an event; where it lies in a later span than the last one, score those between.

        Parameters
        ----------
        entity : str
            Whose event it is.
        behavior : str
            What the entity did.
        time : datetime or float
            Aware, or seconds since 1970. One that is None, not finite or beyond the year 5100 is
            missing; one in a span that is closed is late: both are counted, and not learned.
            Within its span the order does not matter.

        Returns
        -------
        tuple of PatternScore
            A score for each span that this event closes, in order of time; mostly none. The span
            of an entity's first event is never scored, for it may have begun before. Of a silence
            of more than a week the first week is scored.

        Raises
        ------
        TypeError
            Where a name is no text or the time no time.
        ValueError
            Where the time is a datetime without a time zone.
        """
        for name, part in (("entity", entity), ("behavior", behavior)):
            if not isinstance(part, str):
                raise TypeError(f"{name} must be text, got {part!r}.")
        when = seconds(time)
        record = self._records.get(entity)
        if record is None:
            record = self._records[entity] = EntityRecord()
        if not abs(when) <= _FARTHEST:
            record.numbers[MISSING] += 1.0
            return ()
        span = floor(when / self._span)
        if not record.begun:
            record.begin(span)
        ahead = span - record.current
        if ahead < 0:
            record.numbers[LATE] += 1.0
            return ()
        scores: tuple[PatternScore, ...] = ()
        if ahead:
            scores = tuple(self._advance(entity, record, span))
        record.count(behavior)
        return scores

    def close(self, time: object) -> tuple[PatternScore, ...]:
        """Score all spans that are over at a time, also those in which nothing happened.

        Raises
        ------
        TypeError
            Where the time is no time.
        ValueError
            Where it is missing, or a datetime without a time zone.
        """
        when = seconds(time)
        if not abs(when) <= _FARTHEST:
            raise ValueError(f"time must be a time before the year 5100, got {time!r}.")
        span = floor(when / self._span)
        return tuple(
            score
            for entity, record in self._records.items()
            if record.begun and span > record.current
            for score in self._advance(entity, record, span)
        )

    def score_frame(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Do `update` with each row in its order; `score_table` of all that it gives.

        Parameters
        ----------
        frame : pandas.DataFrame
            ``entity``, ``behavior`` and ``time``.

        Raises
        ------
        ValueError
            Where a column is missing or a cell is not what it should be; nothing is learned then.
        """
        for column in _COLUMNS:
            if column not in frame:
                raise ValueError(f"frame must have a column {column!r}, got {list(frame.columns)}.")
        rows = list(zip(*(frame[column].tolist() for column in _COLUMNS), strict=True))
        for place, (entity, behavior, time) in enumerate(rows):
            try:
                seconds(time)
            except (TypeError, ValueError) as error:
                raise ValueError(f"row {place}: {error}") from None
            if not (isinstance(entity, str) and isinstance(behavior, str)):
                raise ValueError(  # noqa: TRY004  # as all cells of a frame
                    f"row {place}: entity and behavior must be text, got {entity!r}, {behavior!r}."
                )
        return score_table(score for row in rows for score in self.update(*row))

    def summary(self) -> pd.DataFrame:
        """Give a row an entity.

        Returns
        -------
        pandas.DataFrame
            ``entity``, ``events``, ``late``, ``missing``, ``spans`` scored, ``skipped`` spans of
            long silences, ``alarms``, ``behaviors`` known by name, newest ``risk_score``.
        """
        numbers = np.array([each.numbers for each in self._records.values()])
        columns = {
            "events": EVENTS,
            "late": LATE,
            "missing": MISSING,
            "spans": SPANS,
            "skipped": SKIPPED,
            "alarms": ALARMS,
        }
        numbers = numbers.reshape(len(self), -1) if len(self) else np.empty((0, RISK + 1))
        table = pd.DataFrame({"entity": pd.Series(list(self._records), dtype="string")})
        for name, column in columns.items():
            table[name] = numbers[:, column].astype(np.int64)
        table["behaviors"] = [len(each.behaviors) for each in self._records.values()]
        table["behaviors"] = table["behaviors"].astype(np.int64)
        table["risk_score"] = numbers[:, RISK]
        return table

    def save(self, path: Path) -> None:
        """Write all state to a file (``npz``, no pickle) that is whole or absent."""
        save_entities(
            path, rate=self._rate, span=self._span, zone=self._zone, records=self._records
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote; it goes on with the same numbers, bit for bit.

        Raises
        ------
        ValueError
            Where the file is not such a file, or its numbers cannot be.
        OSError
            Where the file cannot be read.
        """
        rate, span, zone, records = load_entities(path)
        try:
            patterns = cls(rate=rate, span=span, zone=zone)
        except ValueError as error:
            raise ValueError(f"{path} is no state of entities: {error}") from error
        patterns._records = records
        return patterns

    def _advance(self, entity: str, record: EntityRecord, span: int) -> list[PatternScore]:
        return record.advance(entity, span, seconds=self._span, rate=self._rate, zone=self._clock)


def score_table(scores: Iterable[PatternScore]) -> pd.DataFrame:
    """Give scores as a table.

    Returns
    -------
    pandas.DataFrame
        A row a span: ``entity``, ``start``, ``events``, ``expected``, ``risk_score``,
        ``enough_data``, ``kind`` of the rarest anomaly (empty where there is none), its
        ``magnitude`` (0 there), and ``explanation``.
    """
    rows = [
        (
            each.entity,
            each.start,
            each.events,
            each.expected,
            each.risk_score,
            each.enough_data,
            each.anomalies[0].kind if each.anomalies else "",
            each.anomalies[0].magnitude if each.anomalies else 0.0,
            each.explanation,
        )
        for each in scores
    ]
    types = {
        "entity": "string",
        "start": "float64",
        "events": "int64",
        "expected": "float64",
        "risk_score": "float64",
        "enough_data": "bool",
        "kind": "string",
        "magnitude": "float64",
        "explanation": "string",
    }
    return pd.DataFrame(rows, columns=list(types)).astype(types)
