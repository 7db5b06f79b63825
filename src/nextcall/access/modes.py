"""Development and production: what each asks for before a service may start."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from nextcall.access.secret_rules import LEAST_BYTES, check_secret, derive

Environment: TypeAlias = Literal["development", "production"]

SECRET_VARIABLE: Final = "NEXTCALL_SECRET"  # noqa: S105  # the name of a variable
PREVIOUS_VARIABLE: Final = "NEXTCALL_PREVIOUS_SECRETS"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessMode:
    """What a service needs to know of who may ask; made by `development` or `production`."""

    environment: Environment
    secrets: tuple[bytes, ...] = field(repr=False)
    """The first is the one that is used; the others are still believed."""
    allowed_origins: tuple[str, ...] = ()
    """Of other sites whose pages may ask (CORS); none where it is empty."""
    allow_credentials: bool = False

    @property
    def needs_key(self) -> bool:
        """Whether a request without a credential is refused."""
        return self.environment == "production"

    @property
    def token_secrets(self) -> tuple[bytes, ...]:
        """What signs tokens, and what did before."""
        return tuple(derive(secret, "tokens") for secret in self.secrets)

    @property
    def identifier_secret(self) -> bytes:
        """What hashes the identifiers of rate limits."""
        return derive(self.secrets[0], "identifiers")

    @property
    def notice(self) -> str | None:
        """What is to be said loudly when the service starts; nothing in production."""
        if self.needs_key:
            return None
        return "DEVELOPMENT MODE: no key is asked for; only this machine can connect."


def development(
    host: str,
    *,
    secret: str | None = None,
    allowed_origins: Sequence[str] = (),
    allow_credentials: bool = False,
) -> AccessMode:
    """Ask for no key, and listen on this machine only.

    Without a secret one is made, which is forgotten when the process ends, and its tokens with it.

    Raises
    ------
    ValueError
        Where the host is no loopback address, the secret is given and poor, or the origins break
        their rule.

    Examples
    --------
    >>> development("127.0.0.1").needs_key
    False
    >>> development("0.0.0.0")
    Traceback (most recent call last):
    ValueError: host must be a loopback address such as 127.0.0.1 in development, where no key is \
asked for, got '0.0.0.0'.
    """
    if not is_loopback(host):
        raise ValueError(
            "host must be a loopback address such as 127.0.0.1 in development, where no key is "
            f"asked for, got {host!r}."
        )
    made = (
        secrets.token_bytes(LEAST_BYTES)
        if secret is None
        else check_secret(SECRET_VARIABLE, secret)
    )
    return AccessMode(
        environment="development",
        secrets=(made,),
        allowed_origins=check_origins(allowed_origins, allow_credentials=allow_credentials),
        allow_credentials=allow_credentials,
    )


def production(
    *,
    secret: str | None,
    previous_secrets: Sequence[str] = (),
    allowed_origins: Sequence[str] = (),
    allow_credentials: bool = False,
) -> AccessMode:
    """Ask everybody for a credential.

    Parameters
    ----------
    secret : str or None
        Signs; at least 32 bytes that nobody can guess.
    previous_secrets : sequence of str
        What signed before and is still believed, while tokens of it live.
    allowed_origins : sequence of str
        Such as ``https://portal.example``; ``*`` for all, where credentials are not allowed.
    allow_credentials : bool
        Whether pages of those origins may send cookies.

    Raises
    ------
    ValueError
        Where there is no secret, one is poor, or the origins break their rule.
    """
    if secret is None:
        raise ValueError(
            f"{SECRET_VARIABLE} must be set in production, got none; make one with "
            '`python -c "import secrets; print(secrets.token_urlsafe(32))"`.'
        )
    believed = [check_secret(SECRET_VARIABLE, secret)]
    believed += [check_secret(PREVIOUS_VARIABLE, text) for text in previous_secrets]
    return AccessMode(
        environment="production",
        secrets=tuple(dict.fromkeys(believed)),
        allowed_origins=check_origins(allowed_origins, allow_credentials=allow_credentials),
        allow_credentials=allow_credentials,
    )


def check_origins(origins: Sequence[str], *, allow_credentials: bool) -> tuple[str, ...]:
    """Give the origins that may ask from a browser, where they are origins.

    Raises
    ------
    ValueError
        Where one is no origin (scheme, host and port), or ``*`` stands with credentials: then any
        page that a user opens could ask in that user's name.
    """
    for origin in origins:
        if origin == "*":
            if allow_credentials:
                raise ValueError(
                    "allowed_origins must name each origin where credentials are allowed, got '*'."
                )
            continue
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or origin != f"{parts.scheme}://{parts.netloc}":
            raise ValueError(
                f"allowed_origins must be such as https://portal.example, got {origin!r}."
            )
        if not parts.hostname or "@" in parts.netloc:
            raise ValueError(f"allowed_origins must name a host, got {origin!r}.")
    return tuple(origins)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address.

    Examples
    --------
    >>> [is_loopback(host) for host in ("localhost", "127.8.9.1", "::1", "0.0.0.0", "::", "")]
    [True, True, True, False, False, False]
    """
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
