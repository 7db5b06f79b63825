"""Calls are counted, timed and ended by a clock that the test turns."""

import anyio
import pytest

from nextcall.performance.figures import Samples
from nextcall.performance.repeating import Budget, repeated


class Turned:
    """A clock that goes on when a call is made."""

    def __init__(self) -> None:
        self.now, self.calls, self.at_once, self.most = 0.0, 0, 0, 0

    def __call__(self) -> float:
        return self.now

    async def call(self) -> None:
        self.calls += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await anyio.lowlevel.checkpoint()
        self.at_once -= 1
        self.now += 1.0
        if self.calls % 4 == 0:
            raise OSError(self.calls)


def run(clock: Turned, repeats: int, seconds: float | None = None, users: int = 1) -> Samples:
    async def main() -> Samples:
        budget = Budget(seconds, 1, clock=clock)
        return await repeated(clock.call, repeats, budget, users=users)

    return anyio.run(main)


def test_each_call_is_timed_and_failures_are_counted_apart() -> None:
    taken = run(Turned(), 10)
    assert (list(taken.seconds), taken.errors, taken.elapsed) == ([1.0] * 8, 2, 10.0)


def test_no_call_begins_after_the_end_but_the_first() -> None:
    clock = Turned()
    run(clock, 100, seconds=3.0)
    assert clock.calls == 3
    clock = Turned()
    run(clock, 100, seconds=0.0)
    assert clock.calls == 1


@pytest.mark.parametrize(("repeats", "users", "most"), [(40, 5, 5), (3, 20, 3), (10, 1, 1)])
def test_so_many_are_under_way_at_once(repeats: int, users: int, most: int) -> None:
    clock = Turned()
    run(clock, repeats, users=users)
    assert (clock.calls, clock.most) == (repeats, most)


def test_another_error_ends_it() -> None:
    async def fail() -> None:
        raise KeyError("a fault")

    async def main() -> None:
        await repeated(fail, 3, Budget(None, 1))

    with pytest.raises(BaseExceptionGroup) as raised:
        anyio.run(main)
    assert raised.group_contains(KeyError)


@pytest.mark.parametrize(("repeats", "users", "name"), [(0, 1, "repeats"), (1, 0, "users")])
def test_nothing_to_repeat_is_refused(repeats: int, users: int, name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be at least 1, got 0\.$"):
        run(Turned(), repeats, users=users)


def test_what_a_part_leaves_is_shared_by_the_next() -> None:
    clock = Turned()
    budget = Budget(9.0, 3, clock=clock)
    assert budget.until() == 3.0
    clock.now = 1.0
    assert budget.until() == 5.0
    clock.now = 20.0
    assert budget.until() == 20.0
    assert Budget(None, 1).until() == float("inf")
