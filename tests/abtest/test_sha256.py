"""Lanes of SHA-256 against hashlib, compiled and as plain Python."""

import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.abtest import sha256


def padded(message: bytes) -> bytes:
    """Pad as FIPS 180-4 says."""
    message_bits = 8 * len(message)
    message += b"\x80"
    return message + bytes(-(len(message) + 8) % 64) + message_bits.to_bytes(8, "big")


@given(st.binary(max_size=300))
def test_the_state_after_a_padded_message_is_its_digest(message: bytes) -> None:
    state = sha256.state_after(padded(message))
    assert state.astype(">u4").tobytes() == hashlib.sha256(message).digest()


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module with its kernels as plain Python, where integers may wrap."""
    for name in ("_turned", "compress", "_fill", "_buckets"):
        monkeypatch.setattr(sha256, name, getattr(sha256, name).py_func)
    with np.errstate(over="ignore"):
        yield sha256


def test_the_kernels_as_plain_python_say_the_same(
    plain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two groups of lanes, and texts of one block to three."""
    monkeypatch.setattr(plain, "_LANES", 3)
    units = sorted((b"x" * n for n in (0, 1, 7, 55, 130)), key=len, reverse=True)
    prefix = bytes(64)
    found = np.empty(5, np.int16)
    plain.buckets_of_packed(
        np.frombuffer(b"".join(units), np.uint8),
        np.cumsum([0, *map(len, units)]),
        np.arange(5),
        np.array([(len(unit) + 8) // 64 + 1 for unit in units]),
        plain.state_after(prefix),
        64,
        found,
    )
    digests = [hashlib.sha256(prefix + unit).hexdigest() for unit in units]
    assert found.tolist() == [int(digest[:15], 16) % 10_000 for digest in digests]
