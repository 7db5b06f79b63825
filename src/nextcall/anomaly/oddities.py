"""What is odd in a table of series: alarms with reasons, a row a series, and what was held back."""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from nextcall.anomaly.block_scorer import BlockScorer
from nextcall.anomaly.detector import ALARM, ONLY_KEY, StreamDetector, explanations
from nextcall.anomaly.scorers import DEFAULT_RATE
from nextcall.anomaly.tables import FORMATS

VERDICTS: Final = ("odd", "unclear", "nothing is wrong", "not enough data")
"""Of a series: it has alarms, and a row that is rarer than once in `RARE` times the rows that were
judged; it has alarms, and noise may have them too; it has none; it is too short. How many alarms
there are says little, for the boundary of a series keeps them near the rate."""

RARE: Final = 1.5
"""Of 40 to 133 series of noise each, of 1,500 to 20,000 rows, at most 10 % had such a row where the
noise was Gaussian or Poisson's, and 8 to 30 % where it was Student's t with 3 degrees of freedom;
1 would give 19 to 30 % and 31 to 55 %."""


def read_series(
    path: Path, *, value: str = "value", timestamp: str | None = None, key: str | None = None
) -> pd.DataFrame:
    """Read series from a CSV or Parquet file, by the rules of ``nextcall detect``.

    Parameters
    ----------
    path : Path
        ``.csv`` or ``.parquet``.
    value : str
        Column of the numbers; a cell that is empty, NaN, NA, null or none is missing.
    timestamp : str, optional
        Column of the times, ISO 8601, that do not run backwards; else rows are numbered.
    key : str, optional
        Column that tells series apart; else all rows are one series.

    Returns
    -------
    DataFrame
        ``key`` (text), ``time`` (in UTC, or the number of the row in its series) and ``value``, in
        the order of the file.

    Raises
    ------
    ValueError
        Where a column is missing, the file has no rows, or a cell breaks a rule; the message names
        file, row and column.
    OSError
        Where the file cannot be read.
    """
    scorer = BlockScorer(path, value=value, timestamp=timestamp, key=key, rate=DEFAULT_RATE)
    if path.suffix.lower() not in FORMATS:
        raise scorer.error("must end in .csv or .parquet.")
    try:
        if path.suffix.lower() == ".parquet":
            table = pd.read_parquet(path)
        else:
            table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except ValueError as error:  # those of pandas and of pyarrow are among them
        raise scorer.error(f"must be a table, but {str(error).strip().rstrip('.')}.") from error
    scorer.check_columns([str(name) for name in table.columns])
    if table.empty:
        raise scorer.error("must have a row.")
    cells = table[value].astype("string").fillna("").tolist()
    keys = [ONLY_KEY] * len(table) if key is None else table[key].astype(str).tolist()
    found = pd.DataFrame(
        {
            "key": pd.Series(keys, dtype="string"),
            "value": [scorer.number(cell, row) for row, cell in enumerate(cells)],
        }
    )
    if timestamp is None:
        found.insert(1, "time", found.groupby("key").cumcount())
        return found
    scorer.read_times(table[timestamp].tolist(), keys)
    times = pd.to_datetime(table[timestamp], utc=True, format="ISO8601")
    found.insert(1, "time", times.dt.as_unit("us").to_numpy())
    return found


def score_oddities(series: pd.DataFrame, *, rate: float = DEFAULT_RATE) -> pd.DataFrame:
    """Score every row by those of its key before it.

    Parameters
    ----------
    series : DataFrame
        ``key``, ``time``, ``value``, as `read_series` gives it.
    rate : float
        Alarms a row that are wanted where nothing is wrong.

    Returns
    -------
    DataFrame
        As given, with the fields of `Score`, its ``explanation``, and ``lowered``: why a row that
        is strange enough is no alarm (``rest``: one was shortly before; ``first rows``: too few to
        judge by), empty on all others.
    """
    told = StreamDetector(rate=rate).score(series["value"], series["key"].tolist())
    scored = series.assign(**{name: told[name].to_numpy() for name in told.columns})
    strange = (told["once_in"] >= told["alarm_from"]).to_numpy() & (told["risk"] < ALARM).to_numpy()
    lowered = np.select([~strange, told["enough_data"]], ["", "rest"], "first rows")
    return scored.assign(explanation=explanations(told), lowered=lowered)


def alarm_table(scored: pd.DataFrame) -> pd.DataFrame:
    """List the alarms, the rarest first: key, time, value, risk, once in how many rows, reason."""
    alarms = scored[scored["risk"] >= ALARM].sort_values("once_in", ascending=False, kind="stable")
    return alarms[["key", "time", "value", "risk", "once_in", "explanation"]].reset_index(drop=True)


def lowered_table(scored: pd.DataFrame) -> pd.DataFrame:
    """List the rows that were strange enough for an alarm and are none, the rarest first."""
    lowered = scored[scored["lowered"] != ""].sort_values("once_in", ascending=False, kind="stable")
    return lowered[["key", "time", "value", "lowered", "once_in", "explanation"]].reset_index(
        drop=True
    )


def summary_table(scored: pd.DataFrame, *, rate: float = DEFAULT_RATE) -> pd.DataFrame:
    """Say of each series how much is odd, the oddest first.

    Parameters
    ----------
    scored : DataFrame
        What `score_oddities` gives.
    rate : float
        At which it was scored.

    Returns
    -------
    DataFrame
        One row a key: ``key``, ``rows``, ``missing``, ``judged`` (rows past the first),
        ``alarms``, ``by_rate`` (alarms that the rate brings where nothing is wrong; more in the
        first 5,000 rows), ``rarest`` (its rarest row is one in so many; 0 where none was judged),
        ``lowered`` (rows strange enough that are none) and ``verdict``, of `VERDICTS`.
    """
    rows = []
    for key, part in scored.groupby("key", sort=False):
        alarm = part["risk"] >= ALARM
        seen = part.loc[part["enough_data"] & part["value"].notna(), "once_in"]
        judged, rarest = len(seen), float(seen.max()) if len(seen) else 0.0
        odd, unclear, calm, short = VERDICTS
        verdict = calm if not alarm.any() else odd if rarest >= RARE * judged else unclear
        rows.append(
            {
                "key": str(key),
                "rows": len(part),
                "missing": int(part["value"].isna().sum()),
                "judged": judged,
                "alarms": int(alarm.sum()),
                "by_rate": rate * judged,
                "rarest": rarest,
                "lowered": int((part["lowered"] != "").sum()),
                "verdict": verdict if judged else short,
            }
        )
    table = pd.DataFrame(rows)
    return table.sort_values("rarest", ascending=False, kind="stable").reset_index(drop=True)
