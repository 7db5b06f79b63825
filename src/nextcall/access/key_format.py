"""The form of an API key: ``nc_`` and 40 characters, of which six check the others."""

import secrets
from binascii import crc32
from hashlib import sha256
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
KEY_PREFIX: Final = "nc_"
_RANDOM: Final = 34  # log2(62^34) = 202 bits
_CHECK: Final = 6  # 62^6 > 2^32


def new_key() -> str:
    """Make a key of 202 random bits.

    Examples
    --------
    >>> key = new_key()
    >>> key[:3], len(key), is_well_formed(key)
    ('nc_', 43, True)
    """
    random = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
    return f"{KEY_PREFIX}{random}{_check(random)}"


def is_well_formed(text: str) -> bool:
    """Tell whether a text has the form of a key, its check included.

    Without a database: what scans for leaked keys finds no other words, and a key that was copied
    wrong is told from one that is not known.
    """
    body = text.removeprefix(KEY_PREFIX)
    return (
        len(body) == _RANDOM + _CHECK
        and len(text) == len(body) + len(KEY_PREFIX)
        and all(character in _ALPHABET for character in body)
        and _check(body[:_RANDOM]) == body[_RANDOM:]
    )


def key_digest(key: str) -> bytes:
    """Hash a key, as it is kept: 202 random bits need no salt and no slow hash."""
    return sha256(key.encode("utf-8", "surrogatepass")).digest()


def _check(random: str) -> str:
    value, digits = crc32(random.encode("ascii")), ""
    for _ in range(_CHECK):
        value, digit = divmod(value, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
