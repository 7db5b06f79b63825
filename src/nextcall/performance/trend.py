"""Runs one after another: is the newest slower than those before, and what room is left."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import stats

LEAST_EARLIER: Final = 5
"""Earlier runs, or days, of fewer of which nothing is said."""

_PER_WEEK: Final = 7.0
_DAY: Final = pd.Timedelta(days=1)


def runs_frame(runs: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Give a row for each part of each run, the oldest first.

    Parameters
    ----------
    runs : iterable of mapping
        As `PerformanceRun.told` and `RunHistory.newest` give them, in any order.

    Returns
    -------
    pandas.DataFrame
        Columns ``at`` (UTC), ``version``, ``model_version``, ``source``, ``part``, ``count``,
        ``errors``, ``p50``, ``p95``, ``p99``, ``mean`` (milliseconds) and ``rate`` (a second).
    """
    figures = ("count", "errors", "p50", "p95", "p99", "mean", "rate")
    of_run = ("version", "model_version", "source")
    rows = [
        [run["at"], *(run[name] for name in of_run), part, *(one[name] for name in figures)]
        for run in runs
        for part, one in run["parts"].items()
    ]
    return _by_time(pd.DataFrame(rows, columns=["at", *of_run, "part", *figures]))


def promises_frame(runs: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Give a row for each promise of each run, the oldest first.

    Returns
    -------
    pandas.DataFrame
        Columns ``at`` (UTC), ``source``, ``part``, ``promise``, ``unit``, ``value``, ``limit``,
        ``room`` (share of the limit that is left; below 0 where it is missed) and ``status``.
    """
    of_promise = ("part", "name", "unit", "value", "limit")
    rows = [
        [run["at"], run["source"], *map(each.get, of_promise), _room(each), each["status"]]
        for run in runs
        for each in run["promises"]
    ]
    columns = ["at", "source", "part", "promise", "unit", "value", "limit", "room", "status"]
    return _by_time(pd.DataFrame(rows, columns=columns))


def _room(promise: Mapping[str, Any]) -> float:
    return np.nan if promise["room"] is None else promise["room"] / promise["limit"]


def _by_time(frame: pd.DataFrame) -> pd.DataFrame:
    frame["at"] = pd.to_datetime(frame["at"], utc=True, format="ISO8601")
    return frame.sort_values("at", kind="stable", ignore_index=True)


def compare_newest(
    frame: pd.DataFrame, *, figure: str = "p50", confidence: float = 0.95
) -> pd.DataFrame:
    """Hold the newest run against those before it.

    The interval is where another run would lie if nothing had changed: of the logarithms, by
    Student's t for a new observation, corrected for the number of parts after Bonferroni.

    Parameters
    ----------
    frame : pandas.DataFrame
        Of `runs_frame`, of one source: what the figures hold must be the same.
    figure : str
        Column that is compared; more is worse.
    confidence : float
        That no part is told to have changed where none has.

    Returns
    -------
    pandas.DataFrame
        A row a part: ``part``, ``earlier`` (runs), ``before`` (their geometric mean), ``newest``,
        ``ratio``, ``ci_lower`` and ``ci_upper`` (of the ratio), ``outcome`` (worse, better, same,
        unknown).

    Raises
    ------
    ValueError
        Where the frame is of several sources, or `confidence` is no share.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be above 0 and below 1, got {confidence}.")
    sources = sorted(set(frame["source"]))
    if len(sources) > 1:
        raise ValueError(f"frame must be of one source, got {sources}.")
    last = frame["at"].max()
    newest = frame[frame["at"] == last]
    tail = (1 - confidence) / 2 / max(1, len(newest))
    rows = []
    for part, value in zip(newest["part"], newest[figure].astype(float), strict=True):
        own = frame[(frame["part"] == part) & (frame["at"] < last)][figure].astype(float)
        logs = np.log(own[own > 0].to_numpy())
        before = np.exp(logs.mean()) if len(logs) else np.nan
        reach = _reach(logs, tail)
        ratio = value / before
        low, high = np.exp(-reach), np.exp(reach)
        rows.append((part, len(logs), before, value, ratio, low, high, _outcome(ratio, low, high)))
    columns = ["part", "earlier", "before", "newest", "ratio", "ci_lower", "ci_upper", "outcome"]
    return pd.DataFrame(rows, columns=columns)


def _reach(logs: np.ndarray, tail: float) -> float:
    n = len(logs)
    if n < LEAST_EARLIER:
        return np.nan
    return float(stats.t.isf(tail, n - 1) * logs.std(ddof=1) * np.sqrt(1 + 1 / n))


def _outcome(ratio: float, low: float, high: float) -> str:
    if np.isnan(ratio) or np.isnan(low):
        return "unknown"
    return "worse" if ratio > high else "better" if ratio < low else "same"


def weekly_change(
    frame: pd.DataFrame, *, figure: str = "p50", confidence: float = 0.95
) -> pd.DataFrame:
    """Tell by how much each part becomes slower or faster in a week.

    The slope of the logarithms over days after Theil and Sen, which a few odd runs do not bend;
    runs of one day count by their median.

    Parameters
    ----------
    frame : pandas.DataFrame
        Of `runs_frame`, of one source.
    figure : str
    confidence : float

    Returns
    -------
    pandas.DataFrame
        A row a part: ``part``, ``days``, ``change`` (0.1 is a tenth more a week), ``ci_lower``,
        ``ci_upper``; ``nan`` where there are too few days.
    """
    rows = []
    for part, own in frame.groupby("part", sort=False):
        days = own.groupby(own["at"].dt.floor("D"))[figure].median().astype(float)
        days = days[days > 0]
        slopes = (np.nan, np.nan, np.nan)
        if len(days) >= LEAST_EARLIER:
            since = (days.index - days.index[0]) / _DAY
            found = stats.theilslopes(np.log(days), since, confidence)
            slopes = (found.slope, found.low_slope, found.high_slope)
        rows.append((part, len(days), *(np.expm1(_PER_WEEK * each) for each in slopes)))
    return pd.DataFrame(rows, columns=["part", "days", "change", "ci_lower", "ci_upper"])
