import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nextcall.catalog import Catalog, describe_operation
from nextcall.sessions.call import Call
from nextcall.sessions.har import read_har

_SHOP = Catalog(
    "shop",
    tuple(
        describe_operation(operation_id=name, method=method, path=path)
        for name, method, path in (
            ("listUsers", "GET", "/users"),
            ("getUser", "GET", "/users/{id}"),
            ("saveUser", "PUT", "/users/{id}"),
        )
    ),
)
_NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def _entry(minutes: int, method: str, url: str, status: int = 200) -> dict[str, Any]:
    started = (_NOON + timedelta(minutes=minutes)).isoformat().replace("+00:00", ".000Z")
    return {
        "startedDateTime": started,
        "time": 12.5,
        "request": {"method": method, "url": url, "httpVersion": "HTTP/2", "headers": []},
        "response": {"status": status, "statusText": "", "headers": []},
    }


def _har(path: Path, entries: list[Any]) -> Path:
    content = {"log": {"version": "1.2", "creator": {"name": "t"}, "entries": entries}}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_requests_become_sessions(tmp_path: Path) -> None:
    entries = [
        _entry(0, "GET", "https://shop.example/users?page=2"),
        _entry(2, "put", "https://shop.example/users/7", 503),
        _entry(3, "PUT", "https://shop.example/users/7"),
        _entry(1, "GET", "https://shop.example/users/7#top"),
        _entry(1, "GET", "https://shop.example/logo.png"),
        _entry(1, "GET", "https://shop.example/logo.png?2"),
        _entry(1, "GET", "data:image/png;base64," + "A" * 500),
        _entry(60, "GET", "https://shop.example/users", 0),
        {"startedDateTime": "yesterday"},
        "no entry",
    ]
    sessions, report = read_har(_har(tmp_path / "ann.har", entries), _SHOP)
    assert [[call.operation_id for call in session.calls] for session in sessions] == [
        ["listUsers", "getUser", "saveUser", "saveUser"],
        ["listUsers"],
    ]
    assert [call.outcome for session in sessions for call in session.calls] == [
        "ok", "ok", "error", "retry", "abandoned",
    ]  # fmt: skip
    assert sessions[0].calls[0] == Call(operation_id="listUsers", time=_NOON)
    assert {session.user_id for session in sessions} == {"ann"}
    assert (report.lines, report.matched, report.unmatched, report.malformed) == (10, 5, 3, 2)
    assert report.matched_share == 5 / 8
    assert report.common_unmatched[0] == ("GET https://shop.example/logo.png", 2)
    assert len(report.common_unmatched[1][0]) == len("GET ") + 200
    assert report.first_malformed.endswith(
        "log.entries[8]: 'request': 'method' must be text, got nothing."
    )


def test_an_archive_and_a_name_for_the_user(tmp_path: Path) -> None:
    plain = _har(tmp_path / "bob.har", [_entry(0, "GET", "https://shop.example/users")])
    packed = tmp_path / "v1.2.har.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_har(packed, _SHOP)[0][0].user_id == "v1.2"
    assert read_har(packed, _SHOP, user_id="bob")[0] == read_har(plain, _SHOP)[0]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("[]", r"a.har: must be a JSON object, got a list"),
        ('{"openapi": "3.1.0"}', r"a.har: 'log': 'entries' must be there in a HAR file"),
        ('{"log": 3}', r"a.har: 'log': must be a JSON object, got a int"),
        ('{"log": {"entries": {}}}', r"a.har: 'log': 'entries' must be a list"),
        ('{"log": {"entries": []}}', r"a.har: must tell of at least one call, it is empty"),
        ('{"log": {"entries": [4]}}', r"a.har: log.entries\[0\]: must be a JSON object"),
        (
            '{"log": {"entries": [{"request": {"method": "GET", "url": "/users"}}]}}',
            r"log.entries\[0\]: 'startedDateTime' must be an ISO 8601 time, got nothing",
        ),
    ],
)
def test_what_is_no_har_file_is_refused(tmp_path: Path, content: str, rule: str) -> None:
    file = tmp_path / "a.har"
    file.write_text(content)
    with pytest.raises(ValueError, match=rule):
        read_har(file, _SHOP)
