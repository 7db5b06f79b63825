"""The session table: one row a call, with a checked schema."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nextcall.files import atomic_path
from nextcall.sessions.call import OUTCOMES, Call, Session
from nextcall.sessions.jsonl import read_sessions_jsonl, write_sessions_jsonl

COLUMNS: Final = {
    "session_id": "string",
    "user_id": "string",
    "step": "int64",
    "time": "datetime64[us, UTC]",
    "operation_id": "string",
    "prompt": "string",
    "outcome": "string",
}
"""Columns of a session table in their order, with their types."""

_TEXTS: Final = ("session_id", "user_id", "operation_id", "prompt", "outcome")


def check_sessions(frame: pd.DataFrame, *, source: str = "") -> pd.DataFrame:
    """Check a session table, and give it with exactly the columns and types of `COLUMNS`.

    Every row is one call. Texts are present, and only ``prompt`` may be empty; ``time`` states its
    zone, and is missing where it is not known; ``outcome`` is one of `OUTCOMES`; within a session
    the steps rise from row to row and the user stays the same. Other columns are left out.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table; it is not changed. Rows of one session need not stand together.
    source : str
        Where it comes from; begins every error.

    Raises
    ------
    ValueError
        The message names the column, the first row that breaks the rule (counted from 0), the
        rule and what came.
    """
    place = f"{source}: " if source else ""
    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        raise ValueError(f"{place}sessions must have the column {missing[0]!r}, it is missing.")
    checked = {column: _texts(frame[column], place=place) for column in _TEXTS}
    checked["step"] = _steps(frame["step"], place=place)
    checked["time"] = _times(frame["time"], place=place)
    table = pd.DataFrame({column: checked[column].array for column in COLUMNS})
    _refuse(
        ~table["outcome"].isin(OUTCOMES),
        table["outcome"],
        f"must be one of {', '.join(OUTCOMES)}",
        place=place,
    )
    _check_order(table, place=place)
    return table


def sessions_to_frame(sessions: Sequence[Session]) -> pd.DataFrame:
    """Make the table of some sessions, in their order; steps count from 0.

    A session without calls has no row.

    Raises
    ------
    ValueError
        Where the table breaks a rule of `check_sessions`, such as two sessions of one id.

    Examples
    --------
    >>> from nextcall.sessions import calls_of
    >>> session = Session(session_id="s", user_id="u", calls=calls_of(["list", "get"]))
    >>> sessions_to_frame([session])[["session_id", "step", "operation_id"]].values.tolist()
    [['s', 0, 'list'], ['s', 1, 'get']]
    """
    rows = [
        (session, step, call) for session in sessions for step, call in enumerate(session.calls)
    ]
    frame = pd.DataFrame(
        {
            "session_id": pd.Series([session.session_id for session, _, _ in rows], dtype="string"),
            "user_id": pd.Series([session.user_id for session, _, _ in rows], dtype="string"),
            "step": np.array([step for _, step, _ in rows], dtype=np.int64),
            "time": pd.Series([call.time for *_, call in rows], dtype="datetime64[us, UTC]"),
            "operation_id": pd.Series([call.operation_id for *_, call in rows], dtype="string"),
            "prompt": pd.Series([call.prompt for *_, call in rows], dtype="string"),
            "outcome": pd.Series([call.outcome for *_, call in rows], dtype="string"),
        }
    )
    return check_sessions(frame)


def sessions_from_frame(frame: pd.DataFrame, *, source: str = "") -> list[Session]:
    """Make the sessions of a table, in the order in which they begin in it.

    Raises
    ------
    ValueError
        Where `check_sessions` refuses the table.
    """
    table = check_sessions(frame, source=source)
    calls: dict[tuple[str, str], list[Call]] = {}
    columns = ("session_id", "user_id", "operation_id", "prompt", "outcome")
    rows = zip(*(table[column].tolist() for column in (*columns, "time")), strict=True)
    for session_id, user_id, operation_id, prompt, outcome, time in rows:
        call = Call(
            operation_id=operation_id,
            time=None if pd.isna(time) else time.to_pydatetime(),
            outcome=outcome,
            prompt=prompt,
        )
        calls.setdefault((session_id, user_id), []).append(call)
    return [
        Session(session_id=session_id, user_id=user_id, calls=tuple(row))
        for (session_id, user_id), row in calls.items()
    ]


def save_sessions(frame: pd.DataFrame, path: Path) -> None:
    """Write a session table as Parquet or, where `path` ends in ``.jsonl``, one session a line.

    Raises
    ------
    ValueError
        Where `check_sessions` refuses the table, or the suffix is neither.
    """
    table = check_sessions(frame)
    if _suffix(path) == ".jsonl":
        write_sessions_jsonl(sessions_from_frame(table), path)
        return
    with atomic_path(path) as temporary:
        pq.write_table(
            pa.Table.from_pandas(table, preserve_index=False), temporary, compression="zstd"
        )


def load_sessions(path: Path) -> pd.DataFrame:
    """Read a session table from a Parquet file, or from one session a line in ``.jsonl``.

    Raises
    ------
    ValueError
        Where the file is neither, or breaks a rule of `check_sessions`.
    OSError
        Where it cannot be read.
    """
    if _suffix(path) == ".jsonl":
        return sessions_to_frame(read_sessions_jsonl(path))
    try:
        frame = pq.read_table(path).to_pandas()
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path}: must be a Parquet file: {error}.") from error
    return check_sessions(frame, source=str(path))


def _suffix(path: Path) -> str:
    if path.suffix not in {".parquet", ".jsonl"}:
        raise ValueError(f"{path}: sessions must be a .parquet or .jsonl file.")
    return path.suffix


def _texts(column: pd.Series, *, place: str) -> pd.Series:
    values = column.astype(object)
    wrong = ~values.map(lambda value: isinstance(value, str)).astype(bool)
    _refuse(wrong, column, "must be text", place=place)
    if column.name != "prompt":
        _refuse(values == "", column, "must not be empty", place=place)
    return column.astype("string")


def _steps(column: pd.Series, *, place: str) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce")
    whole = numbers.notna() & (numbers % 1 == 0) & (numbers >= 0)
    _refuse(~whole, column, "must be a whole number of at least 0", place=place)
    return numbers.astype("int64")


def _times(column: pd.Series, *, place: str) -> pd.Series:
    if len(column) and column.isna().all():
        return pd.Series(pd.NaT, index=column.index, dtype="datetime64[us, UTC]")
    zoned = isinstance(column.dtype, pd.DatetimeTZDtype)
    if not zoned:
        raise ValueError(
            f"{place}column 'time' must hold times with a zone, its type is {column.dtype}."
        )
    return column.astype("datetime64[us, UTC]")


def _check_order(table: pd.DataFrame, *, place: str) -> None:
    sessions = table.groupby("session_id", sort=False)
    twice = table.duplicated(["session_id", "step"])
    _refuse(twice, table["step"], "must occur once within its session", place=place)
    falls = sessions["step"].diff() < 0
    _refuse(falls, table["step"], "must rise within its session", place=place)
    other = table["user_id"] != sessions["user_id"].transform("first")
    _refuse(other, table["user_id"], "must be the same throughout its session", place=place)


def _refuse(wrong: "pd.Series[bool]", column: pd.Series, rule: str, *, place: str) -> None:
    rows: NDArray[np.intp] = np.flatnonzero(wrong.to_numpy(dtype=bool))
    if len(rows):
        value = column.astype(object).iloc[int(rows[0])]
        came = (
            "nothing"
            if pd.isna(value)
            else repr(value.item() if isinstance(value, np.generic) else value)
        )
        raise ValueError(f"{place}column {column.name!r}, row {rows[0]}: {rule}, got {came}.")
