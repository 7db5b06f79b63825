"""Tokens of an outside provider of OpenID Connect, verified with the keys that it publishes."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import jwt

from nextcall.access.issuer_keys import check_url, read_keys
from nextcall.access.permissions import check_role
from nextcall.access.principal import CredentialError, CredentialsUnavailableError, Principal
from nextcall.access.tokens import Verified
from nextcall.resilience.breakers import Breakers
from nextcall.resilience.outside import Dependency
from nextcall.resilience.outside_call import OutsideCall

_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
_LONGEST: Final = 16_384
_KEPT: Final = 10_000
_KEYS_READ_LAST: Final = "the keys that were read last"
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
    asking : Dependency, optional
        How the issuer is asked: in what time, how often, and when not at all. One of its own, that
        asks once and for five seconds at most, where none is given.
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
        asking: Dependency | None = None,
        is_revoked: Callable[[str], bool] = lambda _: False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not algorithms or not set(algorithms) <= set(_ALGORITHMS):
            raise ValueError(
                f"algorithms must be of {', '.join(_ALGORITHMS)}, got {list(algorithms)}."
            )
        for role in (*roles.values(), default_role):
            check_role(role)
        self._issuer, self._audience = check_url(issuer, "issuer"), audience
        self._asking = asking or _asking_alone()
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
                self._ask(now)
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

    def _ask(self, now: float) -> None:
        """Read the keys, or go on with those that are known; where none are, that is told later.

        In an event loop of its own: only what is awaited can be ended in the middle, and a provider
        that sends a byte each second keeps no limit of a single read waiting.
        """

        async def known() -> dict[str, jwt.PyJWK]:
            return self._keys

        loop = asyncio.new_event_loop()
        try:
            answer = loop.run_until_complete(
                self._asking.acall(
                    lambda: read_keys(self._issuer), fallbacks={_KEYS_READ_LAST: known}
                )
            )
        finally:
            loop.close()
        if answer.answered_by != _KEYS_READ_LAST:
            self._keys, self._read_at = answer.value, now


def _asking_alone() -> Dependency:
    call = OutsideCall(
        name="OpenID provider", purpose="its public keys", fallback=_KEYS_READ_LAST, seconds=5.0
    )
    return Dependency(call, breakers=Breakers())
