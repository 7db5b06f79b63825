"""The public keys of an outside provider of OpenID Connect, read from where it publishes them."""

from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import jwt

_LARGEST: Final = 1 << 20  # bytes of a document


async def read_keys(issuer: str) -> dict[str, jwt.PyJWK]:
    """Read the keys that sign tokens, by name.

    It sets no time limit: whoever awaits it ends it (`nextcall.resilience.deadline`).

    Parameters
    ----------
    issuer : str
        Its URL.

    Raises
    ------
    httpx.HTTPError
        Where it cannot be reached, or refuses.
    ValueError, KeyError, TypeError
        Where what it says is not what it should be.

    References
    ----------
    OpenID Connect Discovery 1.0; RFC 7517.
    """
    async with httpx.AsyncClient(timeout=None) as client:  # noqa: S113  # as said above
        about = await _document(client, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if about["issuer"] != issuer:
            raise ValueError("issuer must be the one that was asked.")
        published = await _document(client, check_url(about["jwks_uri"], "jwks_uri"))
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


async def _document(client: httpx.AsyncClient, address: str) -> dict[str, Any]:
    async with client.stream("GET", address) as response:
        response.raise_for_status()
        read = b""
        async for part in response.aiter_bytes():
            read += part
            if len(read) > _LARGEST:
                raise ValueError("a document of the issuer must have at most 1 MiB.")
    document: dict[str, Any] = httpx.Response(200, content=read).json()
    return document


def check_url(url: str, name: str) -> str:
    """Give a URL that is ``https``, or leads to this machine.

    Raises
    ------
    ValueError
        Where it is another one.

    Examples
    --------
    >>> check_url("https://example.org", "issuer")
    'https://example.org'
    """
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
