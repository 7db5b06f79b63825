"""Development is for this machine alone; production starts with real secrets or not at all."""

import pytest

from nextcall.access.modes import check_origins, development, is_loopback, production

SECRET = "q8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa93"  # noqa: S105  # of the tests
OLDER = SECRET[::-1]


def test_development_asks_for_no_key_and_says_so() -> None:
    mode = development("127.0.0.1")
    assert (mode.environment, mode.needs_key, mode.allowed_origins) == ("development", False, ())
    assert mode.notice is not None
    assert "DEVELOPMENT MODE" in mode.notice
    assert development("::1").secrets != mode.secrets  # made anew
    assert len(mode.secrets[0]) == 32
    assert development("localhost", secret=SECRET).secrets == (SECRET.encode(),)


@pytest.mark.parametrize(
    "host", ["::", "", "192.0.2.1", "0.0.0.1", "example.org", "127.0.0.1.example.org", "localhost."]
)
def test_development_listens_on_this_machine_only(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(ValueError, match=r"^host must be a loopback address"):
        development(host)


def test_production_asks_for_keys() -> None:
    mode = production(secret=SECRET, previous_secrets=[OLDER, SECRET])
    assert mode.needs_key
    assert mode.notice is None
    assert mode.secrets == (SECRET.encode(), OLDER.encode())
    assert SECRET not in repr(mode)
    assert len({*mode.token_secrets, mode.identifier_secret, *mode.secrets}) == 5
    assert mode.token_secrets[0] == production(secret=SECRET).token_secrets[0]


@pytest.mark.parametrize("secret", [None, "", "short", "change-me-change-me-change-me-123456"])
def test_production_needs_a_secret_that_nobody_knows(secret: str | None) -> None:
    with pytest.raises(ValueError, match=r"^NEXTCALL_SECRET must "):
        production(secret=secret)
    with pytest.raises(ValueError, match=r"^NEXTCALL_PREVIOUS_SECRETS must "):
        production(secret=SECRET, previous_secrets=[secret or ""])


def test_all_origins_go_with_no_credentials() -> None:
    with pytest.raises(ValueError, match=r"^allowed_origins must name each origin"):
        production(
            secret=SECRET, allowed_origins=["https://a.example", "*"], allow_credentials=True
        )
    assert production(secret=SECRET, allowed_origins=["*"]).allowed_origins == ("*",)
    named = ("https://a.example", "http://localhost:3000", "https://[::1]:8443")
    mode = production(secret=SECRET, allowed_origins=named, allow_credentials=True)
    assert (mode.allowed_origins, mode.allow_credentials) == (named, True)


@pytest.mark.parametrize(
    "origin",
    ["a.example", "https://a.example/", "https://a.example/x", "ftp://a", "null", "https://", "",
     "https://user@a.example", "https://:80", "https://*?"],
)  # fmt: skip
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match=r"^allowed_origins must "):
        check_origins([origin], allow_credentials=False)
