"""How the effect on one metric differs between segments, and over time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nextcall.abtest.effect import Arm, difference
from nextcall.abtest.measured import Measured, measure
from nextcall.abtest.measuring import measure_data
from nextcall.abtest.metrics import Metric, Quantile
from nextcall.abtest.parts import MOST, Parts, measure_parts, read_parts
from nextcall.abtest.rows import Rows, read_column, read_rows
from nextcall.abtest.segments import Heterogeneity, compare_segments
from nextcall.abtest.trends import WEEKDAYS, Trend, trend_of_arms

Clock = Literal["first exposure", "calendar"]
"""Whether days count from a unit's first row, or are those of the calendar."""

_DAY: Final = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentEffects:
    """Effects of a treatment by segment.

    Parameters
    ----------
    column, metric, treatment : str
    heterogeneity : Heterogeneity
    """

    column: str
    metric: str
    treatment: str
    heterogeneity: Heterogeneity

    def to_frame(self) -> pd.DataFrame:
        """Give a row a segment."""
        return pd.DataFrame(
            [
                {
                    self.column: name,
                    "difference": each.effect.value,
                    "ci_lower": each.effect.ci_lower,
                    "ci_upper": each.effect.ci_upper,
                    "adjusted_pvalue": each.adjusted_pvalue,
                    "drawn_together": each.shrunk,
                }
                for name, each in self.heterogeneity.segments.items()
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeEffects:
    """Effects of a treatment over time.

    Parameters
    ----------
    column, metric, treatment : str
    clock : {"first exposure", "calendar"}
        By which days `trend` counts, from 0: the first wherever units have rows on several days.
    trend : Trend
    weekdays : Heterogeneity or None
        None where days are numbers, or all of one weekday.
    """

    column: str
    metric: str
    treatment: str
    clock: Clock
    trend: Trend
    weekdays: Heterogeneity | None


def effects_by_segment(
    data: Any,
    *,
    segment: str,
    metric: Metric,
    variants: Sequence[str],
    variant: str = "variant",
    unit: str | None = None,
    alpha: float = 0.05,
) -> list[SegmentEffects]:
    """Compare each treatment with control in each segment, and the segments with each other.

    Rows without a segment are one of their own, ``(none)``; a segment without rows of a variant
    says nothing of it.

    Parameters
    ----------
    data : pandas.DataFrame, pyarrow.Table or ibis.Table
    variants : sequence of str
        Control, then treatments.

    Raises
    ------
    TypeError, ValueError
        Where a variant has no rows, and as `analyze` with strata.

    Examples
    --------
    >>> from nextcall.abtest.metrics import Mean
    >>> rng = np.random.default_rng(0)
    >>> rows = pd.DataFrame({"variant": ["A", "B"] * 500, "country": ["de"] * 500 + ["fr"] * 500})
    >>> rows["spent"] = rng.normal(10, 1, 1000)
    >>> (found,) = effects_by_segment(
    ...     rows, segment="country", metric=Mean("spent"), variants=["A", "B"]
    ... )
    >>> list(found.heterogeneity.segments)
    ['de', 'fr']
    """
    if isinstance(metric, Quantile):
        rows = read_rows(data, variant=variant, columns=metric.columns, unit=unit)
        whole = measure(rows, [metric])
        parts: Mapping[str, Measured] = measure_parts(rows, read_parts(data, segment), [metric])
    else:
        whole = measure_data(data, [metric], variant=variant, unit=unit, strata=segment)
        whole, parts = replace(whole, strata={}), whole.strata
    absent = [name for name in variants if not whole.n_units.get(name, 0)]
    if absent:
        raise ValueError(f"each variant must have rows; {absent} have none.")
    found = []
    for treatment in variants[1:]:
        pair = (variants[0], treatment)
        arms = _arms(parts, metric, pair)
        if arms:
            overall = difference(*whole.adjusted(metric, pair).arms, alpha=alpha)
            heterogeneity = compare_segments(arms, overall=overall, alpha=alpha)
            found.append(
                SegmentEffects(
                    column=segment,
                    metric=metric.name,
                    treatment=treatment,
                    heterogeneity=heterogeneity,
                )
            )
    return found


def effects_over_time(
    data: Any,
    *,
    time: str,
    metric: Metric,
    variants: Sequence[str],
    variant: str = "variant",
    unit: str | None = None,
    alpha: float = 0.05,
) -> list[TimeEffects]:
    """Test whether each treatment's effect changes with the days, and hangs on the weekday.

    Where units have rows on several days, days count from a unit's first row: an effect that wears
    off is a novelty. Else they are those of the calendar. Units that are seen on later days are
    those that came back: a treatment that changes who comes back changes them too.

    Parameters
    ----------
    data : pandas.DataFrame or pyarrow.Table
    time : str
        Column of dates, times, texts of them, or whole numbers of days.
    variants : sequence of str
        Control, then treatments.

    Raises
    ------
    TypeError, ValueError
        Where a row has no day, there are more than 1,000, and as `analyze`.
    """
    rows = read_rows(data, variant=variant, columns=metric.columns, unit=unit)
    days, dated = read_days(data, time)
    if len(days) == 0:
        return []
    clock: Clock = "calendar"
    count = days - days.min()
    if rows.units is not None:
        first = np.full(int(rows.units.max()) + 1, np.iinfo(np.int64).max)
        np.minimum.at(first, rows.units, days)
        if (days != first[rows.units]).any():
            clock, count = "first exposure", days - first[rows.units]
    by_day = _measured_by(rows, count, time, metric)
    weekday = (days + 3) % 7  # the first day of 1970 was a Thursday
    by_weekday = _measured_by(rows, weekday, time, metric) if dated else {}
    found = []
    for treatment in variants[1:]:
        pair = (variants[0], treatment)
        arms = _arms(by_day, metric, pair)
        weekdays = {
            WEEKDAYS[int(name)]: each for name, each in _arms(by_weekday, metric, pair).items()
        }
        found.append(
            TimeEffects(
                column=time,
                metric=metric.name,
                treatment=treatment,
                clock=clock,
                trend=trend_of_arms({int(day): each for day, each in arms.items()}, alpha=alpha),
                weekdays=compare_segments(weekdays, alpha=alpha) if len(weekdays) > 1 else None,
            )
        )
    return found


def read_days(data: Any, column: str) -> tuple[NDArray[np.int64], bool]:
    """Read days as whole numbers; dates as those since 1970.

    Returns
    -------
    tuple of (array of shape (n_rows,), bool)
        The days, and whether they are dates.

    Raises
    ------
    ValueError
        Where a row has no day, or the column holds none.

    Examples
    --------
    >>> read_days(pd.DataFrame({"day": ["1970-01-03", "1970-01-01"]}), "day")
    (array([2, 0]), True)
    """
    series = read_column(data, column)
    if series.isna().any():
        row = int(np.flatnonzero(series.isna())[0])
        raise ValueError(f"{column} must be known for each row, got none in row {row}.")
    if pd.api.types.is_integer_dtype(series.dtype):
        return series.to_numpy(np.int64), False
    if pd.api.types.is_numeric_dtype(series.dtype):
        raise ValueError(f"{column} must hold days, got {series.dtype}.")
    try:
        times = pd.to_datetime(series, utc=True, format="ISO8601" if _is_text(series) else None)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{column} must hold days: {error}") from None
    found: NDArray[np.int64] = times.dt.tz_localize(None).to_numpy("datetime64[D]").astype(np.int64)
    return found, True


def _is_text(series: "pd.Series[Any]") -> bool:
    return len(series) > 0 and isinstance(series.iloc[0], str)


def _measured_by(
    rows: Rows, days: NDArray[np.int64], column: str, metric: Metric
) -> dict[str, Measured]:
    """Measure each day; a unit of several days is one of each, so that its rows stay a cluster."""
    codes, names = pd.factorize(days, sort=True)
    if len(names) > MOST:
        raise ValueError(f"{column} must hold at most {MOST:,} days, got {len(names):,}.")
    if rows.units is not None:
        pairs = rows.units * len(names) + codes
        units = None if len(np.unique(pairs)) == len(pairs) else pd.factorize(pairs)[0]
        rows = replace(rows, units=units)
    parts = Parts(column=column, names=tuple(str(each) for each in names), codes=codes)
    return measure_parts(rows, parts, [metric])


def _arms(
    parts: Mapping[str, Measured], metric: Metric, pair: tuple[str, str]
) -> dict[str, tuple[Arm, Arm]]:
    """Give control and treatment of each part that has units of both."""
    found = {}
    for name, part in parts.items():
        if all(part.n_units.get(each, 0) for each in pair):
            control, treatment = part.adjusted(metric, pair).arms
            if not (isnan(control.estimate) or isnan(treatment.estimate)):
                found[name] = (control, treatment)
    return found
