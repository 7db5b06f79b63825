"""Asks the language models of a table: one after the other until one answers, within the budget."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from nextcall.llm.accounts import Accounts, Settled
from nextcall.llm.asked_provider import AskedProvider, Health
from nextcall.llm.call_ledger import CallLedger, OverBudgetError
from nextcall.llm.completion import Completion
from nextcall.llm.failures import FailedCallError
from nextcall.llm.model import BILLION, TIERS, Model, Tier
from nextcall.llm.model_table import ModelTable
from nextcall.llm.question import Question
from nextcall.llm.question_size import most_input_tokens
from nextcall.resilience.breaker import BreakerOpenError
from nextcall.resilience.breakers import Breakers
from nextcall.resilience.category import Category
from nextcall.resilience.deadline import DeadlineExceededError, check
from nextcall.resilience.retry import Retry
from nextcall.telemetry.metrics import Metrics

LONGEST_WAIT: Final = 2.0
"""Seconds for which the last model is waited for, where its provider says when to ask again."""


class NoModelError(RuntimeError):
    """No model of the tier can be asked, whoever is up: there is no key, or no client."""


class NoModelAnsweredError(RuntimeError):
    """Every model that could be asked failed.

    Attributes
    ----------
    failures : tuple of (str, Category)
        Models in the order in which they were asked, and what became of each.
    """

    def __init__(self, failures: tuple[tuple[str, Category], ...]) -> None:
        super().__init__(failures)  # so that it can be sent to another process
        self.failures = failures

    def __str__(self) -> str:
        told = ", ".join(f"{name} ({category})" for name, category in self.failures)
        return f"no language model answered: {told}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An answer, and how it came to be."""

    completion: Completion
    model: Model
    tier: Tier
    """Of the question."""
    cost_usd: float
    """Of the call that was answered."""
    seconds: float
    """From the question to the answer, models that failed among them."""
    failures: tuple[tuple[str, Category], ...] = ()
    """Models that were to be asked before, and why they did not answer."""


class LanguageModels:
    """Asks the models of a table, each through the breaker of its provider and the ledger.

    Used in one event loop; to be closed there.

    Parameters
    ----------
    table : ModelTable
    ledger : CallLedger
    breakers : Breakers
        Those of the program.
    metrics : Metrics or None
        Where calls, tokens and dollars are counted.
    seconds : float
        That one call may take.
    clock : callable
        Seconds that never go back.

    Raises
    ------
    ValueError
        Where `seconds` is not above 0.
    """

    def __init__(
        self,
        table: ModelTable,
        *,
        ledger: CallLedger,
        breakers: Breakers,
        metrics: Metrics | None,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.table = table
        self._accounts = Accounts(ledger, metrics, clock=clock)
        self._providers = {
            entry.name: AskedProvider(entry, breakers=breakers, seconds=seconds, clock=clock)
            for entry in table.providers
        }
        self._clock = clock
        self._retry = Retry(
            tries=2, first_wait=0.0, longest_wait=LONGEST_WAIT, jitter=0.1, categorise=_says_when
        )

    @property
    def available(self) -> Mapping[str, Health]:
        """Providers that can be asked, and how they are."""
        return {name: provider.health for name, provider in self._providers.items()}

    async def ask(self, question: Question, *, tier: Tier, purpose: str) -> Told:
        """Ask the models of a tier in their order, until one answers.

        In an emergency of the ledger the cheapest models of the whole table are asked instead,
        none of them dearer than the tier's cheapest; not so for the tier ``critical``. The last
        model is asked again, once, where its provider says to wait for at most `LONGEST_WAIT`.

        An answer that is cut off, or a refusal, is an answer.

        Parameters
        ----------
        question : Question
        tier : str
        purpose : str
            What the answer is for, in a word; the ledger keeps it.

        Raises
        ------
        NoModelError
            Where no model of the tier can be asked at all.
        OverBudgetError
            Where there is not money enough left for any of them.
        NoModelAnsweredError
            Where all failed.
        DeadlineExceededError
            Where the caller's time is over.
        ValueError
            Where the question is too long, or there is no such tier.
        """
        began = self._clock()
        input_tokens = most_input_tokens(question)
        failures = list[tuple[str, Category]]()
        over_budget: OverBudgetError | None = None
        affordable = 0
        models = await self._models(tier)
        check()
        for model in models:
            most = model.most_cost(input_tokens=input_tokens, output_tokens=question.most_tokens)
            try:
                settled = await self._attempt(
                    model,
                    question,
                    tier=tier,
                    purpose=purpose,
                    most=most,
                    waits=model is models[-1],
                )
            except OverBudgetError as error:
                over_budget = error
                failures.append((model.name, Category.RESOURCE))
            except (FailedCallError, BreakerOpenError, DeadlineExceededError) as error:
                affordable += 1
                failures.append((model.name, error.category))
                check()  # nobody waits for the next
            else:
                return Told(
                    completion=settled.completion,
                    model=model,
                    tier=tier,
                    cost_usd=settled.cost / BILLION,
                    seconds=self._clock() - began,
                    failures=tuple(failures),
                )
        if over_budget is not None and not affordable:
            raise over_budget
        raise NoModelAnsweredError(tuple(failures))

    async def _models(self, tier: Tier) -> tuple[Model, ...]:
        if tier not in TIERS:
            raise ValueError(f"tier must be one of {', '.join(TIERS)}, got {tier!r}.")
        models = self.table.usable(tier)
        if not models:
            lacking = ", ".join(f"{name} lacks {it}" for name, it in self.table.left_out.items())
            raise NoModelError(f"no model of the tier {tier} can be asked: {lacking}.")
        if tier == "critical" or not await self._accounts.is_emergency():
            return models
        cheapest = min(map(_price, models))
        return tuple(model for model in self.table.cheapest() if _price(model) <= cheapest)

    async def _attempt(
        self,
        model: Model,
        question: Question,
        *,
        tier: Tier,
        purpose: str,
        most: int,
        waits: bool,
    ) -> Settled:
        provider = self._providers[model.provider]

        async def once() -> Settled:
            return await self._accounts.make(
                lambda: provider.complete(model, question),
                model,
                tier=tier,
                purpose=purpose,
                most=most,
            )

        provider.check()
        return await (self._retry.acall(once) if waits else once())

    async def close(self) -> None:
        """Tell the ledger what it was not told yet, and let go of all connections."""
        await self._accounts.close()
        for provider in self._providers.values():
            await provider.close()


def _price(model: Model) -> Decimal:
    return model.input_price + model.output_price


def _says_when(error: BaseException) -> Category:
    """Know only those failures whose provider said when to ask again."""
    if isinstance(error, FailedCallError) and error.retry_after is not None:
        return error.category
    return Category.FATAL
