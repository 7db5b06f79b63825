"""Tokens of our own: JSON Web Tokens, signed with a secret, that expire and can be revoked."""

import json
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64Error
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac_digest
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select

from nextcall.access.credentials import Credentials
from nextcall.access.permissions import check_role
from nextcall.access.principal import CredentialError, Principal
from nextcall.access.secret_rules import LEAST_BYTES
from nextcall.access.tables import REVOKED_TOKEN, next_version
from nextcall.access.users import check_name
from nextcall.storage.database import Database

LIFETIME: Final = 86_400
"""Seconds that a token is believed."""

_LONGEST: Final = 8_192
_KEPT: Final = 10_000
_KEPT_REVOKED: Final = 2 * LIFETIME  # beyond the end of a token: clocks are set back


@dataclass(frozen=True, slots=True)
class Verified:
    """A token that was verified once."""

    principal: Principal
    jti: str
    expires_at: float
    """Seconds since 1970."""


class Tokens:
    """Issues tokens, and says whose they are; threads share it.

    Signed with HMAC-SHA-256 and nothing else: a token is believed only where its header is, byte
    for byte, the one that this class writes for one of its secrets, so no header chooses an
    algorithm or a key. What was verified is kept, so the next time it is looked up; whether it is
    revoked or has expired, and the role of its user, is asked each time.

    Parameters
    ----------
    secret_keys : sequence of bytes
        At least 32 bytes each. The first signs; tokens of the others are believed until they
        expire. A secret is named (``kid``) by its hash.
    credentials : Credentials
        Knows revocations and roles.
    issuer, audience : str
    lifetime : int
        Seconds.
    clock : callable
        Seconds since 1970.

    Raises
    ------
    ValueError
        Where there is no secret, or one is too short.
    """

    def __init__(
        self,
        secret_keys: Sequence[bytes],
        *,
        credentials: Credentials,
        issuer: str = "nextcall",
        audience: str = "nextcall",
        lifetime: int = LIFETIME,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not secret_keys:
            raise ValueError("secret_keys must not be empty.")
        shortest = min(len(secret) for secret in secret_keys)
        if shortest < LEAST_BYTES:
            raise ValueError(
                f"secret_keys must have at least {LEAST_BYTES} bytes each, got {shortest}."
            )
        if lifetime < 1:
            raise ValueError(f"lifetime must be at least 1, got {lifetime}.")
        self._signing = secret_keys[0]
        self._by_header = {_header(secret): secret for secret in reversed(secret_keys)}
        self._credentials = credentials
        self._issuer, self._audience, self._lifetime = issuer, audience, lifetime
        self._clock = clock
        self._verified = dict[str, Verified]()

    def issue(self, user: str, *, role: str, lifetime: int | None = None) -> tuple[str, Verified]:
        """Make a token, and give it with what it says.

        Where its user is in the database, the role there counts and not the token's.

        Raises
        ------
        ValueError
            Where the name or role breaks its rule, or the lifetime is not within this class's.
        """
        check_name("user", user)
        check_role(role)
        seconds = self._lifetime if lifetime is None else lifetime
        if not 1 <= seconds <= self._lifetime:
            raise ValueError(f"lifetime must be 1 to {self._lifetime} seconds, got {seconds}.")
        now, jti = int(self._clock()), secrets.token_urlsafe(16)
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": user,
            "role": role,
            "iat": now,
            "exp": now + seconds,
            "jti": jti,
        }
        import jwt  # noqa: PLC0415  # 9 MB, and only where a token is made

        token = jwt.encode(
            claims, self._signing, algorithm="HS256", headers={"kid": key_name(self._signing)}
        )
        return token, Verified(Principal(name=user, role=role), jti, now + seconds)

    def verify(self, token: str) -> Principal:
        """Say whose token it is.

        Raises
        ------
        CredentialError
            Where it is malformed, signed with another secret, of another issuer or audience,
            expired or revoked.
        CredentialsUnavailableError
            Where what is revoked is not known.
        """
        self._credentials.require_fresh()
        found = self._verified.get(token)
        if found is None:
            found = self._read(token)
            if len(self._verified) >= _KEPT:
                self._verified.clear()
            self._verified[token] = found
        if self._clock() >= found.expires_at:
            self._verified[token] = replace(found, expires_at=float("-inf"))  # whatever clocks do
            raise CredentialError("expired")
        if self._credentials.is_revoked(found.jti):
            raise CredentialError("revoked")
        principal = found.principal
        role = self._credentials.role_of(principal.name)
        if role is not None and role != principal.role:
            return replace(principal, role=role)
        return principal

    def _read(self, token: str) -> Verified:
        if len(token) > _LONGEST or not token.isascii():
            raise CredentialError("malformed")
        signed, _, signature = token.rpartition(".")
        header, _, payload = signed.partition(".")
        secret = self._by_header.get(header)
        if secret is None:
            raise CredentialError("unknown")
        expected = hmac_digest(secret, signed.encode("ascii"), "sha256")
        try:
            # Base64 has several forms of some bytes; only the one that is written is believed.
            if not compare_digest(expected, _decode(signature)) or "=" in signature:
                raise CredentialError("signature")
            claims: dict[str, Any] = json.loads(_decode(payload))
        except NotBase64Error:
            raise CredentialError("malformed") from None
        if claims["iss"] != self._issuer:
            raise CredentialError("issuer")
        if claims["aud"] != self._audience:
            raise CredentialError("audience")
        principal = Principal(name=claims["sub"], role=claims["role"])
        return Verified(principal, claims["jti"], float(claims["exp"]))


def key_name(secret: bytes) -> str:
    """Name a secret in a token's header (``kid``): the begin of its hash, which tells nothing."""
    return sha256(b"nextcall kid\0" + secret).hexdigest()[:8]


def revoke_token(
    database: Database,
    jti: str,
    *,
    expires_at: datetime,
    now: datetime,
    also: Callable[[Connection], object] | None = None,
) -> None:
    """Revoke a token by its id, for good; again, and nothing changes.

    Revocations are forgotten two days after their tokens expired.

    Parameters
    ----------
    database : Database
    jti : str
    expires_at : datetime
        When it would have expired.
    now : datetime
    also : callable, optional
        Takes the connection, to do more in the same transaction.
    """
    with database.writing() as connection:
        version = next_version(connection)
        gone = datetime.fromtimestamp(now.timestamp() - _KEPT_REVOKED, UTC)
        connection.execute(delete(REVOKED_TOKEN).where(REVOKED_TOKEN.c.expires_at < gone))
        known = select(REVOKED_TOKEN.c.jti).where(REVOKED_TOKEN.c.jti == jti)
        if connection.scalar(known) is None:
            values = {"jti": jti, "revoked_at": now, "expires_at": expires_at}
            connection.execute(insert(REVOKED_TOKEN).values(version=version, **values))
        if also is not None:
            also(connection)


def _header(secret: bytes) -> str:
    """Write the header of a token, as `jwt.encode` does."""
    header = {"alg": "HS256", "kid": key_name(secret), "typ": "JWT"}
    text = json.dumps(header, separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
