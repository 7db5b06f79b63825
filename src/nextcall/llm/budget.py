"""How much language models may cost."""

from dataclasses import dataclass
from math import isfinite, nan
from typing import Final

from nextcall.llm.model import BILLION

MOST_USD: Final = 1_000_000.0
"""US dollars that a budget may have a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What calls may cost in a day of UTC, and what one prediction should.

    Parameters
    ----------
    daily_usd : float
        US dollars that no day's calls exceed, from 0 to 1,000,000; at 0 only models that cost
        nothing are asked.
    prediction_usd : float
        US dollars that a prediction should cost on average; above 0. It is held against, and
        refuses nothing.
    warning, emergency : float
        Shares of the day's budget from which it is said to run out, and from which only the
        cheapest models are asked; above 0, at most 1, the warning first.

    Raises
    ------
    ValueError
        Where a rule is broken.

    Examples
    --------
    >>> budget = Budget(daily_usd=2)
    >>> budget.daily, budget.utilization(500_000_000)
    (2000000000, 0.25)
    >>> budget.is_warning(1_500_000_000), budget.is_emergency(1_500_000_000)
    (True, False)
    """

    daily_usd: float = 100.0
    prediction_usd: float = 0.005
    warning: float = 0.75
    emergency: float = 0.9

    def __post_init__(self) -> None:
        if not 0 <= self.daily_usd <= MOST_USD:
            raise ValueError(f"daily_usd must be from 0 to {MOST_USD:,.0f}, got {self.daily_usd}.")
        if not (isfinite(self.prediction_usd) and self.prediction_usd > 0):
            raise ValueError(
                f"prediction_usd must be above 0 and finite, got {self.prediction_usd}."
            )
        if not 0 < self.warning <= self.emergency <= 1:
            raise ValueError(
                "warning and emergency must be above 0, at most 1, the warning first, got "
                f"{self.warning} and {self.emergency}."
            )

    @property
    def daily(self) -> int:
        """What a day's calls may cost, in billionths of a US dollar."""
        return round(self.daily_usd * BILLION)

    def utilization(self, committed: int) -> float:
        """Give the share of the day's budget that so many billionths are; nan where it is 0."""
        return committed / self.daily if self.daily else nan

    def is_warning(self, committed: int) -> bool:
        """Say whether the day's budget runs out; never where it is 0."""
        return self.utilization(committed) >= self.warning

    def is_emergency(self, committed: int) -> bool:
        """Say whether only the cheapest models should be asked; never where the budget is 0.

        There a model that costs anything is refused by itself.
        """
        return self.utilization(committed) >= self.emergency


def dollars(billionths: int) -> str:
    """Write money as it is read.

    Examples
    --------
    >>> dollars(12_500_000), dollars(100 * BILLION), dollars(0), dollars(1)
    ('$0.0125', '$100', '$0', '$0.000000001')
    """
    return f"${billionths / BILLION:,.9f}".rstrip("0").rstrip(".")
