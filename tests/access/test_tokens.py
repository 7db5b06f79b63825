"""A token is believed where another library believes it, and nowhere else."""

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.access import tokens as module
from nextcall.access.credentials import Credentials
from nextcall.access.principal import CredentialError, CredentialsUnavailableError
from nextcall.access.tokens import Tokens, key_name, revoke_token
from nextcall.access.users import add_user, set_role
from nextcall.storage.database import Database

NEW, OLD = b"n8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa93", b"o8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa93"
NOW = 1_800_000_000.5
MOMENT = datetime.fromtimestamp(NOW, UTC)


class Known(Credentials):
    """Knows nothing of any database."""

    def __init__(self) -> None:
        self.revoked = set[str]()

    def require_fresh(self) -> None:
        pass

    def is_revoked(self, jti: str) -> bool:
        return jti in self.revoked

    def role_of(self, user: str) -> str | None:  # noqa: ARG002  # nobody is known
        return None


@pytest.fixture
def now() -> list[float]:
    return [NOW]


@pytest.fixture
def tokens(now: list[float]) -> Tokens:
    return Tokens([NEW, OLD], credentials=Known(), clock=lambda: now[0])


def reason(tokens: Tokens, token: str) -> str | None:
    try:
        tokens.verify(token)
    except CredentialError as error:
        return error.reason
    return None


def test_another_library_reads_what_is_issued(tokens: Tokens) -> None:
    token, issued = tokens.issue("Ada", role="developer")
    options = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(token, NEW, ["HS256"], options, audience="nextcall", issuer="nextcall")  # type: ignore[arg-type]  # of a TypedDict
    assert claims == {
        "iss": "nextcall",
        "aud": "nextcall",
        "sub": "Ada",
        "role": "developer",
        "iat": int(NOW),
        "exp": int(NOW) + 86_400,
        "jti": issued.jti,
    }
    assert jwt.get_unverified_header(token) == {
        "alg": "HS256",
        "typ": "JWT",
        "kid": key_name(NEW),
    }
    assert tokens.verify(token) == issued.principal
    assert tokens.verify(token) == issued.principal  # as it is kept


def test_a_token_expires(tokens: Tokens, now: list[float]) -> None:
    token, _ = tokens.issue("Ada", role="user", lifetime=60)
    now[0] = int(NOW) + 59.999
    assert reason(tokens, token) is None
    now[0] = int(NOW) + 60
    assert reason(tokens, token) == "expired"
    now[0] -= 30  # the clock is set back
    assert reason(tokens, token) == "expired"


def test_secrets_are_rotated(tokens: Tokens, now: list[float]) -> None:
    before, _ = Tokens([OLD], credentials=Known(), clock=lambda: now[0]).issue("Ada", role="user")
    assert reason(tokens, before) is None
    after, _ = tokens.issue("Ada", role="user")
    rotated = Tokens([NEW], credentials=Known(), clock=lambda: now[0])
    assert (reason(rotated, before), reason(rotated, after)) == ("unknown", None)
    assert key_name(NEW) != key_name(OLD)


def written(claims: dict[str, object], header: dict[str, str] | None = None) -> str:
    alg = (header or {}).get("alg", "HS256")
    headers = {"kid": key_name(NEW), **(header or {})}
    secret: Any = {"HS256": NEW, "HS512": NEW + OLD, "none": None}[alg]
    return jwt.encode(claims, secret, algorithm=alg, headers=headers)


CLAIMS: dict[str, object] = {
    "iss": "nextcall",
    "aud": "nextcall",
    "sub": "Ada",
    "role": "user",
    "iat": int(NOW),
    "exp": int(NOW) + 60,
    "jti": "j",
}


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (written(CLAIMS), None),
        (written({**CLAIMS, "iss": "other"}), "issuer"),
        (written({**CLAIMS, "aud": "other"}), "audience"),
        (written({**CLAIMS, "aud": ["nextcall", "other"]}), "audience"),
        (written(CLAIMS, {"alg": "none"}), "unknown"),
        (written(CLAIMS, {"alg": "HS512"}), "unknown"),
        (written(CLAIMS, {"kid": "other"}), "unknown"),
        (written(CLAIMS, {"jku": "https://example.org"}), "unknown"),
        ("", "unknown"),
        ("a.b.c", "unknown"),
        ("é" * 40, "malformed"),
        ("a" * 9000, "malformed"),
        (written(CLAIMS).rpartition(".")[0] + ".", "signature"),
        (written(CLAIMS).rpartition(".")[0] + ".a", "malformed"),
        (written(CLAIMS) + "=", "signature"),
        (written(CLAIMS) + ".", "signature"),
    ],
)
def test_what_is_not_ours_is_refused(tokens: Tokens, token: str, expected: str | None) -> None:
    assert reason(tokens, token) == expected


TOKEN = written({**CLAIMS, "exp": 9_999_999_999})
LETTERS = "ABCxyz019-_.=+/ "


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from(LETTERS))
def test_one_changed_letter_is_refused_as_by_another_library(place: int, letter: str) -> None:
    """But for the last letter, some bits of which mean nothing: the other takes those forms too."""
    tokens = Tokens([NEW], credentials=Known(), clock=lambda: NOW)
    changed = TOKEN[:place] + letter + TOKEN[place + 1 :]
    try:
        jwt.decode(changed, NEW, ["HS256"], audience="nextcall", options={"verify_iat": False})
        believed = True
    except jwt.InvalidTokenError:
        believed = False
    if reason(tokens, changed) is None:
        assert believed
        assert place == len(TOKEN) - 1 or changed == TOKEN


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers(), max_size=4))
def test_a_header_and_claims_of_ones_own_are_refused(claims: dict[str, object]) -> None:
    tokens = Tokens([NEW], credentials=Known(), clock=lambda: NOW)
    part = urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    signature = TOKEN.rpartition(".")[2]
    header = TOKEN.partition(".")[0]
    assert reason(tokens, f"{part}.{part}.{signature}") == "unknown"
    assert reason(tokens, f"{header}.{part}.{signature}") == "signature"


def test_a_revoked_token_never_works_again(migrated: Database, now: list[float]) -> None:
    credentials = Credentials(migrated, monotonic=lambda: 0.0)
    tokens = Tokens([NEW], credentials=credentials, clock=lambda: now[0])
    with pytest.raises(CredentialsUnavailableError):
        tokens.verify("a")
    credentials.refresh()
    token, issued = tokens.issue("Ada", role="user")
    other, _ = tokens.issue("Ada", role="user")
    assert reason(tokens, token) is None
    ends = datetime.fromtimestamp(issued.expires_at, UTC)
    for _ in range(2):
        revoke_token(migrated, issued.jti, expires_at=ends, now=MOMENT)
    credentials.refresh()
    assert (reason(tokens, token), reason(tokens, other)) == ("revoked", None)
    now[0] -= 3600
    assert reason(tokens, token) == "revoked"
    later = MOMENT + timedelta(days=2, hours=23)
    revoke_token(migrated, "another", expires_at=later, now=later)
    again = Credentials(migrated, monotonic=lambda: 0.0)
    again.refresh()
    assert again.is_revoked(issued.jti)
    revoke_token(migrated, "third", expires_at=later, now=later + timedelta(hours=2))
    again = Credentials(migrated, monotonic=lambda: 0.0)
    again.refresh()
    assert not again.is_revoked(issued.jti)  # it has long expired
    assert again.is_revoked("another")


def test_the_role_of_a_known_user_counts(migrated: Database, now: list[float]) -> None:
    credentials = Credentials(migrated, monotonic=lambda: 0.0)
    tokens = Tokens([NEW], credentials=credentials, clock=lambda: now[0])
    add_user(migrated, "Ada", role="developer", now=MOMENT)
    credentials.refresh()
    token, _ = tokens.issue("Ada", role="developer")
    assert tokens.verify(token).role == "developer"
    set_role(migrated, "Ada", role="guest", now=MOMENT)
    credentials.refresh()
    assert tokens.verify(token).role == "guest"
    token, _ = tokens.issue("Berta", role="admin")
    assert tokens.verify(token).role == "admin"


def test_not_all_that_was_verified_is_kept(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT", 3)
    for _ in range(9):
        token, _ = tokens.issue("Ada", role="user")
        assert reason(tokens, token) is None
    assert len(tokens._verified) <= 3


def test_what_makes_no_sense_is_refused(tokens: Tokens) -> None:
    with pytest.raises(ValueError, match=r"^secret_keys must not be empty\.$"):
        Tokens([], credentials=Known())
    with pytest.raises(ValueError, match=r"^secret_keys must have at least 32 bytes each, got 5"):
        Tokens([NEW, b"short"], credentials=Known())
    with pytest.raises(ValueError, match=r"^lifetime must be at least 1, got 0\.$"):
        Tokens([NEW], credentials=Known(), lifetime=0)
    with pytest.raises(ValueError, match=r"^lifetime must be 1 to 86400 seconds, got 86401\.$"):
        tokens.issue("Ada", role="user", lifetime=86_401)
    with pytest.raises(ValueError, match=r"^role must be one of"):
        tokens.issue("Ada", role="root")
    with pytest.raises(ValueError, match=r"^user must be 1 to 100"):
        tokens.issue("", role="user")
