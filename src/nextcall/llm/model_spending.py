"""What one model did in a day."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike
from sqlalchemy import Row

from nextcall.llm.model import BILLION

ANSWERED: Final = ("ok", "cut_off", "refused")
"""Outcomes of calls that the model answered, well or not."""

FAILED: Final = ("failed", "timeout")
"""Outcomes of calls that it did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpending:
    """The calls of one model in a day.

    Parameters
    ----------
    provider, model : str
    calls : int
        All that were begun: the four that follow, together.
    answered : int
        Those with an answer, also one that was cut off, or in which the model refuses.
    failed : int
        Those without, also after too long.
    cancelled : int
        Those whose answer nobody waited for.
    unsettled : int
        Those that run, or whose process ended before they did.
    input_tokens, output_tokens, cached_tokens : int
        As the provider counted them; the cached ones are among the input.
    cost : int
        Billionths of a US dollar; what is set aside, of those that are not settled.
    mean_seconds, p50_seconds, p95_seconds, p99_seconds : float
        Of the answered ones; nan without. Percentiles are those of ``numpy.percentile`` (linear).
    calls_a_minute : float
        Calls by the minutes of the day so far, one at least.
    """

    provider: str
    model: str
    calls: int
    answered: int
    failed: int
    cancelled: int
    unsettled: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost: int
    mean_seconds: float
    p50_seconds: float
    p95_seconds: float
    p99_seconds: float
    calls_a_minute: float

    @property
    def cost_usd(self) -> float:
        """What they cost, in US dollars."""
        return self.cost / BILLION


def model_spending(
    name: tuple[str, str], rows: Sequence[Row[Any]], seconds: ArrayLike, *, minutes: float
) -> ModelSpending:
    """Sum up the calls of a model.

    Parameters
    ----------
    name : (provider, model)
    rows : sequence of row
        Sums of its calls with ``outcome, calls, cost, input_tokens, output_tokens, cached_tokens``.
    seconds : array-like of shape (n_answered,)
        That each answer took.
    minutes : float
        In which they were made; above 0.
    """
    taken = np.asarray(seconds, dtype=np.float64)
    p50, p95, p99 = np.percentile(taken, (50, 95, 99)) if taken.size else (nan,) * 3

    def number(outcomes: Sequence[str | None]) -> int:
        return sum(row.calls for row in rows if row.outcome in outcomes)

    calls = sum(row.calls for row in rows)
    return ModelSpending(
        provider=name[0],
        model=name[1],
        calls=calls,
        answered=number(ANSWERED),
        failed=number(FAILED),
        cancelled=number(("cancelled",)),
        unsettled=number((None,)),
        input_tokens=sum(row.input_tokens for row in rows),
        output_tokens=sum(row.output_tokens for row in rows),
        cached_tokens=sum(row.cached_tokens for row in rows),
        cost=sum(row.cost for row in rows),
        mean_seconds=float(taken.mean()) if taken.size else nan,
        p50_seconds=float(p50),
        p95_seconds=float(p95),
        p99_seconds=float(p99),
        calls_a_minute=calls / minutes,
    )
