"""A breaker does what a plain model does, whatever calls overlap, and lets one call try."""

import asyncio
import threading
from collections.abc import Coroutine, Generator
from contextlib import suppress
from functools import partial
from typing import Any

import httpx
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nextcall.resilience.breaker import (
    Breaker,
    BreakerChange,
    BreakerOpenError,
    BreakerState,
    BreakerStatistics,
)
from nextcall.resilience.breakers import Breakers
from nextcall.resilience.categories import categorise
from nextcall.resilience.category import Category

MOST, OPEN_SECONDS = 3, 60


def status(number: int) -> httpx.HTTPStatusError:
    request = httpx.Request("GET", "http://a.example")
    return httpx.HTTPStatusError("", request=request, response=httpx.Response(number))


FAILS = (ConnectionResetError(), TimeoutError(), status(503))
ANSWERS = (None, status(400), status(401), status(429), ValueError())
SAYS_NOTHING = (KeyError(), MemoryError(), asyncio.CancelledError(), KeyboardInterrupt())
OUTCOMES = (*FAILS, *ANSWERS, *SAYS_NOTHING)


class Waiting:
    """What a call waits for: suspends it until it is sent its outcome."""

    def __await__(self) -> Generator[None, BaseException | None, None]:
        outcome = yield
        if outcome is not None:
            raise outcome


async def waits() -> None:
    await Waiting()


def ends(outcome: BaseException | None) -> None:
    if outcome is not None:
        raise outcome


class BreakerMachine(RuleBasedStateMachine):
    """Calls that begin and end in any order, beside a model that knows which of them count."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.told = list[BreakerChange]()
        self.breaker = Breaker(
            "side",
            failures=MOST,
            open_seconds=OPEN_SECONDS,
            listener=self.told.append,
            clock=lambda: float(self.now),
        )
        self.running = dict[int, Coroutine[Any, Any, None]]()
        self.begun = 0
        # The model.
        self.state = "closed"
        self.changes = list[tuple[str, str]]()
        self.heard = set[int]()  # calls that began since the last change of state
        self.failed_in_a_row = 0
        self.may_try_at = 0
        self.seen = dict.fromkeys(("answered", "failed", "unknown", "refused", "opened"), 0)

    def becomes(self, state: str) -> None:
        self.changes.append((self.state, state))
        self.state = state
        self.heard = set()

    def passes(self) -> bool:
        """Whether the model lets a call through that begins now."""
        if self.state == "open" and self.now >= self.may_try_at:
            self.becomes("half_open")
        if self.state == "open" or (self.state == "half_open" and self.heard):
            self.seen["refused"] += 1
            return False
        self.heard.add(self.begun)
        return True

    def learns(self, call: int, outcome: BaseException | None) -> None:
        counts = call in self.heard
        self.heard.discard(call)
        if outcome in SAYS_NOTHING:
            self.seen["unknown"] += 1
        elif outcome in ANSWERS:
            self.seen["answered"] += 1
            if counts:
                self.failed_in_a_row = 0
                if self.state == "half_open":
                    self.becomes("closed")
        else:
            self.seen["failed"] += 1
            if counts:
                self.failed_in_a_row += 1
                if self.state == "half_open" or self.failed_in_a_row == MOST:
                    self.becomes("open")
                    self.seen["opened"] += 1
                    self.may_try_at = self.now + OPEN_SECONDS

    @rule()
    def begin(self) -> None:
        self.begun += 1
        passes = self.passes()
        call = self.breaker.acall(waits)
        if passes:
            call.send(None)
            self.running[self.begun] = call
        else:
            with pytest.raises(BreakerOpenError):
                call.send(None)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), outcome=st.sampled_from(OUTCOMES))
    def end(self, data: st.DataObject, outcome: BaseException | None) -> None:
        number = data.draw(st.sampled_from(sorted(self.running)))
        call = self.running.pop(number)
        self.learns(number, outcome)
        with pytest.raises(StopIteration if outcome is None else type(outcome)):
            call.send(outcome)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        """A call that nobody awaits any more."""
        number = data.draw(st.sampled_from(sorted(self.running)))
        self.running.pop(number).close()
        self.learns(number, SAYS_NOTHING[0])

    @rule(outcome=st.sampled_from(OUTCOMES))
    def call_at_once(self, outcome: BaseException | None) -> None:
        self.begun += 1
        if not self.passes():
            with pytest.raises(BreakerOpenError):
                self.breaker.call(lambda: ends(outcome))
            return
        self.learns(self.begun, outcome)
        if outcome is None:
            self.breaker.call(lambda: ends(outcome))
        else:
            with pytest.raises(type(outcome)):
                self.breaker.call(lambda: ends(outcome))

    @rule(outcome=st.sampled_from(FAILS))
    def fail_often(self, outcome: BaseException) -> None:
        for _ in range(MOST):
            self.call_at_once(outcome)

    @rule(seconds=st.sampled_from([1, OPEN_SECONDS - 1, OPEN_SECONDS]))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def both_say_the_same(self) -> None:
        wait = max(0.0, float(self.may_try_at - self.now))
        assert self.breaker.state == self.state
        assert self.breaker.statistics() == BreakerStatistics(
            name="side",
            state=BreakerState(self.state),
            failures_in_a_row=self.failed_in_a_row,
            retry_after=None if self.state == "closed" else wait,
            **self.seen,
        )
        assert [(str(each.before), str(each.after)) for each in self.told] == self.changes
        assert {each.name for each in self.told} <= {"side"}

    def teardown(self) -> None:
        for call in self.running.values():
            call.close()


BreakerMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=40)
TestBreakerMachine = BreakerMachine.TestCase


def opened(clock: list[float]) -> Breaker:
    breaker = Breaker("side", failures=1, clock=lambda: clock[0])
    with pytest.raises(ConnectionResetError):
        breaker.call(lambda: ends(ConnectionResetError()))
    return breaker


def test_five_failures_open_it_for_a_minute() -> None:
    clock = [0.0]
    breaker = Breaker("side", clock=lambda: clock[0])
    for _ in range(5):
        assert breaker.state == "closed"
        with pytest.raises(TimeoutError):
            breaker.call(lambda: ends(TimeoutError()))
    clock[0] = 59.5
    with pytest.raises(BreakerOpenError, match=r"^side fails, and is asked again in 0\.5 s") as no:
        breaker.call(lambda: None)
    assert (no.value.name, no.value.retry_after) == ("side", 0.5)
    assert categorise(no.value) is Category.RESOURCE
    clock[0] = 60
    breaker.call(lambda: None)
    assert breaker.state == "closed"


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda each: type(each).__name__)
def test_a_call_of_before_says_nothing_of_the_trial(outcome: BaseException | None) -> None:
    clock = [0.0]
    breaker = Breaker("side", failures=1, clock=lambda: clock[0])
    before, trial = breaker.acall(waits), breaker.acall(waits)
    before.send(None)
    with pytest.raises(TimeoutError):
        breaker.call(lambda: ends(TimeoutError()))
    clock[0] = 60
    trial.send(None)
    with pytest.raises(StopIteration if outcome is None else type(outcome)):
        before.send(outcome)
    with pytest.raises(BreakerOpenError):
        breaker.call(lambda: None)
    assert breaker.state == "half_open"
    with pytest.raises(StopIteration):
        trial.send(None)
    assert breaker.state == "closed"


def test_of_many_threads_one_tries() -> None:
    clock = [0.0]
    breaker = opened(clock)
    clock[0] = 60
    begin, leave = threading.Barrier(20), threading.Event()
    tried, refused = list[int](), list[float]()

    def work(number: int) -> None:
        tried.append(number)
        leave.wait(60)

    def call(number: int) -> None:
        begin.wait(60)
        try:
            breaker.call(lambda: work(number))
        except BreakerOpenError as error:
            refused.append(error.retry_after)
            if len(refused) == 19:
                leave.set()

    threads = [threading.Thread(target=call, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(tried), refused) == (1, 19 * [0.0])
    assert breaker.state == "closed"


def test_of_many_tasks_one_tries() -> None:
    clock = [0.0]
    breaker = opened(clock)
    clock[0] = 60

    async def work() -> str:
        await asyncio.sleep(0)
        return "tried"

    async def main() -> list[str | BaseException]:
        calls = (breaker.acall(work) for _ in range(20))
        return await asyncio.gather(*calls, return_exceptions=True)

    found = asyncio.run(main())
    assert found[0] == "tried"
    assert [type(each) for each in found[1:]] == 19 * [BreakerOpenError]


def test_threads_lose_no_count() -> None:
    breaker = Breaker("side", failures=10**9)
    outcomes = (None, TimeoutError(), KeyError())

    def call() -> None:
        for number in range(3000):
            try:
                breaker.call(partial(ends, outcomes[number % 3]))
            except (TimeoutError, KeyError):
                continue

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = breaker.statistics()
    assert (seen.answered, seen.failed, seen.unknown) == (4000, 4000, 4000)


def test_a_listener_may_ask_the_breaker_and_what_it_raises_blocks_nobody() -> None:
    clock, heard = [0.0], list[str]()

    def listener(change: BreakerChange) -> None:
        assert breaker.statistics().state is change.after
        heard.append(str(change.after))
        if heard == ["open", "half_open"]:
            raise LookupError

    breaker = Breaker("side", failures=1, listener=listener, clock=lambda: clock[0])
    with pytest.raises(TimeoutError):
        breaker.call(lambda: ends(TimeoutError()))
    clock[0] = 60
    with pytest.raises(LookupError):
        breaker.call(lambda: ends(AssertionError()))
    breaker.call(lambda: None)
    assert heard == ["open", "half_open", "closed"]


def test_what_counts_is_what_the_categories_say() -> None:
    breaker = Breaker("side", failures=1, categorise=lambda _: Category.NETWORK)
    with pytest.raises(KeyError):
        breaker.call(lambda: ends(KeyError()))
    assert breaker.state == "open"


@pytest.mark.parametrize("options", [{"failures": 0}, {"open_seconds": 0}, {"open_seconds": -1}])
def test_settings_that_are_no_settings_are_refused(options: dict[str, Any]) -> None:
    (name,) = options
    for make in (Breakers, lambda **options: Breaker("side", **options)):
        with pytest.raises(ValueError, match=f"^{name} must be a"):
            make(**options)


def test_a_side_has_one_breaker_whoever_asks() -> None:
    heard = list[BreakerChange]()
    breakers = Breakers(failures=1, listener=heard.append, clock=lambda: 0.0)
    begin = threading.Barrier(8)
    found = list[Breaker]()

    def ask() -> None:
        begin.wait(60)
        found.append(breakers["redis"])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 8
    assert len({id(each) for each in found}) == 1
    with pytest.raises(TimeoutError):
        breakers["redis"].call(lambda: ends(TimeoutError()))
    assert breakers["database"].call(lambda: 7) == 7
    assert [(each.name, str(each.state)) for each in breakers.statistics()] == [
        ("database", "closed"),
        ("redis", "open"),
    ]
    assert [each.name for each in heard] == ["redis"]


def test_a_side_may_be_left_alone_for_another_time_than_the_others() -> None:
    now = [0.0]
    breakers = Breakers(failures=1, open_seconds=60.0, clock=lambda: now[0])
    for breaker in (breakers.of("near", open_seconds=1.0), breakers["far"]):
        with pytest.raises(TimeoutError), breaker.guarding():
            raise TimeoutError
    assert [told.retry_after for told in breakers.statistics()] == [60.0, 1.0]
    assert breakers.of("near", open_seconds=2.0) is breakers["near"]


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_block_is_guarded_as_a_call_is(outcome: BaseException | None) -> None:
    now = [0.0]
    told = list[BreakerStatistics]()
    for way in ("call", "guarding"):
        breaker = Breaker("side", failures=1, clock=lambda: now[0])
        for _ in range(3):
            with suppress(BreakerOpenError, *([] if outcome is None else [type(outcome)])):
                if way == "call":
                    breaker.call(partial(ends, outcome))
                else:
                    with breaker.guarding():
                        ends(outcome)
        told.append(breaker.statistics())
    assert told[0] == told[1]
