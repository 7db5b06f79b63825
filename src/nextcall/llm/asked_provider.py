"""A provider as it is asked: its client, its breaker, and when it wants to be left alone."""

import math
import time
from collections.abc import Callable
from typing import Final, Literal

from nextcall.llm.completion import Completion, Provider
from nextcall.llm.failures import FailedCallError, category_of
from nextcall.llm.model import Model
from nextcall.llm.model_table import ProviderEntry
from nextcall.llm.question import Question
from nextcall.resilience.breaker import BreakerOpenError, BreakerState
from nextcall.resilience.breakers import Breakers
from nextcall.resilience.category import Category
from nextcall.resilience.outside import Dependency
from nextcall.resilience.outside_call import OutsideCall
from nextcall.resilience.retry_after import retry_after

_LONGEST_REST: Final = 3600.0  # seconds for which nobody is left alone without another look

Health = Literal["ok", "failing"]
"""``failing``: it is left alone for it failed again and again, or it refuses the key."""


class AskedProvider:
    """Asks the models of one provider, unless it is down or wants to be left alone.

    Parameters
    ----------
    entry : ProviderEntry
    breakers : Breakers
        Those of the program; this one's is named ``LLM`` and the provider's name.
    seconds : float
        That a call may take.
    clock : callable
        Seconds that never go back.
    """

    def __init__(
        self,
        entry: ProviderEntry,
        *,
        breakers: Breakers,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = entry.name
        call = outside_call(entry.name, seconds=seconds)
        self._dependency = Dependency(call, breakers=breakers)
        self._client = _opened(entry)
        self._clock = clock
        self._rests_until = -math.inf
        self._refuses_key = False

    @property
    def health(self) -> Health:
        """Whether it is asked, and takes the key, as far as anyone knows."""
        closed = self._dependency.statistics().state is BreakerState.CLOSED
        return "ok" if closed and not self._refuses_key else "failing"

    def check(self) -> None:
        """Raise where it is better not asked now.

        Raises
        ------
        BreakerOpenError
            It failed again and again.
        FailedCallError
            It said when it wants to be asked again.
        """
        told = self._dependency.statistics()
        if told.state is BreakerState.OPEN and told.retry_after:
            raise BreakerOpenError(told.name, told.retry_after)
        rest = self._rests_until - self._clock()
        if rest > 0:
            raise FailedCallError(Category.API_LIMIT, rest)

    async def complete(self, model: Model, question: Question) -> Completion:
        """Ask a model.

        Raises
        ------
        FailedCallError
        BreakerOpenError
        DeadlineExceededError
            Where no answer came in time, be it the call's or the caller's.
        """
        seconds = self._dependency.outside.seconds

        async def work() -> Completion:
            try:
                return await self._client.complete(model, question, seconds=seconds)
            except Exception as error:
                raise FailedCallError(category_of(error), retry_after(error)) from error

        try:
            answer = await self._dependency.acall(work)
        except FailedCallError as error:
            self._refuses_key = error.category is Category.AUTHENTICATION
            if error.retry_after is not None:
                self._rests_until = self._clock() + min(error.retry_after, _LONGEST_REST)
            raise
        self._refuses_key = False
        return answer.value

    async def close(self) -> None:
        """Let go of its connections."""
        await self._client.close()


def outside_call(name: str, *, seconds: float) -> OutsideCall:
    """Say what is known of calls of a provider.

    Examples
    --------
    >>> outside_call("openai", seconds=20).name
    'LLM openai'
    """
    return OutsideCall(
        name=f"LLM {name}",
        purpose="answers of a language model",
        fallback="the next model of the tier",
        seconds=seconds,
    )


def _opened(entry: ProviderEntry) -> Provider:
    """Make a client; only that which is asked for is imported."""
    if entry.protocol == "openai":
        from nextcall.llm.openai_protocol import OpenAiProtocol  # noqa: PLC0415  # it is lazy

        return OpenAiProtocol(key=entry.key, url=entry.url)
    from nextcall.llm.anthropic_protocol import AnthropicProtocol  # noqa: PLC0415

    return AnthropicProtocol(key=entry.key, url=entry.url)
