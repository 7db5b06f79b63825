"""The first way that answers does, and what went before is told."""

import asyncio
import pickle
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.resilience.breaker import BreakerOpenError
from nextcall.resilience.categories import categorise
from nextcall.resilience.category import Category
from nextcall.resilience.deadline import DeadlineExceededError, deadline
from nextcall.resilience.fallback import Answer, Failure, NoAnswerError, afirst_answer, first_answer

Simulate: TypeAlias = Callable[[Coroutine[Any, Any, Any]], Any]

ERRORS = (TimeoutError("a"), ValueError("b"), KeyError("c"), MemoryError("d"))


def way(outcome: Exception | int, asked: list[object]) -> Callable[[], int]:
    def work() -> int:
        asked.append(outcome)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return work


def awaited(work: Callable[[], int]) -> Callable[[], Awaitable[int]]:
    async def wait() -> int:
        await asyncio.sleep(0)
        return work()

    return wait


@given(st.lists(st.sampled_from(ERRORS) | st.integers(), min_size=1, max_size=6))
def test_the_first_that_answers_does(outcomes: list[Exception | int]) -> None:
    asked, later = list[object](), list[object]()
    ways = {f"way {n}": way(outcome, asked) for n, outcome in enumerate(outcomes)}
    ways_later = {f"way {n}": awaited(way(each, later)) for n, each in enumerate(outcomes)}
    good = next((n for n, each in enumerate(outcomes) if isinstance(each, int)), None)
    if good is None:
        with pytest.raises(NoAnswerError) as raised:
            first_answer(ways)
        with pytest.raises(NoAnswerError) as raised_later:
            asyncio.run(afirst_answer(ways_later))
        failures = raised.value.failures
        assert raised_later.value.failures == failures
        assert raised.value.__cause__ is failures[-1].error
        assert categorise(raised.value) is failures[-1].category
        assert "way 0" in str(raised.value)
    else:
        answer = first_answer(ways)
        assert answer == asyncio.run(afirst_answer(ways_later))
        assert (answer.value, answer.answered_by) == (outcomes[good], f"way {good}")
        failures = answer.failures
    assert [each.error for each in failures] == outcomes[:good]
    assert [each.name for each in failures] == [f"way {n}" for n, _ in enumerate(failures)]
    assert [each.category for each in failures] == [categorise(each.error) for each in failures]
    assert asked == later == outcomes[: None if good is None else good + 1]


def test_nothing_is_tried_where_nobody_waits_any_more(simulate: Simulate) -> None:
    now, asked = [0.0], list[object]()

    def slow() -> int:
        now[0] += 60
        raise TimeoutError

    with deadline(30, clock=lambda: now[0]), pytest.raises(NoAnswerError) as raised:
        first_answer({"slow": slow, "next": way(1, asked)})
    assert ([each.name for each in raised.value.failures], asked) == (["slow"], [])

    async def main() -> None:
        clock = asyncio.get_running_loop().time

        async def late() -> int:
            async with deadline(60, clock=clock):
                await asyncio.sleep(90)
            return 0

        with deadline(30, clock=clock), pytest.raises(NoAnswerError) as raised:
            await afirst_answer({"late": late, "next": awaited(way(1, asked))})
        assert isinstance(raised.value.__cause__, DeadlineExceededError)
        assert categorise(raised.value) is Category.RESOURCE

    simulate(main())
    assert asked == []


def test_a_cancelled_task_falls_back_on_nothing(simulate: Simulate) -> None:
    asked = list[object]()

    async def slow() -> int:
        await asyncio.sleep(60)
        return 0

    async def main() -> None:
        ways = {"slow": slow, "next": awaited(way(1, asked))}
        task = asyncio.create_task(afirst_answer(ways))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    simulate(main())
    assert asked == []


def test_there_must_be_a_way() -> None:
    with pytest.raises(ValueError, match=r"^ways must hold at least one\.$"):
        first_answer(dict[str, Callable[[], Answer[int]]]())


def test_errors_reach_another_process_as_they_are() -> None:
    failure = Failure(name="way", category=Category.NETWORK, error=TimeoutError("late"))
    for error, told in (
        (NoAnswerError((failure,)), "none of these answers: way (network)."),
        (BreakerOpenError("side", 1.5), "side fails, and is asked again in 1.5 seconds."),
        (DeadlineExceededError("late.", inherited=True), "late."),
    ):
        sent = pickle.loads(pickle.dumps(error))  # noqa: S301  # of our own making
        assert (type(sent), str(sent)) == (type(error), told)
        assert sent.__dict__.keys() == error.__dict__.keys()
        assert categorise(sent) is categorise(error)
