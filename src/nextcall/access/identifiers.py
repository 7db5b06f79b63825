"""Whom a rate limit counts: a key, else a user, else an address, kept as a keyed hash."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network


class Identifiers:
    """Names that tell callers apart, and of which nobody without the secret learns who they are.

    Parameters
    ----------
    secret : bytes
        16 to 64 bytes; the same in all workers, so that they count together.

    Examples
    --------
    >>> identifiers = Identifiers(b"0123456789abcdef")
    >>> one = identifiers.of(address="192.0.2.7")
    >>> len(one), one == identifiers.of(address="192.0.2.7"), "192" in one
    (32, True, False)
    """

    def __init__(self, secret: bytes) -> None:
        if not 16 <= len(secret) <= 64:
            raise ValueError(f"secret must have 16 to 64 bytes, got {len(secret)}.")
        self._keyed = blake2b(key=secret, digest_size=16)

    def of(
        self, *, key: str | None = None, user: str | None = None, address: str | None = None
    ) -> str:
        """Give the identifier of a key, else of a user, else of an address.

        Addresses of IPv6 count by their first 64 bits, which is what one customer has.

        Raises
        ------
        ValueError
            Where nothing is given.
        """
        if key is not None:
            text = f"key:{key}"
        elif user is not None:
            text = f"user:{user}"
        elif address is not None:
            text = f"address:{_network(address)}"
        else:
            raise ValueError("key, user or address must be given, got none of them.")
        hashed = self._keyed.copy()
        hashed.update(text.encode("utf-8", "surrogatepass"))
        return hashed.hexdigest()


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read networks such as ``10.0.0.0/8`` or ``127.0.0.1``.

    Raises
    ------
    ValueError
        Where one is no network.
    """
    return tuple(ip_network(text.strip(), strict=False) for text in texts)


def client_address(peer: str, forwarded_for: str | None, *, trusted: Sequence[Network]) -> str:
    """Give the address of who asks, seen through proxies that are trusted.

    From the right, the first address of ``X-Forwarded-For`` that is no trusted proxy's; the rest
    was written by whoever sent the request.

    Parameters
    ----------
    peer : str
        Address of the other end of the connection.
    forwarded_for : str, optional
        The header, several joined by commas.
    trusted : sequence of network
        Of proxies; the header counts only where the peer is one of them.

    Examples
    --------
    >>> proxies = networks(["10.0.0.0/8"])
    >>> client_address("10.0.0.1", "203.0.113.9, 198.51.100.7, 10.2.3.4", trusted=proxies)
    '198.51.100.7'
    >>> client_address("198.51.100.7", "10.0.0.1", trusted=proxies)
    '198.51.100.7'
    """
    if not trusted or forwarded_for is None or not _is_in(peer, trusted):
        return peer
    address = peer
    for text in reversed(forwarded_for.split(",")):
        read = _read(text.strip())
        if read is None:
            return address  # what is no address was written by no trusted proxy
        address = str(read)
        if not any(read in network for network in trusted):
            return address
    return address


def _is_in(text: str, trusted: Sequence[Network]) -> bool:
    read = _read(text)
    return read is not None and any(read in network for network in trusted)


def _read(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _network(text: str) -> str:
    address = _read(text)
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> 64 << 64))
    return text if address is None else str(address)
