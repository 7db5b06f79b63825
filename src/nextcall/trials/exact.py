"""Sums that lose nothing: in any order, in any parts, and with terms taken away again."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Self


@dataclass(frozen=True, slots=True)
class Exact:
    """A number as floats are made of, with as many digits as it takes.

    Parameters
    ----------
    numerator : int
        Odd, or `shift` is 0.
    shift : int
        The number is numerator / 2**shift; at least 0.

    Examples
    --------
    >>> total = Exact.of(1e16) + Exact.of(0.1) + Exact.of(-1e16)
    >>> total == Exact.of(0.1), 1e16 + 0.1 - 1e16
    (True, 0.0)
    >>> str(Exact.of(2.5)), Exact.parse("5/1").plus(-1, 1)
    ('5/1', Exact(numerator=2, shift=0))
    """

    numerator: int = 0
    shift: int = 0

    @classmethod
    def of(cls, value: float) -> Self:
        """Take a finite number as it is.

        Raises
        ------
        OverflowError, ValueError
            Where it is infinite, or no number.
        """
        numerator, denominator = value.as_integer_ratio()
        return cls(numerator, denominator.bit_length() - 1)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` gave."""
        numerator, _, shift = text.partition("/")
        return cls(int(numerator, 16), int(shift))

    def __str__(self) -> str:
        return f"{self.numerator:x}/{self.shift}"

    def __add__(self, other: Self) -> Self:
        return self.plus(other.numerator, other.shift)

    def at(self, shift: int) -> int:
        """Give the numerator over 2**shift, which is at least the number's own."""
        return self.numerator << (shift - self.shift)

    def plus(self, numerator: int, shift: int = 0) -> Self:
        """Add numerator / 2**shift."""
        common = max(self.shift, shift)
        total = (self.numerator << (common - self.shift)) + (numerator << (common - shift))
        if total == 0:
            return type(self)()
        zeros = min(common, (total & -total).bit_length() - 1)
        return type(self)(total >> zeros, common - zeros)

    @property
    def fraction(self) -> Fraction:
        """The number, for what floats cannot divide."""
        return Fraction(self.numerator, 1 << self.shift)


ZERO: Final = Exact()
