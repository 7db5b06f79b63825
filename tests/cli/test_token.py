"""`nextcall token`: what it makes is believed where the secret is the same."""

import sys
from pathlib import Path

import jwt
import pytest
from typer.testing import CliRunner, Result

from nextcall.access.audit_search import search
from nextcall.access.credentials import Credentials
from nextcall.access.modes import production
from nextcall.access.principal import CredentialError
from nextcall.access.tokens import Tokens
from nextcall.cli.main import app, main
from nextcall.storage.database import Database

SECRET = "q8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa93"  # noqa: S105  # of the tests


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("NEXTCALL_SECRET", SECRET)
    monkeypatch.delenv("NEXTCALL_AUDIT_SECRET", raising=False)
    return f"sqlite:///{tmp_path}/kept.db"


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, [*arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_a_token_is_made_and_revoked(url: str) -> None:
    at = ("--database", url)
    run("users", "add", "Ada", "--role", "developer", *at)
    token = run("token", "Ada", *at).stdout.strip()
    other = run("token", "Berta", "--role", "guest", "--hours", "0.5", *at).stdout.strip()
    jti = jwt.decode(token, options={"verify_signature": False})["jti"]
    with Database(url) as database:
        credentials = Credentials(database)
        credentials.refresh()
        tokens = Tokens(production(secret=SECRET).token_secrets, credentials=credentials)
        assert tokens.verify(token).role == "developer"
        assert tokens.verify(other).role == "guest"
        run("token", "--revoke", jti, *at)
        credentials.refresh()
        with pytest.raises(CredentialError, match="revoked"):
            tokens.verify(token)
        actions = [record.event.action for record in search(database)]
        assert actions == ["token revoked", "token issued", "token issued", "added"]
        text = repr(search(database))
    assert token not in text
    assert jti in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "user or --revoke must be given, and not both."),
        (("Ada", "--revoke", "x"), "user or --revoke must be given, and not both."),
        (("Berta",), "role must be given of a user who is not known, got 'Berta'."),
        (("Ada", "--role", "admin"), "role must be left out of a user who is known, got 'admin'."),
        (("Ada", "--hours", "25"), "hours must be above 0 and at most 24, got 25.0."),
    ],
)
def test_what_breaks_a_rule_ends_with_one_line(
    url: str,
    arguments: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("users", "add", "Ada", "--database", url)
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["nextcall", "token", *arguments, "--database", url])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"error: {message}\n"


@pytest.mark.parametrize("secret", ["", "short", "change-me-change-me-change-me-123456"])
def test_no_token_is_made_with_a_secret_that_can_be_guessed(
    url: str,
    secret: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NEXTCALL_SECRET", secret)
    monkeypatch.setattr(sys, "argv", ["nextcall", "token", "Ada", "--role", "user"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, url != "") == (2, True)
    shown = capsys.readouterr()
    assert shown.err.startswith("error: NEXTCALL_SECRET must ")
    assert shown.out == ""
