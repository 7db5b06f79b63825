"""Tries come when a plain definition says, in simulated time, and end where they must."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeAlias

import httpx
import pytest
import stamina
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from nextcall.resilience.breaker import Breaker
from nextcall.resilience.category import Category
from nextcall.resilience.deadline import deadline
from nextcall.resilience.retry import RETRIED, Retried, Retry

Clock: TypeAlias = Callable[[], float]
Simulate: TypeAlias = Callable[[Coroutine[Any, Any, Any]], Any]
Sleepless: TypeAlias = Callable[[], AbstractContextManager[Clock]]


def refused(seconds: float) -> httpx.HTTPStatusError:
    answer = httpx.Response(429, headers={"Retry-After": str(seconds)})
    request = httpx.Request("GET", "http://a.example")
    return httpx.HTTPStatusError("asked too often", request=request, response=answer)


@dataclass
class Side:
    """Answers one thing after the other, and keeps when it was asked."""

    outcomes: Sequence[Exception | float | None]
    clock: Clock
    asked: list[float] = field(default_factory=list)

    def ask(self) -> str:
        outcome = self.outcomes[len(self.asked)]
        self.asked.append(self.clock())
        if isinstance(outcome, float):
            raise refused(outcome)
        if outcome is not None:
            raise outcome
        return "answer"

    async def aask(self) -> str:
        await asyncio.sleep(0)
        return self.ask()


def moments(  # the plain definition
    outcomes: Sequence[Exception | float | None], retry: Retry, draw: float, left: float | None
) -> list[float]:
    """When the side is asked, in seconds after the first time."""
    found = [0.0]
    while len(found) < retry.tries:
        outcome = outcomes[len(found) - 1]
        if outcome is None or isinstance(outcome, KeyError):
            break
        wait = retry.first_wait
        for _ in found[1:]:
            wait *= 2
        if isinstance(outcome, float):
            if outcome > retry.longest_wait:
                break
            wait = max(wait, outcome)
        wait = min(wait + draw * retry.jitter, retry.longest_wait)
        if left is not None and found[-1] + wait >= left:
            break
        found.append(found[-1] + wait)
    return found


OUTCOME = st.sampled_from([TimeoutError(), ConnectionResetError(), KeyError(), None]) | st.floats(
    0, 100
).map(lambda number: round(number, 1))


@given(
    outcomes=st.lists(OUTCOME, min_size=6, max_size=6),
    tries=st.integers(1, 6),
    first_wait=st.sampled_from([0.5, 1, 3]),
    longest_wait=st.sampled_from([2, 60]),
    jitter=st.sampled_from([0, 1]),
    draw=st.sampled_from([0.0, 0.5, 0.875]),
    left=st.none() | st.sampled_from([0.25, 5.1, 33.3]),
)
def test_tries_come_when_they_should(
    simulate: Simulate, sleepless: Sleepless, left: float | None, draw: float, **drawn: Any
) -> None:
    outcomes = drawn.pop("outcomes")
    told = list[Retried]()
    retry = Retry(**drawn, draw=lambda: draw, listener=told.append)
    expected = moments(outcomes, retry, draw, left)
    last = outcomes[len(expected) - 1]

    def finish(answer: object, error: Exception | None, side: Side) -> None:
        after = [moment - side.asked[0] for moment in side.asked]
        assert after == pytest.approx(expected)
        waits = [later - earlier for earlier, later in pairwise(expected)]
        assert [each.wait for each in told] == pytest.approx(waits)
        assert [each.tried for each in told] == list(range(1, len(expected)))
        told.clear()
        if last is None:
            assert (answer, error) == ("answer", None)
        elif isinstance(last, Exception):
            assert error is last
        else:
            assert isinstance(error, httpx.HTTPStatusError)

    answer, error = None, None
    with sleepless() as clock:
        side = Side(outcomes, clock)
        try:
            if left is None:
                answer = retry.call(side.ask)
            else:
                with deadline(left, clock=clock):
                    answer = retry.call(side.ask)
        except Exception as raised:  # noqa: BLE001  # looked at below
            error = raised
    finish(answer, error, side)

    async def main() -> None:
        clock = asyncio.get_running_loop().time
        side, answer, error = Side(outcomes, clock), None, None
        try:
            if left is None:
                answer = await retry.acall(side.aask)
            else:
                async with deadline(left, clock=clock):
                    answer = await retry.acall(side.aask)
        except Exception as raised:  # noqa: BLE001  # as above
            error = raised
        finish(answer, error, side)

    simulate(main())


def test_by_default_it_waits_a_second_then_two_and_up_to_one_more(sleepless: Sleepless) -> None:
    waits = list[float]()
    with sleepless() as clock:
        side = Side(3000 * [TimeoutError()], clock)
        for _ in range(200):
            with pytest.raises(TimeoutError):
                Retry(listener=lambda told: waits.append(told.wait)).call(side.ask)
    assert len(side.asked) == 600
    first, second = waits[::2], waits[1::2]
    for least, waited in ((1, first), (2, second)):  # of 200 draws one in 1e9 leaves an end empty
        assert least <= min(waited) < least + 0.1
        assert least + 0.9 < max(waited) < least + 1


@pytest.mark.parametrize("category", list(Category))
def test_only_some_categories_are_worth_it(category: Category, sleepless: Sleepless) -> None:
    with sleepless() as clock:
        side = Side(3 * [KeyError()], clock)
        with pytest.raises(KeyError):
            Retry(categorise=lambda _: category).call(side.ask)
    worth = category.value in {"network", "transient", "api_limit"}
    assert (len(side.asked) == 3) is worth is (category in RETRIED)


def test_a_breaker_that_opens_ends_it(sleepless: Sleepless) -> None:
    with sleepless() as clock:
        breaker = Breaker("side", failures=2, clock=clock)
        side = Side(9 * [TimeoutError()], clock)
        with pytest.raises(RuntimeError, match=r"^side fails"):
            Retry(tries=9).call(lambda: breaker.call(side.ask))
    assert len(side.asked) == 2


def test_who_is_cancelled_or_interrupts_is_not_tried_again(
    simulate: Simulate, sleepless: Sleepless
) -> None:
    async def main(*, asks: int) -> None:
        clock = asyncio.get_running_loop().time
        side = Side(9 * [TimeoutError()], clock)

        async def slow() -> str:
            if len(side.asked) == asks:
                await asyncio.sleep(60)
            return await side.aask()

        task = asyncio.create_task(Retry(tries=9, jitter=0).acall(slow))
        await asyncio.sleep(2.5)  # in the second wait, or in the work
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        await asyncio.sleep(100)
        assert len(side.asked) == min(asks, 2)

    for asks in (0, 1, 9):
        simulate(main(asks=asks))
    raised = [TimeoutError(), KeyboardInterrupt(), None]

    def interrupted() -> None:
        if (error := raised.pop(0)) is not None:
            raise error

    with sleepless(), pytest.raises(KeyboardInterrupt):
        Retry(categorise=lambda _: Category.NETWORK).call(interrupted)
    assert raised == [None]


def test_nothing_is_logged_or_counted_but_by_the_listener(
    caplog: pytest.LogCaptureFixture, sleepless: Sleepless
) -> None:
    caplog.set_level(logging.DEBUG)
    with sleepless() as clock:
        Retry().call(Side([TimeoutError("a secret"), None], clock).ask)
    assert caplog.records == []
    assert [each.name for each in REGISTRY.collect() if "stamina" in each.name] == []
    assert stamina.is_active()


@pytest.mark.parametrize(
    ("name", "value"),
    [("tries", 0), ("first_wait", -1), ("longest_wait", float("nan")), ("jitter", -0.1)],
)
def test_settings_that_are_no_settings_are_refused(name: str, value: float) -> None:
    options: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=rf"^{name} must be at least [01], got "):
        Retry(**options)


def test_many_tries_wait_no_longer_than_the_longest(sleepless: Sleepless) -> None:
    with sleepless() as clock:
        side = Side(1200 * [TimeoutError()], clock)
        with pytest.raises(TimeoutError):
            Retry(tries=1200).call(side.ask)
    assert len(side.asked) == 1200
    assert side.asked[-1] - side.asked[-2] == 60
