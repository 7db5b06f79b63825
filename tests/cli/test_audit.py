"""`nextcall audit`: searches, reports, verifies, and says loudly where the log was changed."""

import csv
import io
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from nextcall.access.audit_event import AuditEvent
from nextcall.access.audit_log import append
from nextcall.cli.access_options import audit_key
from nextcall.cli.main import app, main
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate

NOW = datetime.now(UTC)
SECRET = "q8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa93"  # noqa: S105  # of the tests


@pytest.fixture(params=[None, SECRET])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give a log of five events, one a hundred days old; with and without a key."""
    if request.param is None:
        monkeypatch.delenv("NEXTCALL_AUDIT_SECRET", raising=False)
    else:
        monkeypatch.setenv("NEXTCALL_AUDIT_SECRET", request.param)
    made = f"sqlite:///{tmp_path}/nextcall.db"
    monkeypatch.setenv("NEXTCALL_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("NEXTCALL_DATABASE_URL", raising=False)
    events = [
        AuditEvent(
            at=NOW - timedelta(days=days),
            kind="key" if days % 2 else "data",
            action=f"done {days}",
            user=f"user {days}" if days else None,
            details={"reason": "why"},
        )
        for days in (100, 3, 2, 1, 0)
    ]
    with Database(made) as database:
        migrate(database)
        with database.writing() as connection:
            append(connection, events, key=audit_key())
    return made


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["audit", *arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def numbers(*arguments: str) -> list[str]:
    return [line.split()[0] for line in run("search", *arguments).stdout.splitlines()[1:]]


def test_events_are_searched(url: str) -> None:
    assert numbers("--database", url) == ["5", "4", "3", "2", "1"]
    assert numbers("--kind", "key", "--most", "1") == ["4"]
    assert numbers("--user", "user 2") == ["3"]
    since = (NOW - timedelta(days=2, hours=1)).isoformat()
    until = (NOW - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S")
    assert numbers("--since", since, "--until", until, "--severity", "info") == ["4", "3"]
    assert '{"reason":"why"}' in run("search").stdout


def test_the_secret_is_changed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert url
    before = os.environ.get("NEXTCALL_AUDIT_SECRET", "none")
    monkeypatch.setenv("NEXTCALL_AUDIT_SECRET", SECRET[::-1])
    monkeypatch.setenv("NEXTCALL_PREVIOUS_AUDIT_SECRETS", before)
    with pytest.raises(ValueError, match="and run `nextcall audit change-key`"):
        run("forget")
    run("verify", code=1)
    assert "From event 6 on" in run("change-key").stderr
    assert run("verify").stdout.startswith("6:")
    assert json.loads(run("report").stdout)["log"]["intact"] is True
    assert "1 events are gone" in run("forget").stderr
    run("verify")


def test_a_report_is_printed_or_written(url: str, tmp_path: Path) -> None:
    assert url
    document = json.loads(run("report").stdout)
    assert document["events"] in {3, 4}  # the one of this moment may count or not
    assert document["log"]["intact"] is True
    path = tmp_path / "reports" / "audit.csv"
    shown = run("report", "--since", "2020-01-01", "--format", "csv", "--output", str(path))
    assert shown.stdout == ""
    assert ["by_kind", "key", "2"] in list(csv.reader(io.StringIO(path.read_text())))


def test_a_log_is_verified(url: str) -> None:
    tip = run("verify").stdout.strip()
    assert tip.startswith("5:")
    assert len(tip) == 66
    run("verify", "--known", tip)
    gone = run("forget")
    assert "1 events are gone" in gone.stderr
    run("verify", "--known", tip)
    with Database(url) as database, database.writing() as connection:
        connection.execute(text("DROP TRIGGER audit_event_keeps_update"))
        connection.execute(text("UPDATE audit_event SET action = 'undone 2' WHERE number = 3"))
    found = run("verify", code=1)
    assert found.stdout == "event 3 was changed: its hash is another\n"
    assert "NOT what was written" in found.stderr
    report = json.loads(run("report").stdout)
    assert report["log"]["faults"] == [{"number": 3, "what": "was changed: its hash is another"}]


def test_an_empty_log_is_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTCALL_DATABASE_URL", f"sqlite:///{tmp_path}/empty.db")
    assert run("verify").stdout == ""
    assert len(run("search").stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("search", "--since", "yesterday"), "since must be such as 2026-05-01"),
        (("search", "--kind", "other"), "kind must be one of"),
        (("search", "--most", "0"), "most must be at least 1, got 0."),
        (("report", "--since", "2026-05-02", "--until", "2026-05-01"), "since must be before"),
        (("verify", "--known", "x:y"), "known must be NUMBER:HASH, got 'x:y'."),
        (("verify", "--known", "5"), "known must be NUMBER:HASH, got '5'."),
    ],
)
def test_what_breaks_a_rule_ends_with_one_line(
    arguments: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NEXTCALL_DATABASE_URL", f"sqlite:///{tmp_path}/empty.db")
    monkeypatch.setattr(sys, "argv", ["nextcall", "audit", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"error: {message}")
    assert shown.count("\n") == 1


def test_who_has_no_name_is_told_as_that(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", nameless)
    monkeypatch.setenv("NEXTCALL_DATABASE_URL", f"sqlite:///{tmp_path}/kept.db")
    result = CliRunner().invoke(app, ["users", "add", "Ada"], catch_exceptions=False)
    assert result.exit_code == 0
    assert numbers("--user", "cli:unknown") == ["1"]
