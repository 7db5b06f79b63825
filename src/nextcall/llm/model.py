"""A language model: who has it, and what it costs."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, get_args

Tier = Literal["trivial", "low", "medium", "high", "critical"]
"""How hard a question is; a table says which models answer it."""

TIERS: Final[tuple[Tier, ...]] = get_args(Tier)

BILLION: Final = 1_000_000_000
"""Money is counted in whole billionths of a US dollar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model of a provider.

    Parameters
    ----------
    name : str
        As the provider names it.
    provider : str
        Name of a provider in the same table.
    input_price, cached_price, written_price, output_price : Decimal
        US dollars for a million tokens; not below 0. `cached_price` is for those of the input that
        the provider knew from before, `written_price` for those that it keeps for the next time;
        both are as `input_price` where they are not given.
    takes_temperature : bool

    Raises
    ------
    ValueError
        Where a price is below 0 or no number.

    Examples
    --------
    >>> prices = {"input_price": Decimal(1), "output_price": Decimal(5)}
    >>> Model(name="small", provider="local", **prices).cost(input_tokens=1000, output_tokens=100)
    1500000
    """

    name: str
    provider: str
    input_price: Decimal = Decimal(0)
    output_price: Decimal = Decimal(0)
    cached_price: Decimal | None = None
    written_price: Decimal | None = None
    takes_temperature: bool = True

    def __post_init__(self) -> None:
        for field in ("input_price", "output_price", "cached_price", "written_price"):
            price = getattr(self, field)
            if price is not None and not (price.is_finite() and price >= 0):
                raise ValueError(f"{field} of {self.name!r} must be at least 0, got {price}.")

    def cost(
        self,
        *,
        input_tokens: int,
        output_tokens: int,
        cached_tokens: int = 0,
        written_tokens: int = 0,
    ) -> int:
        """Say what a call costs, in billionths of a US dollar, rounded up.

        Parameters
        ----------
        input_tokens, output_tokens : int
        cached_tokens, written_tokens : int
            Of the input, that the provider knew from before, and that it keeps for the next time.
        """
        cached_price = self.input_price if self.cached_price is None else self.cached_price
        written_price = self.input_price if self.written_price is None else self.written_price
        dollars_a_million = (
            self.input_price * (input_tokens - cached_tokens - written_tokens)
            + cached_price * cached_tokens
            + written_price * written_tokens
            + self.output_price * output_tokens
        )
        return -int(-(dollars_a_million * (BILLION // 1_000_000)) // 1)

    def most_cost(self, *, input_tokens: int, output_tokens: int) -> int:
        """Say what a call costs at most, whatever of its input the provider knew or keeps.

        Examples
        --------
        >>> kept = Model(name="a", provider="b", input_price=Decimal(1), written_price=Decimal(2))
        >>> kept.most_cost(input_tokens=1000, output_tokens=0)
        2000000
        """
        return max(
            self.cost(
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                cached_tokens=cached,
                written_tokens=written,
            )
            for cached, written in ((0, 0), (input_tokens, 0), (0, input_tokens))
        )
