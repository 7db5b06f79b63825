"""Which variant of a test a unit sees: hold-outs, layers, eligibility, overrides, shares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from nextcall.abtest.allocation import Allocation
from nextcall.abtest.eligibility import Eligibility
from nextcall.abtest.hashing import BucketHash
from nextcall.abtest.layers import Holdout, Layer
from nextcall.abtest.units import Units, packed_units, unit_bytes

if TYPE_CHECKING:
    import pandas as pd

Reason = Literal["assigned", "override", "not eligible", "held out", "other test", "not exposed"]
"""Why a unit sees a variant or none. Units of an override belong in no analysis."""

REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
"""In the order of the codes of `Assignments`."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """What one unit sees.

    Parameters
    ----------
    variant : str or None
        None where the unit is not in the test.
    reason : Reason
    """

    variant: str | None
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignments:
    """What many units see, row by row.

    Parameters
    ----------
    variants : tuple of str
    codes : array of int16
        The place in `variants`, or -1 where the unit is not in the test.
    reasons : array of int8
        The place in `REASONS`.
    """

    variants: tuple[str, ...]
    codes: NDArray[np.int16]
    reasons: NDArray[np.int8]

    def to_frame(self) -> "pd.DataFrame":
        """Give the columns variant (missing where in none) and reason, both categories."""
        import pandas as pd  # noqa: PLC0415  # 30 MB, and only for frames

        return pd.DataFrame(
            {
                "variant": _category(self.codes, self.variants),
                "reason": _category(self.reasons, REASONS),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """How the units of one test get their variants; the same on every machine, and for ever.

    What decides, in this order: an override; eligibility; the hold-outs; the layer; the unit's
    bucket (see `BucketHash`) and whose it is. Ramps are changes of `allocation` by `reallocate`.

    Parameters
    ----------
    test : str
    salt : str
        A test that is run once more needs another, or the same units see the same variants.
    allocation : Allocation
        Of the variants; shares are of the units that come through to it.
    layer : Layer, optional
        Of tests that exclude one another, this among them.
    holdouts : sequence of Holdout
    eligibility : Eligibility, optional
    overrides : mapping of unit to variant
        Who sees what without being in the test: testers, a variant that is shown to a customer.

    Raises
    ------
    ValueError
        Where the layer does not know the test, or an override names no variant.

    Examples
    --------
    >>> from nextcall.abtest.allocation import allocate
    >>> button = Assignment(
    ...     test="button", salt="2026", allocation=allocate({"A": 50, "B": 50}),
    ...     overrides={"tester": "B"},
    ... )
    >>> button.assign("user-1")
    Assigned(variant='A', reason='assigned')
    >>> button.assign("tester")
    Assigned(variant='B', reason='override')
    >>> button.assign_many(["user-1", "user-2", "tester"]).codes.tolist()
    [0, 0, 1]
    """

    test: str
    salt: str
    allocation: Allocation
    layer: Layer | None = None
    holdouts: Sequence[Holdout] = ()
    eligibility: Eligibility | None = None
    overrides: Mapping[str | int, str] = field(default_factory=dict)
    _hash: BucketHash = field(init=False, repr=False, compare=False)
    _of_bucket: tuple[Assigned, ...] = field(init=False, repr=False, compare=False)
    _overridden: Mapping[str, Assigned] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what cannot be, and look up each bucket once."""
        variants = self.allocation.owners
        if self.layer is not None and self.test not in self.layer.allocation.owners:
            raise ValueError(
                f"layer must know the test {self.test!r}, got {self.layer.allocation.owners}."
            )
        for unit, variant in self.overrides.items():
            if variant not in variants:
                raise ValueError(
                    f"override of {unit!r} must be one of {variants}, got {variant!r}."
                )
        shown = [*(Assigned(name, "assigned") for name in variants), Assigned(None, "not exposed")]
        for name, value in (
            ("_hash", BucketHash(kind="test", name=self.test, salt=self.salt)),
            ("_of_bucket", tuple(shown[code] for code in self.allocation.codes.tolist())),
            (
                "_overridden",
                {
                    unit_bytes(unit).decode(): Assigned(variant, "override")
                    for unit, variant in self.overrides.items()
                },
            ),
        ):
            object.__setattr__(self, name, value)

    def assign(self, unit: str | int, attributes: Mapping[str, object] | None = None) -> Assigned:
        """Give what a unit sees.

        Parameters
        ----------
        unit : str or int
            42 and "42" are one unit.
        attributes : mapping, optional
            What `eligibility` asks for; where there is none, every attribute is missing.

        Raises
        ------
        TypeError, ValueError
            Where the unit is neither text nor an integer, or has no UTF-8.
        """
        if self._overridden:
            found = self._overridden.get(unit if isinstance(unit, str) else str(unit))
            if found is not None:
                return found
        if self.eligibility is not None and not self.eligibility.admits(attributes or {}):
            return Assigned(None, "not eligible")
        for holdout in self.holdouts:
            if holdout.holds(unit):
                return Assigned(None, "held out")
        if self.layer is not None and self.layer.test_of(unit) != self.test:
            return Assigned(None, "other test")
        return self._of_bucket[self._hash.bucket(unit)]

    def assign_many(self, units: Units, attributes: "pd.DataFrame | None" = None) -> Assignments:
        """Give what each unit sees, as `assign` does.

        Parameters
        ----------
        units : pandas Series or Index, Arrow array, numpy array or sequence
            Texts or integers.
        attributes : DataFrame, optional
            A row a unit, in the same order.

        Raises
        ------
        TypeError, ValueError
            As `assign`; and where a unit is missing, or there are more or fewer rows than units.
        """
        packed = packed_units(units)
        codes = self.allocation.codes[self._hash.buckets(packed)]
        reasons = np.where(codes < 0, REASONS.index("not exposed"), 0).astype(np.int8)

        def leave_out(rows: NDArray[np.bool_], reason: Reason) -> None:
            codes[rows], reasons[rows] = -1, REASONS.index(reason)

        # The last to decide goes first: those before it have the last word.
        if self.layer is not None:
            leave_out(~self.layer.admits_many(packed, self.test), "other test")
        for holdout in self.holdouts:
            leave_out(holdout.holds_many(packed), "held out")
        if self.eligibility is not None:
            import pandas as pd  # noqa: PLC0415  # as above

            known = pd.DataFrame(index=range(len(codes))) if attributes is None else attributes
            if len(known) != len(codes):
                raise ValueError(
                    f"attributes must have a row a unit, got {len(known)} for {len(codes)} units."
                )
            leave_out(~self.eligibility.admits_many(known), "not eligible")
        if self._overridden:
            given = [found.variant for found in self._overridden.values()]
            variants = [self.allocation.owners.index(str(variant)) for variant in given]
            places = packed.to_rows(packed.places_in(list(self._overridden)))
            rows = places >= 0
            codes[rows] = np.array(variants, np.int16)[places[rows]]
            reasons[rows] = REASONS.index("override")
        return Assignments(variants=tuple(self.allocation.owners), codes=codes, reasons=reasons)


def _category(codes: NDArray[np.integer], names: Sequence[str]) -> "pd.Categorical[str]":
    import pandas as pd  # noqa: PLC0415  # as above

    return pd.Categorical.from_codes(codes.astype(np.int64), pd.Index(names, dtype=str))
