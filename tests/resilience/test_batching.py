"""Batches are those of a plain definition, and every caller gets its own, whoever else leaves."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.resilience.batching import BatcherClosedError, MicroBatcher
from nextcall.resilience.deadline import DeadlineExceededError, deadline, remaining

Simulate: TypeAlias = Callable[[Coroutine[Any, Any, Any]], Any]
Batches: TypeAlias = list[tuple[float, list[int]]]

WAIT, WORK = 0.1, 0.013
# Seconds after the one before, and after which the caller leaves; no two moments are the same.
GAP = st.integers(0, 5).map(lambda number: 0.03 * number)
LEAVES = st.none() | st.sampled_from([0.007, 0.014, 0.035, 0.063, 0.084, 0.105])


def expected_batches(arrivals: list[tuple[float, float | None]], largest: int) -> Batches:
    """Go through all moments in order, as the definition says it."""
    leaving = [(at + leaves, n) for n, (at, leaves) in enumerate(arrivals) if leaves is not None]
    moments = [(at, n, True) for n, (at, _) in enumerate(arrivals)]
    moments += [(at, n, False) for at, n in leaving]
    batches: Batches = []
    waiting, sent_at = list[int](), float("inf")
    for at, number, comes in sorted(moments, key=lambda each: each[0]):
        if at > sent_at:
            batches.append((sent_at, waiting))
            waiting, sent_at = [], float("inf")
        if comes:
            waiting.append(number)
            if len(waiting) == 1:
                sent_at = at + WAIT
        elif number in waiting:
            waiting.remove(number)
        if not waiting:
            sent_at = float("inf")
        if len(waiting) == largest:
            batches.append((at, waiting))
            waiting, sent_at = [], float("inf")
    if waiting:
        batches.append((sent_at, waiting))
    return batches


@given(st.lists(st.tuples(GAP, LEAVES), min_size=1, max_size=20), st.integers(1, 4))
def test_batches_are_full_or_a_moment_old(
    simulate: Simulate, drawn: list[tuple[float, float | None]], largest: int
) -> None:
    at, arrivals = 0.0, list[tuple[float, float | None]]()
    for gap, leaves in drawn:
        at += gap + 0.000_01
        arrivals.append((at, leaves))

    async def main() -> tuple[Batches, list[Any]]:
        loop = asyncio.get_running_loop()
        begin, batches = loop.time(), Batches()

        async def work(numbers: Sequence[int]) -> list[int | Exception]:
            batches.append((loop.time() - begin, list(numbers)))
            await asyncio.sleep(WORK)
            return [10 * n if n % 3 else KeyError(n) for n in numbers]

        batcher = MicroBatcher(work, largest=largest, wait=WAIT)

        async def caller(number: int, at: float) -> int:
            await asyncio.sleep(at)
            return await batcher.ask(number)

        tasks = [asyncio.create_task(caller(n, at)) for n, (at, _) in enumerate(arrivals)]
        for task, (at, leaves) in zip(tasks, arrivals, strict=True):
            if leaves is not None:
                loop.call_later(at + leaves, task.cancel)
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        await batcher.close()
        return batches, answers

    batches, answers = simulate(main())
    expected = expected_batches(arrivals, largest)
    assert [each for _, each in batches] == [each for _, each in expected]
    assert [at for at, _ in batches] == pytest.approx([at for at, _ in expected])
    answered = {number: at + WORK for at, batch in expected for number in batch}
    for number, ((at, leaves), answer) in enumerate(zip(arrivals, answers, strict=True)):
        if leaves is not None and (number not in answered or at + leaves < answered[number]):
            assert isinstance(answer, asyncio.CancelledError)
        elif number % 3:
            assert answer == 10 * number
        else:
            assert isinstance(answer, KeyError)
            assert answer.args == (number,)


def test_by_default_ten_are_asked_together_and_one_waits_a_tenth_of_a_second(
    simulate: Simulate,
) -> None:
    async def main() -> None:
        loop, asked = asyncio.get_running_loop(), list[tuple[float, int]]()
        begin = loop.time()

        async def work(numbers: Sequence[int]) -> Sequence[int]:
            asked.append((round(loop.time() - begin, 6), len(numbers)))
            return numbers

        async with MicroBatcher(work) as batcher:
            assert await asyncio.gather(*map(batcher.ask, range(21))) == list(range(21))
        assert asked == [(0, 10), (0, 10), (0.1, 1)]

    simulate(main())


@pytest.mark.parametrize(
    ("raised", "alone"),
    [(ValueError, True), (KeyError, True), (TimeoutError, False), (PermissionError, False)],
)
def test_what_one_is_at_fault_for_reaches_that_one(
    simulate: Simulate, raised: type[Exception], *, alone: bool
) -> None:
    async def main() -> None:
        asked = list[list[int]]()

        async def work(numbers: Sequence[int]) -> Sequence[int]:
            asked.append(list(numbers))
            if 2 in numbers:
                raise raised
            return numbers

        async with MicroBatcher(work, largest=3) as batcher:
            calls = map(batcher.ask, range(1, 4))
            answers = await asyncio.gather(*calls, return_exceptions=True)
        if alone:
            assert asked == [[1, 2, 3], [1], [2], [3]]
            assert (answers[0], answers[2]) == (1, 3)
            assert isinstance(answers[1], raised)
        else:
            assert asked == [[1, 2, 3]]
            assert [type(each) for each in answers] == 3 * [raised]

    simulate(main())


def test_answers_must_be_as_many_as_requests(simulate: Simulate) -> None:
    async def main() -> None:
        async def work(_: Sequence[int]) -> list[int]:
            return []

        async with MicroBatcher(work, largest=2) as batcher:
            calls = [batcher.ask(1), batcher.ask(2)]
            for error in await asyncio.gather(*calls, return_exceptions=True):
                assert isinstance(error, ValueError)
                assert str(error) == "answers must be as many as the 1 requests, got 0."

    simulate(main())


def test_what_came_before_it_is_closed_is_answered(simulate: Simulate) -> None:
    async def main() -> None:
        loop, begin = asyncio.get_running_loop(), asyncio.get_running_loop().time()

        async def work(numbers: Sequence[int]) -> Sequence[int]:
            await asyncio.sleep(5)
            return numbers

        batcher = MicroBatcher(work, largest=2)
        calls = [asyncio.create_task(batcher.ask(number)) for number in range(3)]
        await asyncio.sleep(0)
        await batcher.close()
        assert loop.time() - begin == 5  # nobody waits for others to come
        assert [call.done() for call in calls] == 3 * [True]
        assert await asyncio.gather(*calls) == [0, 1, 2]
        with pytest.raises(BatcherClosedError, match="takes no requests"):
            await batcher.ask(3)
        await batcher.close()

    simulate(main())


@pytest.mark.parametrize("largest", [2, 10])
def test_the_deadline_of_one_is_not_that_of_all(simulate: Simulate, largest: int) -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        seen = list[float | None]()

        async def work(numbers: Sequence[int]) -> Sequence[int]:
            seen.append(remaining())
            await asyncio.sleep(5)
            return numbers

        async def hurried() -> int:
            async with deadline(1, clock=clock):
                return await batcher.ask(1)

        async with MicroBatcher(work, largest=largest) as batcher:
            calls = [batcher.ask(2), hurried()]
            answer, late = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(late, DeadlineExceededError)
        assert (answer, seen) == (2, [None])

    simulate(main())


def test_requests_need_not_be_comparable(simulate: Simulate) -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise TypeError

        __hash__ = None  # type: ignore[assignment]

    async def main() -> None:
        async def work(requests: Sequence[Odd]) -> list[int]:
            return [id(each) for each in requests]

        async with MicroBatcher(work) as batcher:
            stays = Odd()
            call = asyncio.create_task(batcher.ask(stays))
            left = asyncio.create_task(batcher.ask(Odd()))
            await asyncio.sleep(0)
            left.cancel()
            with pytest.raises(asyncio.CancelledError):
                await left
            assert await call == id(stays)

    simulate(main())


def test_a_batch_that_is_cancelled_leaves_nobody_waiting(simulate: Simulate) -> None:
    async def main() -> None:
        async def work(_: Sequence[int]) -> list[int]:
            raise asyncio.CancelledError

        async with MicroBatcher(work, largest=1) as batcher:
            with pytest.raises(RuntimeError, match=r"^the batch was cancelled\.$"):
                await batcher.ask(1)

    simulate(main())


@pytest.mark.parametrize("options", [{"largest": 0}, {"wait": -1}, {"wait": float("nan")}])
def test_settings_that_are_no_settings_are_refused(options: dict[str, Any]) -> None:
    async def work(numbers: Sequence[int]) -> Sequence[int]:
        return numbers

    (name,) = options
    with pytest.raises(ValueError, match=f"^{name} must be at least"):
        MicroBatcher(work, **options)
