"""Units kept out of a test: by other tests of its layer, and by hold-outs."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nextcall.abtest.allocation import Allocation, allocate
from nextcall.abtest.hashing import BucketHash
from nextcall.abtest.units import PackedUnits


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Tests that exclude one another: each unit may enter one of them at most.

    Parameters
    ----------
    name : str
    salt : str
    allocation : Allocation
        Whose owners are the names of tests: `reallocate` makes room for a new one, and moves no
        unit of those that run.

    Examples
    --------
    >>> page = Layer(name="page", salt="2026", allocation=allocate({"button": 30, "title": 70}))
    >>> page.test_of("user-1")
    'button'
    """

    name: str
    salt: str
    allocation: Allocation
    _hash: BucketHash = field(init=False, repr=False, compare=False)
    _of_bucket: tuple[str | None, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Hash what all units share, and look up each bucket once."""
        hashed = BucketHash(kind="layer", name=self.name, salt=self.salt)
        tests = (*self.allocation.owners, None)  # -1, the last: no one's
        object.__setattr__(self, "_hash", hashed)
        object.__setattr__(
            self, "_of_bucket", tuple(tests[code] for code in self.allocation.codes.tolist())
        )

    def test_of(self, unit: str | int) -> str | None:
        """Give the test that a unit may enter, if any."""
        return self._of_bucket[self._hash.bucket(unit)]

    def admits_many(self, units: PackedUnits, test: str) -> NDArray[np.bool_]:
        """Say of each unit whether it may enter a test."""
        code = self.allocation.owners.index(test)
        entered: NDArray[np.bool_] = self.allocation.codes == code
        return entered[self._hash.buckets(units)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """Units that stay out of every test that names it, to see what all tests did together.

    Parameters
    ----------
    name : str
    salt : str
    share : float
        Percentage of all units, to 0.01; a larger one keeps those that are held out.

    Examples
    --------
    >>> Holdout(name="2026", salt="", share=100).holds("user-1")
    True
    """

    name: str
    salt: str
    share: float
    _hash: BucketHash = field(init=False, repr=False, compare=False)
    _n_held: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the share, and hash what all units share."""
        hashed = BucketHash(kind="hold-out", name=self.name, salt=self.salt)
        object.__setattr__(self, "_hash", hashed)
        held = allocate({self.name: self.share}).codes >= 0  # from bucket 0 on
        object.__setattr__(self, "_n_held", int(held.sum()))

    def holds(self, unit: str | int) -> bool:
        """Say whether a unit is held out."""
        return self._hash.bucket(unit) < self._n_held

    def holds_many(self, units: PackedUnits) -> NDArray[np.bool_]:
        """Say so of each unit."""
        return self._hash.buckets(units) < self._n_held
