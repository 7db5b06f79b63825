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
    >>> total = Exact.of(1e16) + Exact.of(0.1)
    >>> total - Exact.of(1e16) == Exact.of(0.1), 1e16 + 0.1 - 1e16
    (True, 0.0)
    >>> str(Exact.of(2.5)), Exact.parse("5/1") * Exact.of(2)
    ('5/1', Exact(numerator=5, shift=0))
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
        shift = max(self.shift, other.shift)
        whole = self.numerator << (shift - self.shift)
        return self._lowest(whole + (other.numerator << (shift - other.shift)), shift)

    def __sub__(self, other: Self) -> Self:
        return self + type(self)(-other.numerator, other.shift)

    def __mul__(self, other: Self) -> Self:
        return self._lowest(self.numerator * other.numerator, self.shift + other.shift)

    @property
    def fraction(self) -> Fraction:
        """The number, for what floats cannot divide."""
        return Fraction(self.numerator, 1 << self.shift)

    def _lowest(self, numerator: int, shift: int) -> Self:
        zeros = min(shift, (numerator & -numerator).bit_length() - 1) if numerator else shift
        return type(self)(numerator >> zeros, shift - zeros)


ZERO: Final = Exact()
