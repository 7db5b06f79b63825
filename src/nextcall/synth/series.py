"""Metric series with a daily and a weekly season, whose law is known."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nextcall.synth.clock import week_profile

_SPREAD = 0.25  # standard deviation of the logarithm of a latency, within a minute


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesSettings:
    """What a series looks like where nothing is wrong."""

    kind: Literal["count", "latency"] = "count"
    """Events a minute (Poisson), or their mean latency in milliseconds (log-normal)."""
    level: float = 100.0
    """Mean over a week, of all entities together for counts and of each one for latencies."""
    season: float = 1.0
    """How far the week's profile is followed: 0 is flat, 1 all the way."""
    entities: int = 1
    """How many clients (operations, users) the series is split by; a Zipf law shares counts."""
    start: datetime = datetime(2026, 1, 5, tzinfo=UTC)

    def __post_init__(self) -> None:
        if self.kind not in {"count", "latency"}:
            raise ValueError(f"kind must be 'count' or 'latency', got {self.kind!r}.")
        if self.level <= 0:
            raise ValueError(f"level must be above 0, got {self.level}.")
        if not 0 <= self.season <= 1:
            raise ValueError(f"season must be in [0, 1], got {self.season}.")
        if self.entities < 1:
            raise ValueError(f"entities must be at least 1, got {self.entities}.")


def metric_series(
    minutes: int, *, rng: np.random.Generator, settings: SeriesSettings | None = None
) -> pd.DataFrame:
    """Draw a series, one value a minute and entity.

    Returns
    -------
    pandas.DataFrame
        One row an entity and minute, entity after entity: ``entity``, ``time``, ``value``, and
        the truth: its mean ``expected`` and its standard deviation ``sigma``.

    Raises
    ------
    ValueError
        Where `minutes` is below 1.

    Examples
    --------
    >>> series = metric_series(60, rng=np.random.default_rng(0))
    >>> len(series), bool((series["value"] >= 0).all())
    (60, True)
    """
    if minutes < 1:
        raise ValueError(f"minutes must be at least 1, got {minutes}.")
    knobs = settings or SeriesSettings()
    week = 1 + knobs.season * (week_profile() - 1)
    first = knobs.start.weekday() * 1440 + knobs.start.hour * 60 + knobs.start.minute
    hour = (first + np.arange(minutes)) / 60
    season = np.interp(hour % len(week), np.arange(len(week) + 1), np.append(week, week[0]))
    expected, sigma, value = _draw(knobs, season, rng)
    times = pd.date_range(knobs.start, periods=minutes, freq="min", unit="us")
    width = len(str(knobs.entities - 1))
    names = np.array([f"e{entity:0{width}d}" for entity in range(knobs.entities)], dtype=object)
    return pd.DataFrame(
        {
            "entity": pd.Series(np.repeat(names, minutes), dtype="string"),
            "time": pd.Series(times.append([times] * (knobs.entities - 1))),
            "value": value.ravel(),
            "expected": expected.ravel(),
            "sigma": sigma.ravel(),
        }
    )


def _draw(
    knobs: SeriesSettings, season: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Give mean, standard deviation and values, each of shape (n_entities, n_minutes)."""
    if knobs.kind == "count":
        shares = 1.0 / np.arange(1, knobs.entities + 1)
        expected = knobs.level * np.outer(shares / shares.sum(), season)
        return expected, np.sqrt(expected), rng.poisson(expected).astype(np.float64)
    # Load slows calls down, but less than it grows: latency follows the square root of the season.
    rise = np.sqrt(season) / np.sqrt(season).mean()
    expected = np.tile(knobs.level * rise, (knobs.entities, 1))
    noise = np.exp(_SPREAD * rng.standard_normal(expected.shape) - _SPREAD**2 / 2)
    return expected, expected * np.sqrt(np.expm1(_SPREAD**2)), expected * noise


def count_events(
    sessions: pd.DataFrame, *, by: str = "user_id", every: str = "1min"
) -> pd.DataFrame:
    """Count the calls of a session table in equal spans of time, for each entity.

    Parameters
    ----------
    sessions : pandas.DataFrame
        A session table, with every call's time.
    by : str
        Column whose values are the entities.
    every : str
        Span, as pandas writes it.

    Returns
    -------
    pandas.DataFrame
        ``entity``, ``time`` (the span's begin) and ``value``, entity after entity; every entity
        has every span from the first call to the last.
    """
    span = sessions["time"].dt.floor(every)
    counts = pd.crosstab(span, sessions[by])
    whole = pd.date_range(span.min(), span.max(), freq=every, unit="us")
    counts = counts.reindex(whole, fill_value=0)
    return pd.DataFrame(
        {
            "entity": pd.Series(
                np.repeat(counts.columns.to_numpy(dtype=object), len(whole))
            ).astype("string"),
            "time": pd.Series(whole.append([whole] * (counts.shape[1] - 1))),
            "value": counts.to_numpy(dtype=np.float64).T.ravel(),
        }
    )
