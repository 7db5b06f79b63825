from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcall.sessions.call import OUTCOMES, Call, Session, calls_of
from nextcall.sessions.table import (
    COLUMNS,
    check_sessions,
    load_sessions,
    save_sessions,
    sessions_from_frame,
    sessions_to_frame,
)

_NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
names = texts.filter(bool)
calls = st.builds(
    Call,
    operation_id=names,
    time=st.none() | st.datetimes(datetime(1900, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  # hypothesis wants a naive bound
    outcome=st.sampled_from(OUTCOMES),
    prompt=texts,
)
sessions = st.lists(
    st.builds(
        Session,
        session_id=names,
        user_id=names,
        calls=st.lists(calls, min_size=1, max_size=4).map(tuple),
    ),
    max_size=4,
    unique_by=lambda session: session.session_id,
)


def _frame() -> pd.DataFrame:
    timed = (Call(operation_id="a", time=_NOON), Call(operation_id="b"), Call(operation_id="c"))
    return sessions_to_frame(
        [
            Session(session_id="s", user_id="u", calls=timed),
            Session(session_id="t", user_id="v", calls=calls_of("ab")),
        ]
    )


@settings(max_examples=15)
@given(sessions)
def test_sessions_come_back_from_their_table(rows: list[Session]) -> None:
    frame = sessions_to_frame(rows)
    assert frame.dtypes.astype(str).to_dict() == COLUMNS
    assert sessions_from_frame(frame) == rows


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
@settings(max_examples=15)
@given(rows=sessions)
def test_sessions_come_back_from_their_file(suffix: str, rows: list[Session]) -> None:
    frame = sessions_to_frame(rows)
    with TemporaryDirectory() as folder:
        path = Path(folder, f"sessions{suffix}")
        save_sessions(frame, path)
        pd.testing.assert_frame_equal(load_sessions(path), frame)


def test_rows_of_a_session_need_not_stand_together() -> None:
    mixed = _frame().iloc[[0, 3, 1, 4, 2]]
    assert sessions_from_frame(mixed) == sessions_from_frame(_frame())


def test_other_forms_of_the_same_values_are_brought_to_the_schema() -> None:
    zone = timezone(timedelta(hours=2))
    frame = _frame().astype({"session_id": object, "prompt": object, "step": "float64"})
    frame["time"] = pd.Series([_NOON.astimezone(zone)] * 5).dt.as_unit("ns")
    frame["more"] = 1
    checked = check_sessions(frame.set_index("more"))
    assert checked.dtypes.astype(str).to_dict() == COLUMNS
    assert checked.index.tolist() == [0, 1, 2, 3, 4]
    assert (checked["time"] == _NOON).all()
    frame["time"] = None
    assert check_sessions(frame)["time"].isna().all()


@pytest.mark.parametrize(
    ("column", "row", "value", "rule"),
    [
        ("session_id", 1, None, "column 'session_id', row 1: must be text, got nothing"),
        ("user_id", 4, "", "column 'user_id', row 4: must not be empty, got ''"),
        ("prompt", 2, 7, "column 'prompt', row 2: must be text, got 7"),
        ("operation_id", 0, "", "column 'operation_id', row 0: must not be empty"),
        ("outcome", 3, "fine", "column 'outcome', row 3: must be one of ok, error, retry, aband"),
        ("step", 1, 0, "column 'step', row 1: must occur once within its session, got 0"),
        ("step", 1, 5, "column 'step', row 2: must rise within its session, got 2"),
        ("step", 1, -1, "column 'step', row 1: must be a whole number of at least 0, got -1"),
        ("step", 1, 0.5, "column 'step', row 1: must be a whole number of at least 0, got 0.5"),
        ("step", 1, "one", "column 'step', row 1: must be a whole number of at least 0, got 'one'"),
        ("user_id", 2, "w", "column 'user_id', row 2: must be the same throughout its session"),
        ("time", 0, "noon", "column 'time' must hold times with a zone, its type is object"),
        ("time", 0, _NOON.replace(tzinfo=None), "column 'time' must hold times with a zone"),
    ],
)
def test_check_names_column_row_and_rule(column: str, row: int, value: Any, rule: str) -> None:
    frame = _frame().astype({column: object})
    frame[column] = [value if i == row else old for i, old in enumerate(frame[column])]
    with pytest.raises(ValueError, match=f"^here: {rule}"):
        check_sessions(frame, source="here")


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="sessions must have the column 'step', it is missing"):
        check_sessions(_frame().drop(columns="step"))


def test_two_sessions_of_one_id_are_refused() -> None:
    session = Session(session_id="s", user_id="u", calls=calls_of("a"))
    with pytest.raises(ValueError, match="row 1: must occur once within its session"):
        sessions_to_frame([session, session])


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    path.write_text("no table")
    with pytest.raises(ValueError, match=r"s.parquet: must be a Parquet file"):
        load_sessions(path)
    with pytest.raises(ValueError, match=r"s.csv: sessions must be a .parquet or .jsonl file"):
        save_sessions(_frame(), tmp_path / "s.csv")
    save_sessions(_frame(), path)
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["time"]), path)
    with pytest.raises(ValueError, match=r"s.parquet: sessions must have the column 'time'"):
        load_sessions(path)
