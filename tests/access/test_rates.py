"""Both stores count as the plain definition does, and no span ever holds more than its limit."""

import os
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import limits
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from redis import Redis

from nextcall.access import redis_rates
from nextcall.access.memory_rates import MemoryRates
from nextcall.access.rate_decision import Decision, RateStore
from nextcall.access.rate_rules import RateRule, Window
from nextcall.access.redis_rates import RedisRates, StoreUnavailableError

SECOND = 1_000_000_000
START = 1_800_000_000 * SECOND
DEFAULT = RateRule(
    windows=(
        Window(seconds=60, limit=60),
        Window(seconds=3600, limit=1000),
        Window(seconds=86400, limit=10_000),
    ),
    strikes=1000,
)


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now

    def step(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)


Made = tuple[RateStore, Clock]


@pytest.fixture(params=["memory", "redis"])
def made(request: pytest.FixtureRequest) -> Made:
    clock = Clock()
    if request.param == "memory":
        return MemoryRates(clock=clock), clock
    return RedisRates(request.getfixturevalue("redis_url"), clock=clock, patience=10), clock


def allowed(store: RateStore, rule: RateRule, n: int, *, name: str = "a") -> int:
    return sum(store.take(name, rule).allowed for _ in range(n))


def test_what_was_counted_leaves_the_moment_its_span_has_passed(made: Made) -> None:
    store, clock = made
    assert allowed(store, DEFAULT, 61) == 60
    clock.step(59.999_999)
    refused = store.take("a", DEFAULT)
    assert (refused.allowed, refused.reason) == (False, "window")
    assert refused.retry_after == pytest.approx(0.000_001)
    clock.step(0.000_001)
    assert allowed(store, DEFAULT, 61) == 60


def test_spread_requests_free_one_place_each(made: Made) -> None:
    store, clock = made
    for _ in range(60):
        assert store.take("a", DEFAULT).allowed
        clock.step(0.5)
    assert not store.take("a", DEFAULT).allowed  # 30 s after the first
    clock.step(30 - 0.000_001)
    assert not store.take("a", DEFAULT).allowed
    clock.step(0.000_001)
    assert allowed(store, DEFAULT, 2) == 1
    clock.step(0.5)
    assert allowed(store, DEFAULT, 2) == 1


def test_three_windows_hold_together(made: Made) -> None:
    """As much as a minute takes, each minute: ten minutes end it at 12, and an hour at 40."""
    store, clock = made
    rule = RateRule(
        windows=(
            Window(seconds=60, limit=3),
            Window(seconds=600, limit=12),
            Window(seconds=3600, limit=40),
        ),
        strikes=10_000,
    )
    let_through = []
    for _ in range(75):
        let_through.append(allowed(store, rule, 4))
        clock.step(60)
    assert max(let_through) == 3
    assert sum(let_through[:10]) == 12
    assert max(sum(let_through[at : at + 10]) for at in range(65)) == 12
    assert sum(let_through[:60]) == 40
    assert sum(let_through[60:70]) == 12


def test_a_decision_tells_what_is_left_and_when_more_is(made: Made) -> None:
    store, clock = made
    store.take("a", DEFAULT, cost=10)
    clock.step(20)
    decision = store.take("a", DEFAULT)
    assert [(state.limit, state.remaining, state.reset_after) for state in decision.windows] == [
        (60, 49, 40.0),
        (1000, 989, 3580.0),
        (10_000, 9989, 86_380.0),
    ]
    refused = store.take("a", DEFAULT, cost=50)
    assert not refused.allowed
    assert [state.remaining for state in refused.windows] == [49, 989, 9989]
    assert refused.retry_after == 40.0
    assert store.take("b", DEFAULT).windows[0].remaining == 59


def test_a_cost_above_the_limit_is_never_let_through(made: Made) -> None:
    store, clock = made
    for _ in range(2):
        refused = store.take("a", DEFAULT, cost=61)
        assert (refused.allowed, refused.retry_after) == (False, 60.0)
        clock.step(1000)
    with pytest.raises(ValueError, match=r"^cost must be at least 1, got 0\.$"):
        store.take("a", DEFAULT, cost=0)


def test_a_limit_that_falls_counts_what_was_let_through_before(made: Made) -> None:
    store, clock = made
    for _ in range(50):
        store.take("a", DEFAULT)
        clock.step(0.1)
    half = RateRule(windows=(Window(seconds=60, limit=30), *DEFAULT.windows[1:]))
    refused = store.take("a", half)
    assert (refused.allowed, refused.windows[0].remaining) == (False, 0)
    assert refused.retry_after == pytest.approx(60 - 5 + 2)  # 21 must leave
    clock.step(refused.retry_after)
    assert store.take("a", half).allowed


def test_a_bucket_lets_a_burst_through_and_fills_again(made: Made) -> None:
    store, clock = made
    rule = RateRule(windows=DEFAULT.windows, burst=5, strikes=1000)
    assert allowed(store, rule, 6) == 5
    refused = store.take("a", rule)
    assert (refused.reason, refused.retry_after) == ("burst", 1.0)  # 60 a minute: 1 a second
    assert refused.windows[0].remaining == 55
    clock.step(0.999)
    assert allowed(store, rule, 1) == 0
    clock.step(0.001)
    assert allowed(store, rule, 2) == 1
    clock.step(100)
    assert allowed(store, rule, 9) == 5


def test_repeated_refusals_block_for_five_minutes(made: Made) -> None:
    store, clock = made
    rule = RateRule(windows=DEFAULT.windows, strikes=3)
    assert allowed(store, rule, 60) == 60
    reasons = [store.take("a", rule).reason for _ in range(4)]
    assert reasons == ["window", "window", "blocked", "blocked"]
    clock.step(299.999)
    blocked = store.take("a", rule)
    assert blocked.reason == "blocked"
    assert blocked.retry_after == pytest.approx(0.001)
    assert store.take("b", rule).allowed
    clock.step(0.001)
    assert store.take("a", rule).allowed


def test_refusals_that_lie_apart_block_nobody(made: Made) -> None:
    store, clock = made
    rule = RateRule(windows=(Window(seconds=86400, limit=1),), strikes=2)
    store.take("a", rule)
    for _ in range(5):
        assert store.take("a", rule).reason == "window"
        clock.step(60)


def test_large_limits_are_never_exceeded_and_free_late_by_a_slot_at_most(made: Made) -> None:
    """1,200 a minute are kept in slots of 60 ms."""
    store, clock = made
    rule = RateRule(windows=(Window(seconds=60, limit=1200),), strikes=10**6)
    assert rule.windows[0].slot_seconds == 0.06
    moments = list[float]()
    for step in range(1900):  # 25 a second
        if store.take("a", rule).allowed:
            moments.append(step * 0.04)
        clock.step(0.04)
    assert len(moments) > 1400
    for at, moment in enumerate(moments[1200:]):
        assert moment - moments[at] + 1e-9 >= 60
    assert moments[1200] <= 60 + 0.06 + 1e-9


@dataclass
class Plain:
    """The definition: a list of all that was let through."""

    rule: RateRule
    taken: list[tuple[int, int]] = field(default_factory=list)

    def take(self, now: int, cost: int) -> tuple[bool, list[int]]:
        left = [
            window.limit
            - sum(each for at, each in self.taken if at > now - window.seconds * SECOND)
            for window in self.rule.windows
        ]
        passes = all(each >= cost for each in left)
        if passes:
            self.taken.append((now, cost))
        return passes, [max(0, each - cost * passes) for each in left]


SMALL = RateRule(
    windows=(Window(seconds=2, limit=3), Window(seconds=7, limit=6), Window(seconds=20, limit=9)),
    strikes=10**9,
)
steps = st.lists(
    st.tuples(st.sampled_from([0, 1, 250, 999, 1000, 1001, 2000, 6999, 7000]), st.integers(1, 4)),
    max_size=60,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_it_is_the_plain_definition(made: Made, asked: list[tuple[int, int]]) -> None:
    store, clock = made
    clock.step(1000)
    plain, name = Plain(SMALL), str(clock.now)
    for milliseconds, cost in asked:
        clock.step(milliseconds / 1000)
        decision = store.take(name, SMALL, cost=cost)
        passes, left = plain.take(clock.now, cost)
        assert decision.allowed is passes
        assert [state.remaining for state in decision.windows] == left
        if not passes and cost <= 3 and decision.retry_after > 0:
            clock.step(decision.retry_after - 0.000_001)
            assert not store.take(name, SMALL, cost=cost).allowed
            clock.step(0.000_001)
            assert store.take(name, SMALL, cost=cost).allowed
            plain.take(clock.now, cost)


def test_limits_lets_as_many_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """The moving window of another library, on the same moments."""
    clock = Clock()
    monkeypatch.setattr("time.time", lambda: clock.now / SECOND)
    peer, ours = MovingWindowRateLimiter(MemoryStorage()), MemoryRates(clock=clock)
    item, rule = limits.parse("10/minute"), RateRule(windows=(Window(seconds=60, limit=10),))
    for step in range(400):
        clock.step(1.7 if step % 7 else 11.3)
        assert ours.take("a", rule).allowed is peer.hit(item, "a")


def run_all(takes: Callable[[], int], n: int) -> int:
    found = list[int]()
    threads = [threading.Thread(target=lambda: found.append(takes())) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(found)


def test_threads_never_exceed(made: Made) -> None:
    store, _ = made
    assert run_all(lambda: allowed(store, DEFAULT, 50), 4) == 60


def test_two_workers_and_one_redis_never_exceed(
    redis_url: str, start_script: Callable[..., "subprocess.Popen[str]"]
) -> None:
    script = (
        "import sys\n"
        "from nextcall.access.limiter import Limiter\n"
        "from nextcall.access.redis_rates import RedisRates\n"
        "limiter = Limiter(RedisRates(sys.argv[1], patience=10))\n"
        "takes = (limiter.take('a', endpoint='/predict').allowed for _ in range(100))\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "print(sum(takes))\n"
    )
    workers = [start_script(script, redis_url, asked=True) for _ in range(2)]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    found = [int(worker.communicate(timeout=60)[0]) for worker in workers]
    assert sum(found) == 60  # of the server's own clock, within a minute


def test_a_clock_that_is_set_back_frees_nothing_and_holds_nothing_for_long(redis_url: str) -> None:
    clock = Clock()
    store = RedisRates(redis_url, clock=clock, patience=10)
    assert allowed(store, DEFAULT, 61) == 60
    clock.step(-3600)
    assert allowed(store, DEFAULT, 1) == 0
    clock.step(60)
    assert allowed(store, DEFAULT, 61) == 60
    clock.step(-0.5)  # a small step back is a pause
    assert allowed(store, DEFAULT, 1) == 0
    clock.step(60.5)
    assert allowed(store, DEFAULT, 61) == 60


def test_redis_keeps_no_more_than_it_needs_and_not_for_ever(redis_url: str) -> None:
    clock = Clock()
    store = RedisRates(redis_url, clock=clock, patience=10)
    rule = RateRule(windows=(Window(seconds=1, limit=5), Window(seconds=2, limit=5)))
    for _ in range(50):
        store.take("a", rule)
        clock.step(0.5)
    with Redis.from_url(redis_url) as client:
        assert client.llen("nextcall:rate:{a}:log") <= 5
        for key in client.scan_iter():
            assert 0 < client.pttl(key) <= 600_000
        client.delete("nextcall:rate:{a}")  # lost: the log goes with it
        assert store.take("a", rule).windows[0].remaining == 4
        assert client.llen("nextcall:rate:{a}:log") == 1
        client.delete("nextcall:rate:{a}:log")
        clock.step(1)
        assert store.take("a", rule).allowed
        client.script_flush()
        assert store.take("a", rule).allowed


def test_a_connection_is_used_again_unless_it_is_another_process_s(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RedisRates(redis_url, patience=10)
    with Redis.from_url(redis_url) as client:

        def connections() -> int:
            return len([one for one in client.client_list() if one["name"] != "asking"])

        client.client_setname("asking")
        client.client_kill_filter(_type="normal", skipme=True)  # that no test before left one
        others = connections()
        assert allowed(store, DEFAULT, 30) == 30
        assert connections() == others + 1
        child = os.fork()
        if child == 0:  # it ends here, whatever happens
            found = 255
            try:
                found = allowed(store, DEFAULT, 20)
            finally:
                os._exit(found)
        assert allowed(store, DEFAULT, 5) == 5
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 20
        monkeypatch.setattr(redis_rates, "getpid", lambda: -1)  # as the child saw it
        assert allowed(store, DEFAULT, 10) == 5
        client.client_kill_filter(_type="normal", skipme=True)
        assert not store.take("a", DEFAULT).allowed  # over a connection that is made anew
        assert connections() == 1
        store.close()


def test_redis_that_is_away_is_told() -> None:
    store = RedisRates("unix:///nowhere/at/all")
    with pytest.raises(StoreUnavailableError, match=r"^Redis does not answer: ConnectionError\.$"):
        store.take("a", DEFAULT)
    store.close()


def test_a_url_of_another_form_is_refused_and_not_shown() -> None:
    with pytest.raises(ValueError, match=r"url must be redis://") as caught:
        RedisRates("geheim://x")
    assert "geheim" not in str(caught.value)


def test_memory_forgets_who_is_quiet() -> None:
    clock = Clock()
    store = MemoryRates(clock=clock, largest=3)
    rule = RateRule(windows=(Window(seconds=10, limit=2),))
    for name in "abc":
        allowed(store, rule, 2, name=name)
    assert allowed(store, rule, 1, name="a") == 0
    assert allowed(store, rule, 1, name="d") == 1  # b was quiet for longest
    assert len(store) == 3
    clock.step(20)
    for name in "efg":
        store.take(name, rule)
    assert len(store) <= 3
    with pytest.raises(ValueError, match=r"^largest must be at least 1, got 0\.$"):
        MemoryRates(largest=0)


def test_memory_begins_anew_with_other_windows() -> None:
    store = MemoryRates(clock=Clock())
    allowed(store, DEFAULT, 10)
    other = RateRule(windows=(Window(seconds=5, limit=5),))
    decision: Decision = store.take("a", other)
    assert [(state.seconds, state.remaining) for state in decision.windows] == [(5, 4)]
    assert decision.windows[0].name == "5s"
