"""What one worker keeps the others have, what one invalidates is gone, and Redis may go away."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from tests.cache.conftest import Clock, MakeTiers

from nextcall.cache.computing import MISSING
from nextcall.cache.redis_tier import RedisTier, TierUnavailableError
from nextcall.cache.rules import Rule
from nextcall.cache.tiers import Tiers

FRESH = 0.5
MATCHED = {"a": {"a"}, "[ab]": {"a", "b"}, "*": {"a", "b", "c"}}
STEPS = st.lists(
    st.tuples(st.just("put"), st.integers(0, 1), st.sampled_from("abc"))
    | st.tuples(st.just("get"), st.integers(0, 1), st.sampled_from("abc"))
    | st.tuples(st.just("forget"), st.integers(0, 1), st.sampled_from(list(MATCHED)))
    | st.tuples(st.just("wait"), st.sampled_from([1, 6]), st.just("")),
    max_size=25,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_no_worker_gives_what_was_invalidated_a_while_ago(
    redis_url: str, make_tiers: MakeTiers, clock: Clock, steps: list[tuple[str, int, str]]
) -> None:
    """A plain list of what was put and what was forgotten, by whom and when, judges each answer."""
    with Redis.from_url(redis_url) as client:
        client.flushall()
    workers = [make_tiers(redis_url), make_tiers(redis_url)]
    for each in workers:
        each.look()
    puts: list[tuple[int, str, bool]] = []  # step, key, whether who put it knew what was forgotten
    forgotten: list[tuple[int, float, set[str], int]] = []  # step, time, keys, worker

    def steps_of(key: str, *, known_to: int | None = None) -> set[int]:
        """Steps that forgot a key, all or those that a worker must know of."""
        return {
            step
            for step, time, keys, by in forgotten
            if key in keys and (known_to in {None, by} or time <= clock.now - FRESH)
        }

    for number, (verb, who, text) in enumerate(steps):
        if verb == "wait":
            clock.now += who / 10
        elif verb == "put":
            workers[who].put(text, number)
            puts.append((number, text, steps_of(text) == steps_of(text, known_to=who)))
        elif verb == "forget":
            told = {"a": workers[who].invalidate, "[ab]": workers[who].invalidate_pattern}
            assert workers[who].clear() if text == "*" else told[text](text)
            forgotten.append((number, clock.now, MATCHED[text], who))
        else:
            value = workers[who].get(text)
            of_key = [(step, knew) for step, key, knew in puts if key == text]
            if (
                value is MISSING
            ):  # nothing is there, or who put it did not know that it was forgotten
                step, knew = max(of_key, default=(-1, True))
                assert step <= max(steps_of(text), default=-1) or not knew
            else:
                assert value in {step for step, _ in of_key}
                assert isinstance(value, int)
                assert value > max(steps_of(text, known_to=who), default=-1)


def test_a_value_of_another_worker_keeps_its_time(
    redis_url: str, make_tiers: MakeTiers, clock: Clock
) -> None:
    one, other = make_tiers(redis_url), make_tiers(redis_url)
    one.put("secret", ["value"])
    with Redis.from_url(redis_url) as client:
        (name,) = client.keys("*}")
        assert 999_000 < client.pttl(name) <= 1_000_000
        client.pexpire(name, 50_000)
        assert b"value" in (client.get(name) or b"")
        assert client.keys("*secret*") == []
    assert other.get("secret") == ["value"]
    clock.now = 40.0
    assert (other.memory.get("secret"), other.stats.shared_hits) == (["value"], 1)
    clock.now = 51.0
    assert other.memory.get("secret") is None
    assert one.memory.get("secret") == ["value"]
    assert other.stats.memory.hits == 1


def test_versions_and_categories_share_nothing(redis_url: str, make_tiers: MakeTiers) -> None:
    one = make_tiers(redis_url)
    others = [make_tiers(redis_url, category="prompt"), make_tiers(redis_url, version="2")]
    one.put("a", 1)
    assert [each.get("a") for each in others] == [MISSING, MISSING]
    others[0].put("a", 2)
    one.clear()
    assert (one.get("a"), others[0].get("a")) == (MISSING, 2)


def test_what_nobody_can_read_is_missing(redis_url: str, make_tiers: MakeTiers) -> None:
    one, other = make_tiers(redis_url), make_tiers(redis_url)
    one.put("a", 1)
    other.look()
    other.shared.write("a", b"\xff{", ttl=10, since=other.newest)
    assert other.get("a") is MISSING
    with pytest.raises(TypeError, match="not JSON serializable"):
        one.put("b", object())


def test_a_worker_that_missed_too_much_forgets_all(
    redis_url: str, make_tiers: MakeTiers, clock: Clock
) -> None:
    one, other = make_tiers(redis_url), make_tiers(redis_url)
    other.put("a", 1)
    for _ in range(255):
        one.invalidate("b")
    clock.now += FRESH
    assert other.get("a") == 1
    other.put("c", 1)
    for _ in range(256):
        one.invalidate("b")
    assert other.memory.get("c") == 1
    clock.now += FRESH
    assert other.get("c") is MISSING


def test_a_worker_that_hears_of_many_patterns_at_once_forgets_all_in_memory(
    redis_url: str, make_tiers: MakeTiers, clock: Clock
) -> None:
    one, other = make_tiers(redis_url), make_tiers(redis_url)
    other.put("a", 1)
    for count, is_kept in ((16, True), (17, False)):
        for number in range(count):
            one.invalidate_pattern(f"{number}*")
        clock.now += FRESH
        other.look()
        assert (other.memory.get("a") == 1) == is_kept
    assert other.get("a") == 1  # of Redis


def test_of_many_patterns_those_keys_are_forgotten_that_begin_alike(
    redis_url: str, make_tiers: MakeTiers, clock: Clock, tmp_path: Path
) -> None:
    one, other = make_tiers(redis_url), make_tiers(redis_url)
    heard: list[Rule] = []
    other._heard = heard.extend
    for key in ("query/a", "general/a"):
        other.put(key, 1)
    heard.clear()
    for number in range(17):
        one.invalidate_pattern(f"query/{number}*")
    one.invalidate("none")
    clock.now += FRESH
    other.look()
    assert sorted(heard, key=lambda rule: rule.kind) == [
        Rule("key", "none"), Rule("pattern", "query/*")
    ]  # fmt: skip
    assert (other.memory.get("query/a"), other.memory.get("general/a")) == (None, 1)
    assert other.memory.stats.invalidated == 1
    shared, one.shared = one.shared, make_tiers(f"unix://{tmp_path}/none").shared
    for number in range(300):  # more than are noted one by one, while Redis is away
        one.invalidate(f"general/{number}")
    one.shared = shared
    other.put("query/b", 1)
    clock.now += 1
    assert one.look()
    other.look()
    assert (other.memory.get("query/b"), other.memory.get("general/a")) == (1, None)


def test_what_is_forgotten_for_a_log_that_was_lost_is_counted_apart(
    redis_url: str, make_tiers: MakeTiers, clock: Clock
) -> None:
    tiers = make_tiers(redis_url)
    heard: list[Rule] = []
    tiers._heard = heard.extend
    tiers.put("a", 1)
    tiers.put("b", 1)
    heard.clear()
    with Redis.from_url(redis_url) as client:
        client.flushall()  # as when it begins anew
    clock.now += FRESH
    assert tiers.get("a") is MISSING
    assert heard == [Rule("lost")]
    stats = tiers.memory.stats
    assert (stats.doubted, stats.invalidated) == (2, 0)
    tiers.put("a", 1)
    clock.now += FRESH
    assert tiers.get("a") == 1
    assert tiers.clear()
    stats = tiers.memory.stats
    assert (stats.doubted, stats.invalidated) == (2, 1)


def test_who_begins_keeps_what_came_before_the_first_question(
    redis_url: str, make_tiers: MakeTiers, tmp_path: Path
) -> None:
    begun, late = make_tiers(redis_url), make_tiers(redis_url)
    begun.begin()
    assert begun.is_due  # it looks anew
    for each in (begun, late):
        each.memory.put("a", 1)
        each.look()
    assert (begun.memory.get("a"), begun.memory.stats.doubted) == (1, 0)
    assert (late.memory.get("a"), late.memory.stats.doubted) == (None, 1)
    alone = make_tiers(f"unix://{tmp_path}/none")
    alone.begin()
    assert (alone.is_due, alone.degraded, alone.failures) == (False, True, 1)


def test_what_a_worker_forgot_itself_it_does_not_forget_again(
    redis_url: str, make_tiers: MakeTiers, clock: Clock
) -> None:
    one, other = make_tiers(redis_url), make_tiers(redis_url)
    one.look()
    one.clear()
    one.put("a", 1)
    other.invalidate("b")
    clock.now += FRESH
    one.look()
    assert one.memory.get("a") == 1


def test_what_was_put_after_an_invalidation_is_there_for_who_has_not_heard_of_it(
    redis_url: str, make_tiers: MakeTiers
) -> None:
    one, other = make_tiers(redis_url), make_tiers(redis_url)
    other.look()
    one.invalidate("a")
    one.put("a", 1)
    assert other.get("a") == 1


def test_what_could_not_be_told_is_told_later(
    redis_url: str, make_tiers: MakeTiers, tmp_path: Path, clock: Clock
) -> None:
    one, other = make_tiers(redis_url), make_tiers(redis_url)
    one.put("a", 1)
    assert other.get("a") == 1
    tell = one.shared.tell
    one.shared.tell = make_tiers(f"unix://{tmp_path}/none").shared.tell  # type: ignore[method-assign]
    assert not one.invalidate("a")
    one.shared.tell = tell  # type: ignore[method-assign]
    clock.now += 1
    one.look()
    assert (one.get("a"), other.get("a"), one.degraded) == (MISSING, MISSING, False)


def test_a_connection_that_broke_is_made_anew(redis_url: str, make_tiers: MakeTiers) -> None:
    tiers = make_tiers(redis_url)
    tiers.put("a", 1)
    tiers.memory.clear()
    with Redis.from_url(redis_url) as client:
        client.client_kill_filter(_type="normal", skipme=True)
    assert (tiers.get("a"), tiers.failures) == (1, 0)


def test_a_lock_is_let_go_of_by_its_holder_alone(redis_url: str, make_tiers: MakeTiers) -> None:
    shared = make_tiers(redis_url).shared
    assert shared.lock("a", b"one") == b"one"
    assert shared.lock("a", b"one") == b"one"  # as when the command was sent twice
    assert shared.lock("a", b"other") == b"one"
    shared.unlock("a", b"other", failure="not mine")
    assert shared.read("a", waiting_for=b"other").failure is None
    assert shared.lock("a", b"other") == b"one"
    shared.unlock("a", b"one")
    assert shared.lock("a", b"other") == b"other"
    with Redis.from_url(redis_url) as client:
        (name,) = client.keys("*lock")
        assert 29_000 < client.pttl(name) <= 30_000


def test_what_is_read_again_before_it_was_told_is_forgotten(
    redis_url: str, make_tiers: MakeTiers
) -> None:
    one = make_tiers(redis_url)
    one.put("a", 1)
    tell = one.shared.tell

    def read_first(rules: Sequence[Rule]) -> None:
        assert one.read("a", mark=one.memory.mark)[0] == 1
        assert one.memory.get("a") == 1
        tell(rules)

    one.shared.tell = read_first  # type: ignore[method-assign]
    assert one.invalidate("a")
    assert one.get("a") is MISSING


def start_over(
    start: Callable[[Path], "subprocess.Popen[bytes]"], socket: Path
) -> "subprocess.Popen[bytes]":
    socket.unlink(missing_ok=True)
    return start(socket)


def test_redis_that_is_killed_and_comes_back(
    start_redis: Callable[[Path], "subprocess.Popen[bytes]"],
    tmp_path_factory: pytest.TempPathFactory,
    make_tiers: MakeTiers,
    clock: Clock,
) -> None:
    socket = tmp_path_factory.mktemp("r") / "s"
    process = start_redis(socket)
    one, other = make_tiers(f"unix://{socket}"), make_tiers(f"unix://{socket}")
    try:
        one.put("a", 1)
        assert other.get("a") == 1
        process.kill()
        process.wait(60)
        assert one.get("b") is MISSING
        assert (one.degraded, one.failures) == (True, 1)
        assert one.get("a") == 1
        one.put("b", 2)
        assert (one.get("b"), one.failures) == (2, 1)  # it is not asked again yet
        process = start_over(start_redis, socket)
        assert (one.get("c"), one.degraded) == (MISSING, True)
        clock.now += 1
        # The server knows nothing any more: what it was told in between is not known either.
        assert (one.get("b"), one.degraded, one.failures) == (MISSING, False, 1)
        one.put("b", 3)
        assert other.get("b") == 3
        assert other.stats.degraded is False
    finally:
        process.kill()
        process.wait(60)


def connect(hasty: RedisTier) -> None:
    """Ask until it has answered: a machine may have other work, and this one waits for little."""
    end = time.monotonic() + 60
    while True:
        try:
            hasty.read("none")
        except TierUnavailableError:
            assert time.monotonic() < end
        else:
            return


def test_what_is_forgotten_while_redis_hangs_is_told_when_it_answers(
    start_redis: Callable[[Path], "subprocess.Popen[bytes]"],
    tmp_path_factory: pytest.TempPathFactory,
    make_tiers: MakeTiers,
    clock: Clock,
) -> None:
    socket = tmp_path_factory.mktemp("r") / "s"
    process = start_redis(socket)
    try:
        one, other = make_tiers(f"unix://{socket}"), make_tiers(f"unix://{socket}")
        patient, hasty = one.shared, make_tiers(f"unix://{socket}", patience=0.3).shared

        @contextmanager
        def hanging() -> Iterator[None]:
            """Let Redis hang, and who asks it have little patience, over an open connection."""
            connect(hasty)
            os.kill(process.pid, signal.SIGSTOP)
            one.shared = hasty
            yield
            one.shared = patient
            os.kill(process.pid, signal.SIGCONT)

        one.put("a", 1)
        one.put("b", 2)
        assert (other.get("a"), other.get("b")) == (1, 2)
        with hanging():
            assert not one.invalidate("a")
            assert (one.get("a"), one.get("b"), one.failures) == (MISSING, 2, 1)
        assert one.get("a") is MISSING
        clock.now += 1
        assert (one.get("a"), one.get("b")) == (MISSING, 2)
        assert (other.get("a"), other.get("b")) == (MISSING, 2)

        with hanging():
            for number in range(300):  # more than are noted one by one
                one.invalidate(f"{number}")
        clock.now += 1
        assert (one.get("b"), other.get("b")) == (MISSING, MISSING)
    finally:
        process.kill()
        process.wait(60)


def test_redis_that_is_not_there_at_all(make_tiers: MakeTiers, tmp_path: Path) -> None:
    tiers = make_tiers(f"unix://{tmp_path}/none")
    tiers.put("a", 1)
    assert (tiers.get("a"), tiers.get("b"), tiers.degraded) == (1, MISSING, True)
    assert (tiers.failures, tiers.stats.shared_misses) == (1, 0)
    with pytest.raises(TierUnavailableError, match="does not answer: ConnectionError"):
        tiers.shared.read("a")


@pytest.mark.parametrize("name", ["fresh", "retry"])
def test_a_time_of_nothing_is_refused(name: str, make_tiers: MakeTiers, redis_url: str) -> None:
    made = make_tiers(redis_url)
    with pytest.raises(ValueError, match=f"{name} must be above 0, got 0"):
        Tiers(made.memory, made.shared, codec=made._codec, **{name: 0})  # type: ignore[arg-type]


def test_a_url_of_another_form_is_not_shown() -> None:
    with pytest.raises(ValueError, match="url must be redis://") as caught:
        RedisTier("http://user:secret@host", category="a")
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__
