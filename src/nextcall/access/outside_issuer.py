"""Tokens of an outside provider of OpenID Connect, verified with the keys that it publishes."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import jwt

from nextcall.access.permissions import check_role
from nextcall.access.principal import CredentialError, CredentialsUnavailableError, Principal
from nextcall.access.tokens import Verified

_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
_LARGEST: Final = 1 << 20  # bytes of a document
_LONGEST: Final = 16_384
_KEPT: Final = 10_000
_REASONS: Final[Mapping[type[Exception], str]] = MappingProxyType(
    {
        jwt.ExpiredSignatureError: "expired",
        jwt.ImmatureSignatureError: "not yet valid",
        jwt.InvalidAudienceError: "audience",
        jwt.InvalidIssuerError: "issuer",
        jwt.InvalidSignatureError: "signature",
    }
)


class OutsideIssuer:
    """Verifies tokens of one issuer; threads share it.

    Its keys are found as OpenID Connect Discovery says, kept for an hour, and asked for again
    where a token names one that is not known, at most twice a minute. Where they cannot be asked
    for, those that are known go on for a day.

    Parameters
    ----------
    issuer : str
        Its URL, ``https`` but for an address of this machine.
    audience : str
        What its tokens must be for.
    roles : mapping of str to str, optional
        Role of a value of the claim `role_claim`; the first that matches counts.
    role_claim : str
    default_role : str
        Where none matches.
    algorithms : sequence of str
        With a public key; nothing that is signed with a secret is believed.
    is_revoked : callable
        Tells of a token's ``jti`` whether it was revoked here.
    clock : callable
        Seconds since 1970.

    Raises
    ------
    ValueError
        Where an argument breaks its rule.

    References
    ----------
    OpenID Connect Discovery 1.0; RFC 7517 (keys), RFC 8725 (what goes wrong with tokens).
    """

    def __init__(
        self,
        issuer: str,
        *,
        audience: str,
        roles: Mapping[str, str] = MappingProxyType({}),
        role_claim: str = "roles",
        default_role: str = "guest",
        algorithms: Sequence[str] = ("RS256", "ES256"),
        is_revoked: Callable[[str], bool] = lambda _: False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not algorithms or not set(algorithms) <= set(_ALGORITHMS):
            raise ValueError(
                f"algorithms must be of {', '.join(_ALGORITHMS)}, got {list(algorithms)}."
            )
        for role in (*roles.values(), default_role):
            check_role(role)
        self._issuer, self._audience = _check_url(issuer, "issuer"), audience
        self._roles, self._claim, self._default = roles, role_claim, default_role
        self._algorithms, self._is_revoked, self._clock = algorithms, is_revoked, clock
        self._keys = dict[str, jwt.PyJWK]()
        self._asked_at = self._read_at = float("-inf")
        self._verified = dict[str, Verified]()
        self._lock, self._fetching = threading.Lock(), threading.Lock()

    def verify(self, token: str) -> Principal:
        """Say whose token it is.

        Raises
        ------
        CredentialError
            Where it is not believed.
        CredentialsUnavailableError
            Where the issuer's keys are not known.
        """
        found = self._verified.get(token)
        if found is None:
            found = self._read(token)
            if len(self._verified) >= _KEPT:
                self._verified.clear()
            self._verified[token] = found
        if self._clock() >= found.expires_at:
            self._verified[token] = replace(found, expires_at=float("-inf"))  # whatever clocks do
            raise CredentialError("expired")
        if found.jti and self._is_revoked(found.jti):
            raise CredentialError("revoked")
        return found.principal

    def _read(self, token: str) -> Verified:
        if len(token) > _LONGEST:
            raise CredentialError("malformed")
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            raise CredentialError("malformed") from None
        if header.get("alg") not in self._algorithms:
            raise CredentialError("algorithm")
        key = self._key(str(header.get("kid", "")))
        if key.algorithm_name != header["alg"]:
            raise CredentialError("algorithm")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=self._audience,
                issuer=self._issuer,
                # Expiry is asked of the same clock each time.
                options={"require": ["exp", "iss", "aud", "sub"], "verify_exp": False},
            )
        except jwt.InvalidTokenError as error:
            raise CredentialError(_REASONS.get(type(error), "malformed")) from None
        principal = Principal(name=f"{self._issuer}#{claims['sub']}", role=self._role(claims))
        return Verified(principal, str(claims.get("jti", "")), float(claims["exp"]))

    def _role(self, claims: Mapping[str, Any]) -> str:
        claimed = claims.get(self._claim, ())
        values = [claimed] if isinstance(claimed, str) else claimed
        if isinstance(values, list):
            for value in values:
                if isinstance(value, str) and value in self._roles:
                    return self._roles[value]
        return self._default

    def _key(self, name: str) -> jwt.PyJWK:
        now = self._clock()
        with self._lock:
            wanted = now - self._read_at > 3_600 or name not in self._keys
            asked_lately = 0 <= now - self._asked_at < 30
            fetches = wanted and not asked_lately and self._fetching.acquire(blocking=False)
            if fetches:
                self._asked_at = now
        if fetches:  # and the others go on with what is known
            try:
                self._keys = self._fetch()
                self._read_at = now
            except (httpx.HTTPError, ValueError, KeyError, TypeError, jwt.PyJWTError):
                pass  # where nothing is known, that is told below
            finally:
                self._fetching.release()
        elif not self._keys:
            with self._fetching:  # somebody asks for them just now
                pass
        if now - self._read_at > 86_400:
            raise CredentialsUnavailableError("the keys of the issuer are not known.")
        key = self._keys.get(name)
        if key is None:
            raise CredentialError("unknown")
        return key

    def _fetch(self) -> dict[str, jwt.PyJWK]:
        with httpx.Client(timeout=5.0) as client:
            address = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
            about = _document(client, address)
            if about["issuer"] != self._issuer:
                raise ValueError("issuer must be the one that was asked.")
            published = _document(client, _check_url(about["jwks_uri"], "jwks_uri"))
        keys = dict[str, jwt.PyJWK]()
        for each in published["keys"]:
            if each.get("kty") == "oct" or each.get("use", "sig") != "sig":
                continue
            try:
                key = jwt.PyJWK(each)
            except jwt.PyJWTError:
                continue  # of a kind that is not known here
            keys[str(key.key_id or "")] = key
        return keys


def _document(client: httpx.Client, address: str) -> dict[str, Any]:
    with client.stream("GET", address) as response:
        response.raise_for_status()
        read = b""
        for part in response.iter_bytes():
            read += part
            if len(read) > _LARGEST:
                raise ValueError("a document of the issuer must have at most 1 MiB.")
    document: dict[str, Any] = httpx.Response(200, content=read).json()
    return document


def _check_url(url: str, name: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return url
    if parts.scheme == "http" and _is_here(parts.hostname or ""):
        return url
    raise ValueError(f"{name} must be an https URL, got {url[:100]!r}.")


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
