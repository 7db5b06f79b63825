"""How many planted faults a detector finds, and how soon, at a rate of false alarms set for all.

A detector gives every row a score that depends on that row and those before it. An alarm is a row
whose score reaches the threshold, unless an alarm of its series lies at most `REST` rows back. The
threshold is the lowest at which series without faults alarm at the rate; each law of series has
its own. A fault is found where an alarm lies on it: from its first row to its last, in a series
that it touches. Its delay is the number of rows from its first to that alarm.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from nextcall.compiling import compiled

REST: Final = 10
"""Rows after an alarm without another."""

HISTORY: Final = -2
"""Number in place of a fault's: the row is for learning, not judged."""

_AFTER: Final = 60  # rows after a fault whose alarms are neither hits nor false: it ends there
_Z: Final = 1.959964  # Phi^-1(0.975): 95 % intervals
_SERIES: Final = ["law", "series", "entity"]


@compiled()
def alarm_rows(
    scores: NDArray[np.float64], keys: NDArray[np.int64], threshold: float, rest: int
) -> NDArray[np.bool_]:
    """Mark the rows with an alarm; rows of a key stand together.

    Parameters
    ----------
    scores : array of shape (n_rows,)
        NaN is no alarm.
    keys : array of shape (n_rows,)
        Series of each row.
    threshold : float
        Lowest score of an alarm.
    rest : int
        Rows after an alarm without another.
    """
    marked = np.zeros(len(scores), dtype=np.bool_)
    latest = -rest - 1
    for row in range(len(scores)):
        if row > 0 and keys[row] != keys[row - 1]:
            latest = row - rest - 1
        if scores[row] >= threshold and row - latest > rest:
            marked[row] = True
            latest = row
    return marked


def threshold_at(scores: ArrayLike, keys: ArrayLike, *, rate: float, rest: int = REST) -> float:
    """Find the lowest threshold at which alarms are no more frequent than `rate`.

    Parameters
    ----------
    scores : array-like of shape (n_rows,)
        Of rows without faults.
    keys : array-like of int, shape (n_rows,)
        Series of each row; rows of a series stand together.
    rate : float
        Alarms per row, above 0 and below 1.

    Returns
    -------
    float
        Infinite where even the largest score is reached too often.
    """
    if not 0 < rate < 1:
        raise ValueError(f"rate must be above 0 and below 1, got {rate}.")
    given = np.asarray(scores, dtype=np.float64)
    places = np.asarray(keys, dtype=np.int64)
    levels = np.append(np.unique(given[~np.isnan(given)]), np.inf)
    most = rate * len(given)
    low, high = 0, len(levels) - 1
    while low < high:  # fewer alarms the higher the threshold, but for rests that fall otherwise
        middle = (low + high) // 2
        if alarm_rows(given, places, float(levels[middle]), rest).sum() <= most:
            high = middle
        else:
            low = middle + 1
    return float(levels[low])


def series_numbers(frame: pd.DataFrame) -> NDArray[np.int64]:
    """Number the series of a frame by ``law``, ``series`` and ``entity``."""
    numbers = frame.groupby(_SERIES, sort=False).ngroup()
    return np.asarray(numbers, dtype=np.int64)


def detect_faults(
    planted: pd.DataFrame,
    truth: pd.DataFrame,
    clean: pd.DataFrame,
    *,
    planted_scores: ArrayLike,
    clean_scores: ArrayLike,
    rate: float,
    rest: int = REST,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Say which faults are found at a rate of false alarms.

    Parameters
    ----------
    planted, clean : pandas.DataFrame
        ``law``, ``series``, ``entity`` and ``fault`` (-1 where there is none, -2 in the history),
        each entity's rows together in order of time.
    truth : pandas.DataFrame
        One row a fault: ``law``, ``series``, ``fault``, ``kind``, ``size``, ``first``.
    planted_scores, clean_scores : array-like of shape (n_rows,)
        Of a detector, for the rows of the frames.
    rate : float
        Alarms per row of `clean`, for each law.

    Returns
    -------
    faults : pandas.DataFrame
        `truth` with ``family``, ``found`` and ``delay`` in rows (NaN where it is not found).
    alarms : pandas.DataFrame
        One row a law: ``threshold``, ``clean_rate`` reached, and ``false_rate``, alarms per row of
        `planted` that is neither a fault nor shortly after one.
    """
    spans = _spans(planted)
    shown = planted.assign(score=np.asarray(planted_scores, dtype=np.float64), span=spans)
    quiet = clean.assign(score=np.asarray(clean_scores, dtype=np.float64))
    shown["row"] = shown.groupby(_SERIES, sort=False).cumcount()
    shown = shown[shown["fault"] != HISTORY]
    quiet = quiet[quiet["fault"] != HISTORY]
    hits, rows = [], []
    for law, part in shown.groupby("law", sort=False):
        own = quiet[quiet["law"] == law]
        keys = series_numbers(own)
        threshold = threshold_at(own["score"], keys, rate=rate, rest=rest)
        scores = part["score"].to_numpy()
        marked = alarm_rows(scores, series_numbers(part), threshold, rest)
        hits.append(part[marked & (part["span"] >= 0).to_numpy()])
        free = (part["span"] == -1).to_numpy()
        on_clean = alarm_rows(own["score"].to_numpy(), keys, threshold, rest)
        rows.append(
            {
                "law": law,
                "threshold": threshold,
                "clean_rate": float(on_clean.mean()),
                "false_rate": float(marked[free].mean()),
            }
        )
    first = pd.concat(hits).groupby(["law", "series", "span"])["row"].min().rename("alarm")
    faults = truth.join(first, on=["law", "series", "fault"])
    faults = faults.assign(
        family=faults["kind"].str.partition("/")[0],
        found=faults["alarm"].notna(),
        delay=faults["alarm"] - faults["first"],
    )
    return faults.drop(columns="alarm"), pd.DataFrame(rows)


def _spans(planted: pd.DataFrame) -> NDArray[np.int64]:
    """Number the rows of faults, gaps in them included; -1 none, -2 history, -3 shortly after."""
    keys = series_numbers(planted)
    fault = planted["fault"].to_numpy(dtype=np.int64)
    places = np.flatnonzero(fault >= 0)
    ends = (
        pd.DataFrame({"key": keys[places], "fault": fault[places], "row": places})
        .groupby(["key", "fault"])["row"]
        .agg(["min", "max"])
    )
    spans: NDArray[np.int64] = np.minimum(fault, -1)
    for last in ends["max"]:
        after = slice(last + 1, last + 1 + _AFTER)
        spans[after] = np.where(
            (spans[after] == -1) & (keys[after] == keys[last]), -3, spans[after]
        )
    for (_, number), (first, last) in zip(ends.index, ends.to_numpy(), strict=True):
        spans[first : last + 1] = number
    return spans


def wilson_interval(found: ArrayLike, n: ArrayLike) -> tuple[NDArray[np.float64], ...]:
    """Give the ends of Wilson's 95 % interval of a share.

    References
    ----------
    Wilson (1927), Journal of the American Statistical Association 22(158).
    """
    k, count = np.asarray(found, dtype=np.float64), np.asarray(n, dtype=np.float64)
    share = k / count
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z * np.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2)) / (1 + _Z**2 / count)
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)


def recall_table(faults: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Sum up faults: how many there are and are found, and how soon.

    Parameters
    ----------
    faults : pandas.DataFrame
        With ``found`` and ``delay``, as `detect_faults` gives them.
    by : list of str
        Columns whose values make a row.

    Returns
    -------
    pandas.DataFrame
        The columns of `by`, ``n``, ``found``, ``recall`` with ``low`` and ``high`` (95 %, Wilson),
        ``delay`` (median of those found, in rows) and ``delay_of_all`` (median where one that is
        not found has an infinite delay).
    """
    late = faults.assign(late=faults["delay"].fillna(np.inf))
    table = (
        late.groupby(by, sort=False, observed=True)
        .agg(
            n=("found", "size"),
            found=("found", "sum"),
            delay=("delay", "median"),
            delay_of_all=("late", "median"),
        )
        .reset_index()
    )
    low, high = wilson_interval(table["found"], table["n"])
    table.insert(len(by) + 2, "recall", table["found"] / table["n"])
    table.insert(len(by) + 3, "low", low)
    table.insert(len(by) + 4, "high", high)
    return table


def random_alarms(
    planted: pd.DataFrame, truth: pd.DataFrame, *, rate: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Say which faults alarms at random would find: what a recall has to be better than."""
    scores = rng.random(len(planted))
    faults, _ = detect_faults(
        planted,
        truth,
        planted.assign(fault=-1),
        planted_scores=scores,
        clean_scores=rng.random(len(planted)),
        rate=rate,
    )
    return faults


def compare_detectors(
    planted: pd.DataFrame,
    truth: pd.DataFrame,
    clean: pd.DataFrame,
    *,
    scores: Mapping[str, tuple[ArrayLike, ArrayLike]],
    rates: Sequence[float],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Run `detect_faults` for many detectors and rates.

    Parameters
    ----------
    planted, truth, clean : pandas.DataFrame
        As there.
    scores : mapping of str to pair of array-like
        Scores of each detector for the rows of `planted` and of `clean`.
    rates : sequence of float
        Alarms per row of `clean`.

    Returns
    -------
    faults, alarms : pandas.DataFrame
        As there, with ``detector`` and ``rate`` before.
    """
    faults: list[pd.DataFrame] = []
    alarms: list[pd.DataFrame] = []
    for name, (on_planted, on_clean) in scores.items():
        for rate in rates:
            found, told = detect_faults(
                planted,
                truth,
                clean,
                planted_scores=on_planted,
                clean_scores=on_clean,
                rate=rate,
            )
            for table, tables in ((found, faults), (told, alarms)):
                table.insert(0, "detector", name)
                table.insert(1, "rate", rate)
                tables.append(table)
    return pd.concat(faults, ignore_index=True), pd.concat(alarms, ignore_index=True)
