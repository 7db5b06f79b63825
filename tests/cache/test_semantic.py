"""Only what says the same is answered alike: held against a scan, and over real prompts."""

import re
import runpy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nextcall.cache.content_words import content_words
from nextcall.cache.semantic import Scope, SemanticCache
from nextcall.catalog import Catalog
from nextcall.embedding import OnnxEmbedder
from nextcall.sessions.awscli_examples import read_awscli_examples

SCOPE = Scope(caller_class="user", catalog_hash="c", model_hash="m", history=("a:B",), k=3)
SCOPES = (
    SCOPE,
    SCOPE._replace(caller_class="admin"),
    SCOPE._replace(catalog_hash="d"),
    SCOPE._replace(model_hash="n"),
    SCOPE._replace(history=()),
    SCOPE._replace(k=5),
)
ANGLES = st.integers(0, 6).map(lambda step: step * 0.15)  # one or two steps are near


def at(angle: float) -> NDArray[np.float32]:
    return np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)


@dataclass
class Kept:
    scope: Scope
    words: tuple[str, ...]
    angle: float
    value: int
    until: float


def best(kept: list[Kept], scope: Scope, prompt: str, angle: float) -> Kept | None:
    words = content_words(prompt)
    near = [
        (float(at(each.angle) @ at(angle)), each)
        for each in kept
        if each.scope == scope and each.words == words
    ]
    near = [pair for pair in near if pair[0] >= 0.95]
    return max(near, key=lambda pair: pair[0])[1] if near else None


STEP = st.tuples(
    st.sampled_from(["put", "put", "get", "get", "wait", "forget"]),
    st.sampled_from(SCOPES[:2]),
    st.sampled_from(["list users", "List the users!", "delete users", "the"]),
    ANGLES,
)


@given(st.lists(STEP, max_size=60))
def test_it_answers_as_a_scan_of_all_would(steps: list[tuple[str, Scope, str, float]]) -> None:
    now = 0.0
    cache = SemanticCache[int](dimensions=2, entries=4, ttl=10, clock=lambda: now)
    kept: list[Kept] = []  # the least recently used first
    hits = misses = evicted = expired = 0
    for number, (verb, scope, prompt, angle) in enumerate(steps):
        if verb == "wait":
            now += 10 * angle
        before = len(kept)
        kept = [each for each in kept if each.until > now]
        expired += before - len(kept)
        found = best(kept, scope, prompt, angle)
        if verb == "get":
            hit = cache.get(scope, prompt, at(angle))
            if found is None:
                misses += 1
                assert hit is None
            else:
                hits += 1
                kept.remove(found)
                kept.append(found)
                assert hit is not None
                assert hit.value == found.value
                assert hit.cosine == pytest.approx(np.cos(angle - found.angle), abs=1e-6)
        elif verb == "put":
            words = content_words(prompt)
            assert cache.put(scope, prompt, at(angle), number) == bool(words)
            if words:
                if found is not None:
                    kept.remove(found)
                elif len(kept) == 4:
                    del kept[0]
                    evicted += 1
                kept.append(Kept(scope, words, angle, number, now + 10))
        elif verb == "forget":
            others = [each for each in kept if each.scope != scope]
            asked = scope
            gone = cache.invalidate(lambda each: each == asked)  # noqa: B023  # asked at once
            assert gone == len(kept) - len(others)
            kept = others
        stats = cache.stats
        assert len(cache) == stats.entries == len(kept)
        assert (stats.hits, stats.misses) == (hits, misses)
        assert (stats.evicted, stats.expired) == (evicted, expired)
    assert cache.clear() == len(kept)
    assert cache.stats.size_bytes == 0


def test_unless_told_a_cosine_of_095_is_enough_and_an_hour_the_most() -> None:
    now = 0.0
    cache = SemanticCache[int](dimensions=2, clock=lambda: now)
    asked = np.array([1.0, 0.0], dtype=np.float32)
    scope = Scope(caller_class="user", catalog_hash="c", model_hash="m", k=3)
    for cosine, found in ((0.9501, 1), (0.9499, None)):
        cache.clear()
        near = np.array([cosine, (1 - cosine**2) ** 0.5], dtype=np.float32)
        assert cache.put(scope, "list the users", near, 1)
        hit = cache.get(scope, "List users", asked)
        assert (hit and hit.value) == found
    cache.put(scope, "list the users", asked, 2)
    now = 3599.9
    assert cache.get(scope, "list users", asked) is not None
    now = 3600.0
    assert cache.get(scope, "list users", asked) is None


def test_what_nobody_asked_for_longest_goes() -> None:
    cache = SemanticCache[int](dimensions=2, entries=3)
    for number in range(3):
        cache.put(SCOPE, f"list {number}", at(0), number)
    assert cache.get(SCOPE, "list 0", at(0)) is not None
    cache.put(SCOPE, "list 3", at(0), 3)
    cache.put(SCOPE, "list 4", at(0), 4)
    given = [cache.get(SCOPE, f"list {number}", at(0)) for number in range(5)]
    assert [hit and hit.value for hit in given] == [0, None, None, 3, 4]
    assert cache.stats.evicted == 2


def test_scopes_share_nothing() -> None:
    cache = SemanticCache[int](dimensions=2)
    for number, scope in enumerate(SCOPES):
        assert cache.get(scope, "list users", at(0)) is None
        cache.put(scope, "list users", at(0), number)
    for number, scope in enumerate(SCOPES):
        hit = cache.get(scope, "List users.", at(0.1))
        assert hit is not None
        assert hit.value == number


@pytest.mark.parametrize(
    ("name", "value"),
    [("dimensions", 0), ("ttl", 0), ("entries", 0), ("threshold", 0), ("threshold", 1.01)],
)
def test_options_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be above 0"):
        SemanticCache[int](**{"dimensions": 2, name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "vector", [np.zeros(2), np.full(2, np.nan), at(0) * 2, np.ones(3), at(0)[:1]]
)
def test_a_vector_that_is_none_is_refused(vector: NDArray[np.float32]) -> None:
    cache = SemanticCache[int](dimensions=2)
    with pytest.raises(ValueError, match="vector must"):
        cache.get(SCOPE, "list users", vector)
    with pytest.raises(ValueError, match="vector must"):
        cache.put(SCOPE, "list users", vector, 1)
    assert len(cache) == 0


BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def rates() -> Iterator[dict[str, Any]]:
    """Give the functions of the benchmark that says how often what is answered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        yield runpy.run_path(str(BENCHMARKS / "semantic_rates.py"))


@pytest.fixture(scope="module")
def titles(all_of_aws: Catalog) -> dict[str, frozenset[str]]:
    """Give what people ask of AWS in the order of their hashes, and what answers it."""
    queries = read_awscli_examples(all_of_aws)
    found = {query.prompt: frozenset(query.relevant) for query in queries}
    order = np.random.default_rng(0).permutation(len(found))
    prompts = list(found)
    return {prompts[place]: found[prompts[place]] for place in order}


@pytest.fixture(scope="module")
def embedder() -> OnnxEmbedder:
    return OnnxEmbedder(max_tokens=48)


def test_no_title_is_answered_with_what_says_another_thing(
    titles: dict[str, frozenset[str]], embedder: OnnxEmbedder, rates: dict[str, Any]
) -> None:
    found = rates["changed_rates"](rates["changed_titles"](titles, most=30), embedder)
    assert found["pairs"] >= 1000
    assert found["near"] >= 200  # that vectors alone would have answered
    assert found["answered"] == 0


def test_what_two_operations_answer_is_told_apart_but_for_titles_that_say_the_same(
    titles: dict[str, frozenset[str]],
) -> None:
    """Of 6,000 titles those of the same words differ in articles and forms of the verb alone."""
    by_words: dict[tuple[str, ...], list[str]] = {}
    for title in titles:
        by_words.setdefault(content_words(title), []).append(title)
    articles = re.compile(r"\b(?:to|a|an|the|your|our|my)\b|[^\w'%]|'s\b", re.IGNORECASE)
    for same in by_words.values():
        bare = [articles.sub(" ", title).casefold().split() for title in same]
        assert len({(verb[:3], *rest) for verb, *rest in bare}) == 1, same


@pytest.mark.parametrize(
    "kind", ["case", "question mark", "space", "no to", "no articles", "how do I", "I want to"]
)
def test_what_says_the_same_in_another_way_is_answered(
    kind: str,
    titles: dict[str, frozenset[str]],
    embedder: OnnxEmbedder,
    rates: dict[str, Any],
) -> None:
    found = rates["variant_rates"](kind, list(titles)[:60], embedder)
    assert found["asked"] >= 40
    assert found["same words"] == 1.0
    assert found["answered"] >= 0.85


def test_what_was_begun_before_an_invalidation_is_not_kept() -> None:
    cache = SemanticCache[int](dimensions=2)
    mark = cache.mark
    assert cache.put(SCOPE, "list users", at(0), 1, since=mark)
    cache.clear()
    assert not cache.put(SCOPE, "list users", at(0), 2, since=mark)
    assert cache.get(SCOPE, "list users", at(0)) is None
    assert cache.put(SCOPE, "list users", at(0), 3, since=cache.mark)
