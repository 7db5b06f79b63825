"""From a unit to one of 10,000 buckets by SHA-256: one unit at a time, or a column at once."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.abtest.sha256 import buckets_of_packed, state_after
from nextcall.abtest.units import PackedUnits, Units, packed_units, unit_bytes

BUCKETS: Final = 10_000
"""Buckets that units are spread over: one holds 0.01 % of them."""

_BLOCK: Final = 64  # bytes that SHA-256 takes at once


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketHash:
    r"""A way to spread units over 10,000 buckets that every machine can repeat.

    What is hashed, byte by byte (texts as UTF-8, not normalised):

    1. `kind`, `name` and `salt`, each as its number of bytes in decimal digits, a colon, the bytes
       and a comma: ``4:test,8:checkout,4:2026,``. The lengths keep ("ab", "c") and ("a", "bc")
       apart, whatever the texts hold.
    2. Bytes of 0 up to the next multiple of 64, so that SHA-256's state here is computed once.
    3. The unit, to the end; an integer as its decimal digits, so 42 and "42" are one unit.

    The bucket is the digest's first 15 hexadecimal digits (its first 60 bits, as a whole number)
    modulo 10,000: they fit a signed integer of any database, and no bucket is likelier than
    another by more than 1 in 10^14.

    Parameters
    ----------
    kind : str
        What is spread: the same name and salt give a test and a layer unrelated buckets.
    name : str
    salt : str
        Another salt spreads the same units anew.

    Examples
    --------
    >>> spread = BucketHash(kind="test", name="checkout", salt="2026")
    >>> spread.prefix[:26]
    b'4:test,8:checkout,4:2026,\x00'
    >>> spread.bucket("user-1"), spread.buckets(["user-1", "user-2"]).tolist()
    (9501, [9501, 6257])
    """

    kind: str
    name: str
    salt: str
    prefix: bytes = field(init=False, repr=False, compare=False)
    """The bytes before the unit's."""
    _begun: Callable[[], "hashlib._Hash"] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Hash what all units share."""
        parts = (unit_bytes(part) for part in (self.kind, self.name, self.salt))
        prefix = b"".join(b"%d:%s," % (len(part), part) for part in parts)
        prefix += bytes(-len(prefix) % _BLOCK)
        object.__setattr__(self, "prefix", prefix)
        object.__setattr__(self, "_begun", hashlib.sha256(prefix).copy)

    def bucket(self, unit: str | int) -> int:
        """Give the bucket of a unit, from 0 to 9,999.

        Raises
        ------
        TypeError
            Where the unit is neither text nor an integer.
        ValueError
            Where its text holds half of a surrogate pair, which UTF-8 has no bytes for.
        """
        hashed = self._begun()
        hashed.update(unit.encode() if type(unit) is str and unit.isascii() else unit_bytes(unit))
        return (int.from_bytes(hashed.digest()[:8], "big") >> 4) % BUCKETS

    def buckets(self, units: "Units | PackedUnits") -> NDArray[np.int16]:
        """Give the bucket of each unit, as `bucket` does.

        Parameters
        ----------
        units : pandas Series or Index, Arrow array, numpy array or sequence
            Texts or integers; or what `packed_units` made of them, to be hashed more than once.

        Raises
        ------
        TypeError, ValueError
            As `bucket`, and where a unit is missing.
        """
        packed = units if isinstance(units, PackedUnits) else packed_units(units)
        offsets = packed.offsets
        blocks = (np.diff(offsets) + 8) // _BLOCK + 1  # the unit, a byte 0x80, its length
        # The longest first: those with blocks left to hash always stand at the front.
        order = np.arange(len(blocks))
        if len(blocks) and blocks.max() > 1:
            order = np.argsort(-blocks, kind="stable")
        found = np.empty(len(blocks), np.int16)
        buckets_of_packed(
            packed.data,
            offsets,
            order,
            blocks[order],
            state_after(self.prefix),
            len(self.prefix),
            found,
        )
        return packed.to_rows(found)
