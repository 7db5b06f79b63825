"""The cache does what a slow list of entries does; threads share it and lose no count."""

import threading
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import pytest
from cachetools import TTLCache
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from nextcall.cache.cache import Cache
from nextcall.cache.layers import LAYERS, Caches, Layer
from nextcall.cache.rules import Rule
from nextcall.cache.sizes import size_of
from nextcall.cache.stats import EVENTS

TTL = 10.0
KEYS = st.sampled_from(["a", "b", "ab", "ba", "a:1", "b:1", "[a]"])
PATTERNS = st.sampled_from(["a*", "*1", "?b", "[ab]", "[!a]*", "A", "*"])


@dataclass
class Kept:
    key: str
    value: int
    until: float
    put_at: int  # of the invalidations


class CacheMachine(RuleBasedStateMachine):
    """A list of entries, the least recently used first."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.cache = Cache[int](
            ttl=TTL,
            entries=4,
            max_bytes=20 + 3 * size_of("a"),
            size=lambda value: value,
            clock=lambda: self.now,
        )
        self.most_bytes = 20 + 3 * size_of("a")
        self.kept: list[Kept] = []
        self.invalidated: list[Callable[[str], bool]] = []
        self.marks = [(self.cache.mark, 0)]
        self.hits = self.misses = self.expired = self.evicted = self.gone = 0
        self.places: dict[str, array[float]] = {}

    def expire(self) -> None:
        before = len(self.kept)
        self.kept = [each for each in self.kept if each.until > self.now]
        self.expired += before - len(self.kept)

    def bytes(self) -> int:
        return sum(each.value + size_of(each.key) for each in self.kept)

    @rule(seconds=st.sampled_from([0.0, 1.0, 4.0, TTL]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(key=KEYS)
    def get(self, key: str) -> None:
        found = [each for each in self.kept if each.key == key]
        live = [each for each in found if each.until > self.now]
        assert self.cache.peek(key, -1) == (live[0].value if live else -1)
        if live:
            self.hits += 1
            self.kept.remove(live[0])
            self.kept.append(live[0])
            assert self.cache.get(key) == live[0].value
        else:
            self.misses += 1
            self.expired += len(found)
            self.kept = [each for each in self.kept if each.key != key]
            assert self.cache.get(key, "none") == "none"

    @rule(
        key=KEYS,
        value=st.integers(0, 30) | st.just(500),
        ttl=st.none() | st.sampled_from([0.0, 2.0, 20.0]),
        data=st.data(),
    )
    def put(self, key: str, value: int, ttl: float | None, data: st.DataObject) -> None:
        since = data.draw(st.none() | st.sampled_from(self.marks))
        self.expire()
        rules = [] if since is None else self.invalidated[since[1] :]
        is_valid = not any(matches(key) for matches in rules)
        is_kept = is_valid and value + size_of(key) <= self.most_bytes and ttl != 0
        if is_valid:
            self.kept = [each for each in self.kept if each.key != key]
        if is_kept:
            until = self.now + (TTL if ttl is None else ttl)
            self.kept.append(Kept(key, value, until, len(self.invalidated)))
            while len(self.kept) > 4 or self.bytes() > self.most_bytes:
                del self.kept[0]
                self.evicted += 1
        mark = None if since is None else since[0]
        assert self.cache.put(key, value, ttl=ttl, since=mark) == is_kept

    def forget(self, matches: Callable[[str], bool]) -> int:
        self.expire()
        before = len(self.kept)
        self.kept = [each for each in self.kept if not matches(each.key)]
        self.invalidated.append(matches)
        self.gone += before - len(self.kept)
        return before - len(self.kept)

    @rule(key=KEYS)
    def invalidate(self, key: str) -> None:
        assert self.cache.invalidate(key) == self.forget(lambda other: other == key)
        self.marks.append((self.cache.mark, len(self.invalidated)))

    @rule(pattern=PATTERNS)
    def invalidate_pattern(self, pattern: str) -> None:
        gone = self.forget(lambda other: fnmatchcase(other, pattern))
        assert self.cache.invalidate_pattern(pattern) == gone
        self.marks.append((self.cache.mark, len(self.invalidated)))

    @rule()
    def clear(self) -> None:
        assert self.cache.clear() == self.forget(lambda _: True)
        self.marks.append((self.cache.mark, len(self.invalidated)))

    @rule()
    def count_elsewhere(self) -> None:
        before, self.places = self.places, {event: array("d", [0.0]) for event in EVENTS}
        self.cache.count_in(self.places.__getitem__)
        assert not any(number[0] for number in before.values())

    @rule()
    def stats(self) -> None:
        self.expire()
        stats = self.cache.stats
        for event, number in self.places.items():
            assert number[0] == getattr(stats, event)
        assert (stats.entries, stats.size_bytes) == (len(self.kept), self.bytes())
        assert (stats.hits, stats.misses) == (self.hits, self.misses)
        assert (stats.evicted, stats.expired) == (self.evicted, self.expired)
        assert stats.invalidated == self.gone

    @invariant()
    def as_many(self) -> None:
        assert len(self.cache) == len(self.kept)


TestCacheMachine = CacheMachine.TestCase
TestCacheMachine.settings = settings(max_examples=150, stateful_step_count=40)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 12), st.integers(0, 3)), max_size=80))
def test_it_keeps_what_cachetools_keeps(steps: list[tuple[bool, int, int]]) -> None:
    now = 0
    ours = Cache[int](ttl=20, entries=5, clock=lambda: now)
    theirs = TTLCache[str, int](maxsize=5, ttl=20, timer=lambda: now)
    for is_put, number, seconds in steps:
        now += seconds
        key = str(number)
        if is_put:
            ours.put(key, number)
            theirs[key] = number
        else:
            assert ours.get(key) == theirs.get(key)


def test_moments_of_values_that_were_put_again_take_no_room() -> None:
    cache = Cache[int](ttl=60, entries=3)
    for number in range(10_000):
        cache.put("same", number)
    assert len(cache._moments) < 100
    assert cache.get("same") == 9999


def test_moments_stay_in_order_when_they_are_gathered_anew() -> None:
    now = 0.0
    cache = Cache[int](ttl=500, entries=3, clock=lambda: now)
    cache.put("long", 1, ttl=1000)
    cache.put("short", 1, ttl=10)
    for number in range(200):
        cache.put("same", number)
    now = 10.0
    cache.put("same", 1)
    assert (len(cache), cache.stats.expired, cache.stats.evicted) == (2, 1, 0)


def test_threads_lose_no_count() -> None:
    cache = Cache[int](ttl=60, entries=50)

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for number in rng.integers(0, 100, size=3000):
            if cache.get(str(number)) is None:
                cache.put(str(number), int(number))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    stats = cache.stats
    assert stats.hits + stats.misses == 12_000
    assert stats.entries == len(cache) == 50
    assert stats.size_bytes == sum(
        size_of(int(key)) + size_of(key)
        for key in map(str, range(100))
        if cache.get(key) is not None
    )


@pytest.mark.parametrize("limits", [{"ttl": 0}, {"entries": 0}, {"max_bytes": 0}, {"ttl": np.nan}])
def test_a_limit_of_nothing_is_refused(limits: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(limits))} must be above 0"):
        Cache[int](**{"ttl": 1, "entries": 1, **limits})  # type: ignore[arg-type]


def test_sizes_are_those_of_the_parts() -> None:
    vector = np.zeros(1000, dtype=np.float32)
    assert size_of(vector) == pytest.approx(4000, abs=200)
    assert size_of(np.zeros((10, 1000), dtype=np.float32)[3]) == pytest.approx(4000, abs=300)
    assert size_of([vector, vector]) == pytest.approx(4000, abs=300)
    assert size_of({"a": ("x" * 5000, {"y" * 3000})}) == pytest.approx(8000, abs=700)
    assert size_of(Kept("k" * 9000, 1, 2.0, 3)) == pytest.approx(9000, abs=300)
    cycle: list[object] = []
    cycle.append(cycle)
    assert size_of(cycle) < 200
    assert size_of(["x" * 10 for _ in range(10)]) < size_of([str(n) * 10 for n in range(10)])


def test_the_layers_are_four_settings_of_one_cache() -> None:
    assert [(each.category, each.ttl, each.entries) for each in LAYERS] == [
        ("embedding", 86_400, 10_000),
        ("prompt", 3600, 1000),
        ("query", 1800, 5000),
        ("general", 3600, 1000),
    ]
    now = 0.0
    caches = Caches(clock=lambda: now)
    for category in caches:
        for number in range(1001):
            caches[category].put(f"{category}:{number}", number)
    assert {name: stats.entries for name, stats in caches.stats().items()} == {
        "embedding": 1001,
        "prompt": 1000,
        "query": 1001,
        "general": 1000,
    }
    now = 1800.0
    assert [caches[name].get(f"{name}:500") for name in caches] == [500, 500, None, 500]
    assert caches.invalidate(pattern="*:1000") == 3
    assert caches.invalidate(category="prompt", pattern="general:*") == 0
    assert caches.invalidate(category="prompt") == 999
    now = 3600.0
    assert caches.invalidate() == 1000


def test_a_category_is_known_and_has_one_layer() -> None:
    with pytest.raises(ValueError, match="must be one of embedding, prompt, query, general"):
        Caches().invalidate(category="prompts")
    twice = Layer(category="a", ttl=1, entries=1)
    with pytest.raises(ValueError, match="different categories, got a, a"):
        Caches([twice, twice])


def test_what_was_begun_before_anything_that_is_known_is_not_kept() -> None:
    cache = Cache[int](ttl=60, entries=3)
    mark = cache.mark
    cache.apply([Rule("key", "other")] * 255)
    assert cache.put("a", 1, since=mark)
    cache.invalidate("other")
    assert not cache.put("a", 1, since=mark)
