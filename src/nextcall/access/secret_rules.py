"""Secrets: which are refused, and what is made of one."""

import re
from hashlib import blake2b
from typing import Final

LEAST_BYTES: Final = 32
_LEAST_DIFFERENT: Final = 10
_KNOWN: Final = re.compile(
    r"change.?me|change.?this|your.?secret|super.?secret|secret.?key|my.?secret|jwt.?secret|"
    r"default|example|placeholder|insecure|do.?not.?use|password|replace.?me|nextcall",
    re.IGNORECASE,
)


def check_secret(variable: str, text: str) -> bytes:
    """Give a secret as bytes, where nobody can guess it.

    Parameters
    ----------
    variable : str
        Where it came from, for the message; the secret is never shown.
    text : str

    Raises
    ------
    ValueError
        Where it is shorter than 32 bytes, has the words of a default, or repeats itself.

    Examples
    --------
    >>> len(check_secret("NEXTCALL_SECRET", "q8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa93"))
    32
    >>> check_secret("NEXTCALL_SECRET", "change-me-in-production-please-0123456789")
    Traceback (most recent call last):
    ValueError: NEXTCALL_SECRET must not be a default that everybody knows; make one with \
`python -c "import secrets; print(secrets.token_urlsafe(32))"`.
    """
    secret = text.encode("utf-8", "surrogatepass")
    advice = 'make one with `python -c "import secrets; print(secrets.token_urlsafe(32))"`.'
    if len(secret) < LEAST_BYTES:
        raise ValueError(
            f"{variable} must have at least {LEAST_BYTES} bytes, got {len(secret)}; {advice}"
        )
    if _KNOWN.search(text):
        raise ValueError(f"{variable} must not be a default that everybody knows; {advice}")
    if len(set(secret)) < _LEAST_DIFFERENT:
        raise ValueError(
            f"{variable} must have at least {_LEAST_DIFFERENT} different bytes, "
            f"got {len(set(secret))}; {advice}"
        )
    return secret


def derive(secret: bytes, purpose: str) -> bytes:
    """Make a secret of 32 bytes for one purpose: who learns it learns no other.

    Raises
    ------
    ValueError
        Where the purpose is longer than 16 bytes.
    """
    name = purpose.encode()
    if len(name) > blake2b.PERSON_SIZE:
        raise ValueError(f"purpose must have at most 16 bytes, got {purpose!r}.")
    return blake2b(secret, digest_size=32, person=name).digest()
