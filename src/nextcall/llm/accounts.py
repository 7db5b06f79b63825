"""Calls of language models that are accounted for, whatever becomes of them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import anyio.to_thread

from nextcall.llm.call_ledger import CallLedger, Outcome
from nextcall.llm.completion import Completion
from nextcall.llm.failures import is_timeout, may_have_cost
from nextcall.llm.model import BILLION, Model, Tier
from nextcall.telemetry.families import ERRORS, LLM_CALLS, LLM_DOLLARS, LLM_TOKENS
from nextcall.telemetry.metrics import Metrics

T = TypeVar("T")

LEDGER_FAULT = "llm_ledger"
"""Counted in ``errors_total`` where the ledger did not take what a call cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A call that was answered, and what it cost in billionths of a US dollar."""

    completion: Completion
    cost: int


class Accounts:
    """Sets money aside for each call, and tells a ledger and the metrics how it ended.

    A call that may have been counted by the provider though it gave no answer, such as one that
    was cancelled, costs what was set aside for it, and so does an answer whose tokens the provider
    did not count. The ledger is told also where nobody waits for
    it: `close` does.

    Parameters
    ----------
    ledger : CallLedger
        Asked in threads.
    metrics : Metrics, optional
    clock : callable
        Seconds that never go back.
    """

    def __init__(
        self,
        ledger: CallLedger,
        metrics: Metrics | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger, self._metrics, self._clock = ledger, metrics, clock
        self._told = set[asyncio.Task[object]]()  # that the ledger is being told

    async def is_emergency(self) -> bool:
        """Say whether so little is left that only the cheapest models should be asked."""
        return await anyio.to_thread.run_sync(self._ledger.is_emergency)

    async def make(
        self,
        call: Callable[[], Awaitable[Completion]],
        model: Model,
        *,
        tier: Tier,
        purpose: str,
        most: int,
    ) -> Settled:
        """Make a call.

        Parameters
        ----------
        call : callable
            Makes it.
        model : Model
            That it asks.
        tier, purpose : str
            For the ledger.
        most : int
            Billionths of a US dollar that it costs at most.

        Raises
        ------
        OverBudgetError
            Where there is not so much; then no call was made.
        BaseException
            What the call raised; it is accounted for then.
        """
        call_id = await self._reserve(model, tier=tier, purpose=purpose, most=most)
        began = self._clock()
        try:
            completion = await call()
        except BaseException as error:
            outcome, cost = _end(error, most)
            await self._settle(call_id, model, outcome=outcome, cost=cost, began=began)
            raise
        outcome, cost = _OUTCOMES[completion.ended], _cost(model, completion, most)
        await self._settle(
            call_id, model, outcome=outcome, cost=cost, began=began, completion=completion
        )
        return Settled(completion=completion, cost=cost)

    async def _reserve(self, model: Model, *, tier: Tier, purpose: str, most: int) -> str:
        reserve = partial(self._ledger.reserve, model, tier=tier, purpose=purpose, most=most)
        task = self._begin(anyio.to_thread.run_sync(reserve))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(self._give_back)
            raise

    def _give_back(self, reserved: asyncio.Task[str]) -> None:
        """Let go of what was set aside for a call that nobody made, for nobody waits any more."""
        if not reserved.cancelled() and reserved.exception() is None:
            settle = partial(self._ledger.settle, outcome="cancelled", cost=0, seconds=0.0)
            self._begin(self._tell(partial(settle, reserved.result())))

    async def _settle(
        self,
        call_id: str,
        model: Model,
        *,
        outcome: Outcome,
        cost: int,
        began: float,
        completion: Completion | None = None,
    ) -> None:
        self._count(model, outcome=outcome, cost=cost, completion=completion)
        settle = partial(
            self._ledger.settle,
            call_id,
            outcome=outcome,
            cost=cost,
            seconds=self._clock() - began,
            input_tokens=0 if completion is None else completion.input_tokens,
            output_tokens=0 if completion is None else completion.output_tokens,
            cached_tokens=0 if completion is None else completion.cached_tokens,
        )
        await asyncio.shield(self._begin(self._tell(settle)))

    async def _tell(self, settle: Callable[[], None]) -> None:
        try:
            await anyio.to_thread.run_sync(settle)
        except Exception:  # noqa: BLE001  # what was set aside stays so; the answer is there
            if self._metrics is not None:
                self._metrics.count(ERRORS, LEDGER_FAULT).add()

    def _begin(self, work: Coroutine[object, object, T]) -> asyncio.Task[T]:
        """Begin what is done to its end, also where nobody waits for it any more."""
        task = asyncio.create_task(work)
        self._told.add(task)
        task.add_done_callback(self._told.discard)
        return task

    async def close(self) -> None:
        """Wait until the ledger was told everything."""
        while self._told:
            await asyncio.wait(self._told)

    def _count(
        self, model: Model, *, outcome: Outcome, cost: int, completion: Completion | None
    ) -> None:
        if self._metrics is None:
            return
        names = model.provider, model.name
        self._metrics.count(LLM_CALLS, *names, outcome).add()
        self._metrics.count(LLM_DOLLARS, *names).add(cost / BILLION)
        if completion is not None:
            self._metrics.count(LLM_TOKENS, *names, "input").add(completion.input_tokens)
            self._metrics.count(LLM_TOKENS, *names, "output").add(completion.output_tokens)


_OUTCOMES: dict[str, Outcome] = {"stop": "ok", "length": "cut_off", "refused": "refused"}


def _cost(model: Model, completion: Completion, most: int) -> int:
    if not completion.input_tokens:
        return most  # the provider did not count
    return model.cost(
        input_tokens=completion.input_tokens,
        output_tokens=completion.output_tokens,
        cached_tokens=completion.cached_tokens,
        written_tokens=completion.written_tokens,
    )


def _end(error: BaseException, most: int) -> tuple[Outcome, int]:
    if not isinstance(error, Exception):
        return "cancelled", most
    return "timeout" if is_timeout(error) else "failed", most if may_have_cost(error) else 0
