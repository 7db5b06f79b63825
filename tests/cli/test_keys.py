"""`nextcall keys` and `nextcall users`: what they make works, and the log tells of it."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nextcall.access.audit_chain import verify
from nextcall.access.audit_search import search
from nextcall.access.credentials import Credentials
from nextcall.access.key_format import is_well_formed
from nextcall.access.principal import CredentialError
from nextcall.cli.main import app, main
from nextcall.storage.database import Database


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    made = f"sqlite:///{tmp_path}/folder/kept.db"
    monkeypatch.setenv("NEXTCALL_DATABASE_URL", made)
    monkeypatch.delenv("NEXTCALL_AUDIT_SECRET", raising=False)
    return made


def run(*arguments: object) -> Result:
    given = [str(argument) for argument in arguments]
    result = CliRunner().invoke(app, given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def refusal(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["nextcall", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2


def ids(shown: str) -> list[str]:
    return [line.split()[0] for line in shown.splitlines()[1:]]


def test_a_key_lives_and_dies(url: str) -> None:
    run("users", "add", "Ada", "--role", "developer")
    made = run("keys", "create", "portal", "--user", "Ada", "--tier", "pro", "--multiplier", 2)
    key = made.stdout.strip()
    assert is_well_formed(key)
    (key_id,) = ids(run("keys", "list").stdout)
    assert key_id in made.stderr
    with Database(url) as database:
        credentials = Credentials(database)
        credentials.refresh()
        principal = credentials.check_key(key)
        assert (principal.name, principal.role) == ("Ada", "developer")
        assert (principal.tier, principal.rate_limit_multiplier) == ("pro", 2)
        rotated = run("keys", "rotate", key_id, "--overlap-hours", 1).stdout.strip()
        credentials.refresh()
        assert credentials.check_key(key) == principal
        assert credentials.check_key(rotated).name == "Ada"
        run("users", "role", "Ada", "guest")
        for each in ids(run("keys", "list", "--user", "Ada").stdout):
            run("keys", "revoke", each)
        credentials.refresh()
        for each in (key, rotated):
            with pytest.raises(CredentialError, match="revoked"):
                credentials.check_key(each)
        events = [record.event for record in reversed(search(database))]
        assert [(event.kind, event.action) for event in events] == [
            ("user", "added"),
            ("key", "created"),
            ("key", "rotated"),
            ("user", "role changed"),
            ("key", "revoked"),
            ("key", "revoked"),
        ]
        assert events[1].details["key_id"] == key_id
        assert str(events[0].user).startswith("cli:")
        assert verify(database).intact
    file = Path(url.removeprefix("sqlite:///"))
    kept = b"".join(path.read_bytes() for path in file.parent.iterdir())
    assert key.encode() not in kept
    assert rotated.encode() not in kept


def test_lists_are_tables(url: str) -> None:
    assert url
    run("users", "add", "Ada")
    run("keys", "create", "ci job", "--role", "readonly", "--days", 1.5)
    users = run("users", "list").stdout.splitlines()
    assert users[0].split() == ["name", "role", "added"]
    assert users[1].split()[:2] == ["Ada", "user"]
    keys = run("keys", "list").stdout.splitlines()
    assert keys[0].split() == [
        "id", "name", "user", "role", "tier", "multiplier", "status", "expires",
    ]  # fmt: skip
    assert keys[1].split()[1:7] == ["ci", "job", "-", "readonly", "-", "1"]
    assert ids(run("keys", "list", "--user", "Ada").stdout) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("keys", "create", "portal"), "user or role must be given"),
        (("keys", "create", "portal", "--user", "Nobody"), "user must be known, got 'Nobody'"),
        (("keys", "create", "portal", "--role", "root"), "role must be one of"),
        (("keys", "create", "portal", "--role", "user", "--days", "0"), "lifetime must be above 0"),
        (("keys", "create", "portal", "--role", "user", "--days", "nan"), "a time must be"),
        (("keys", "create", "portal", "--role", "user", "--tier", "gold"), "tier must be one of"),
        (("keys", "revoke", "nothing"), "key must be the id of a key, got 'nothing'"),
        (("keys", "rotate", "nothing"), "key must be the id of a key, got 'nothing'"),
        (("users", "role", "Nobody", "user"), "name must be a user's, got 'Nobody'"),
        (("users", "add", "Ada", "--role", "root"), "role must be one of"),
        (("users", "list", "--database", "mysql://u:geheim@h/n"), "url must begin with sqlite"),
    ],
)
def test_what_breaks_a_rule_ends_with_one_line(
    url: str,
    arguments: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refusal(monkeypatch, *arguments)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"error: {message}")
    assert shown.err.count("\n") == 1
    assert "geheim" not in shown.err
    with Database(url) as database:
        if "mysql" not in str(arguments):
            assert search(database) == []  # nothing happened, nothing is told
