"""Time that passes only where somebody waits for it."""

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import pytest

T = TypeVar("T")
Clock = Callable[[], float]


class SimulatedSelector(selectors.DefaultSelector):
    """Does not wait for a moment: lets it come. Waits for threads where no moment is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready and timeout is None:
            return super().select(None)
        if not ready and timeout:
            self.now += timeout
        return ready


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is that of its selector."""

    def __init__(self) -> None:
        self.simulated = SimulatedSelector()
        super().__init__(self.simulated)

    def time(self) -> float:
        return self.simulated.now


@pytest.fixture(scope="session")
def simulate() -> Callable[[Coroutine[Any, Any, T]], T]:
    """Give what runs a coroutine in a loop of its own, in simulated time."""

    def run(main: Coroutine[Any, Any, T]) -> T:
        with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
            return runner.run(main)

    return run


@pytest.fixture(scope="session")
def sleepless() -> Callable[[], AbstractContextManager[Clock]]:
    """Give a context in which `time.sleep` only sets a clock, and that clock."""

    @contextmanager
    def entered() -> Iterator[Clock]:
        now = [1000.0]

        def sleep(seconds: float) -> None:
            assert seconds >= 0
            now[0] += seconds

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "sleep", sleep)
            yield lambda: now[0]

    return entered
