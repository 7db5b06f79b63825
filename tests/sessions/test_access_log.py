import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.catalog import Catalog, describe_operation
from nextcall.sessions.access_log import _time, read_access_log

_SHOP = Catalog(
    "shop",
    tuple(
        describe_operation(operation_id=name, method=method, path=path)
        for name, method, path in (
            ("listUsers", "GET", "/users"),
            ("getUser", "GET", "/users/{id}"),
            ("createUser", "POST", "/users"),
        )
    ),
)
_DATA = Path(__file__).parent / "data"


def _log(folder: Path, *lines: str) -> Path:
    file = folder / "access.log"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def test_a_log_of_both_formats_becomes_sessions() -> None:
    sessions, report = read_access_log(_DATA / "access.log", _SHOP)
    told = [
        (session.user_id, [(call.operation_id, call.outcome) for call in session.calls])
        for session in sessions
    ]
    assert told == [
        ("203.0.113.7", [("listUsers", "ok"), ("getUser", "error"), ("getUser", "retry")]),
        ("2001:db8::1", [("createUser", "ok")]),
        ('ann "the boss" lee', [("listUsers", "abandoned")]),
        ("203.0.113.7", [("listUsers", "ok")]),
    ]
    assert sessions[0].calls[0].time == datetime(2024, 5, 1, 19, 55, 36, tzinfo=UTC)
    assert (report.lines, report.matched, report.unmatched, report.malformed) == (11, 6, 2, 3)
    assert report.common_unmatched == (("GET /logo.png", 2),)
    assert "access.log:8: must hold an HTTP request" in report.first_malformed


def test_a_gzipped_log_reads_alike(tmp_path: Path) -> None:
    packed = tmp_path / "access.log.gz"
    packed.write_bytes(gzip.compress((_DATA / "access.log").read_bytes()))
    assert read_access_log(packed, _SHOP)[0] == read_access_log(_DATA / "access.log", _SHOP)[0]


def test_a_shorter_gap_cuts_more(tmp_path: Path) -> None:
    lines = [
        f'10.0.0.1 - - [01/May/2024:12:{minute:02}:00 +0000] "GET /users HTTP/1.1" 200 1'
        for minute in (0, 10, 20)
    ]
    file = _log(tmp_path, *lines)
    assert len(read_access_log(file, _SHOP)[0]) == 1
    assert len(read_access_log(file, _SHOP, idle=timedelta(minutes=5))[0]) == 3


@given(st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001  # hypothesis wants naive bounds
def test_times_read_as_the_standard_library_reads_them(moment: datetime, offset: int) -> None:
    sign, minutes = "-" if offset < 0 else "+", abs(offset)
    text = f"{moment:%d/%b/%Y:%H:%M:%S} {sign}{minutes // 60:02}{minutes % 60:02}"
    assert _time(text, "here") == datetime.strptime(text, "%d/%b/%Y:%H:%M:%S %z")


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("hello", r"access.log:1: must have the Common or Combined format, got 'hello'"),
        ("x" * 99, r"got 'x{77}\.\.\.'"),
        (
            '::1 - - [01/May/2024:12:00:00 +0000] "GET /users HTTP/1.1" OK 1',
            "must have the Common or Combined format",
        ),
        (
            '::1 - - [01/May/2024:12:00:00 +0000] "-" 408 -',
            "must hold an HTTP request, got '-'",
        ),
        *(
            (
                f'::1 - - [{time}] "GET /users HTTP/1.1" 200 1',
                "time must be like 10/Oct/2000:13:55:36 -0700, got",
            )
            for time in (
                "2024-05-01", "01/Mai/2024:12:00:00 +0000", "31/Feb/2024:12:00:00 +0000",
                "01/Jan/0001:00:00:00 +0900", "01/May/2024:12:00:00 +9900",
            )
        ),
    ],
)  # fmt: skip
def test_a_log_of_nothing_readable_is_refused(tmp_path: Path, line: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        read_access_log(_log(tmp_path, line), _SHOP)


def test_an_empty_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"access.log: must tell of at least one call"):
        read_access_log(_log(tmp_path), _SHOP)
