"""Secrets that can be guessed are refused, and none is shown."""

import secrets

import pytest

from nextcall.access.secret_rules import check_secret, derive


def test_random_secrets_are_taken() -> None:
    for _ in range(200):
        for made in (secrets.token_urlsafe(32), secrets.token_hex(32)):
            assert check_secret("NEXTCALL_SECRET", made) == made.encode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "q8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa9",  # 31
        "change-me-change-me-change-me-1234567890",
        "your-secret-key-here-0123456789abcdef",
        "your-256-bit-secret-key-for-jwt-signing",
        "super_secret_0123456789_abcdefghijkl",
        "DEFAULT-0123456789-abcdefghijklmnopqrs",
        "abababababababababababababababababab",
        "00000000000000000000000000000000",
    ],
)
def test_what_is_short_or_known_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^NEXTCALL_SECRET must .*token_urlsafe\(32\)") as caught:
        check_secret("NEXTCALL_SECRET", text)
    assert not text or text not in str(caught.value)


def test_secrets_of_purposes_tell_nothing_of_each_other() -> None:
    secret = b"q8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa93"
    made = {derive(secret, purpose) for purpose in ("tokens", "audit", "rates")}
    assert len(made) == 3
    assert all(len(each) == 32 for each in made)
    assert derive(secret, "tokens") in made
    with pytest.raises(ValueError, match=r"^purpose must have at most 16 bytes, got 'aaaa"):
        derive(secret, 17 * "a")
