"""N-grams, counted once more by sets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from nextcall.guard import grams
from nextcall.guard.grams import BLOCKS, GRAMS, add_scores, gram_places, logistic, mix

_CONCEPTS = np.array([False, True, True, False])


def _run(codes: list[int], tokens: list[int], kernel: object = gram_places) -> list[set[int]]:
    places = np.empty(3 * len(codes) + 19 * len(tokens), np.int32)
    counts = np.empty(4, np.int32)
    seen = np.zeros(GRAMS, np.uint8)
    size = kernel(  # type: ignore[operator]
        np.array(codes, np.uint32), np.array(tokens, np.uint64), _CONCEPTS, seen, places, counts
    )
    assert size == counts.sum()
    assert not seen.any()
    blocks = np.split(places[:size], np.cumsum(counts)[:-1])
    assert all(len(set(block)) == len(block) for block in blocks)
    return [set(block.tolist()) for block in blocks]


def _hash(values: list[int], start: int, bits: int) -> int:
    for value in values:
        start = int(mix(start, value))
    return int(mix(start, 77)) >> (32 - bits)


def _expected(codes: list[int], tokens: list[int]) -> list[set[int]]:
    classes = [token >> 32 for token in tokens]
    hashes = [token & 0xFFFFFFFF for token in tokens]
    at = [place for place, kind in enumerate(classes) if _CONCEPTS[kind]]
    starts = np.cumsum([0, *(1 << bits for bits in BLOCKS)]).tolist()
    runs = {
        _hash([kind + 1 for kind in classes[a:b]], 1, BLOCKS[0])
        for a in range(len(classes))
        for b in range(a + 1, min(len(classes), a + 5) + 1)
    }
    pairs = set()
    for i, a in enumerate(at):
        for j, b in enumerate(at[i + 1 : i + 7], i + 1):
            if b - a <= 14:
                pairs.add(_hash([classes[a] + 1, classes[b] + 1], 2, BLOCKS[1]))
                if j == i + 1 and j + 1 < len(at) and at[j + 1] - a <= 14:
                    three = [classes[a] + 1, classes[b] + 1, 5, classes[at[j + 1]] + 1]
                    pairs.add(_hash(three, 2, BLOCKS[1]))
    words = {
        _hash(hashes[a : a + n], 3, BLOCKS[2]) for n in (1, 2) for a in range(len(hashes) - n + 1)
    }
    characters = {
        _hash(codes[a : a + n], 4, BLOCKS[3]) for n in (3, 4, 5) for a in range(len(codes) - n + 1)
    }
    blocks = (runs, pairs, words, characters)
    return [{start + one for one in block} for start, block in zip(starts, blocks, strict=False)]


_TOKENS = st.lists(
    st.builds(lambda kind, word: kind << 32 | word, st.integers(0, 3), st.integers(0, 5)),
    max_size=40,
)
_CODES = st.lists(st.integers(97, 99), max_size=20)


@given(_CODES, _TOKENS)
def test_places_are_those_of_the_sets(codes: list[int], tokens: list[int]) -> None:
    assert _run(codes, tokens) == _expected(codes, tokens)


def test_the_loops_say_the_same_uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mix", "_put", "_class_runs", "_concepts_in_order"):
        monkeypatch.setattr(grams, name, getattr(grams, name).py_func)
    tokens = [kind << 32 | place for place, kind in enumerate([1, 0, 2, 1, *[0] * 20, 2, 1, 2])]
    codes = [97, 98, 97, 98, 97]
    assert _run(codes, tokens, gram_places.py_func) == _run(codes, tokens)


@pytest.mark.parametrize("kernel", [add_scores, add_scores.py_func])
@pytest.mark.parametrize("traits", [[], [1, 3]])
def test_scores_are_means_times_roots(kernel: object, traits: list[int]) -> None:
    weights = np.arange(12, dtype=np.float32).reshape(6, 2)
    scores = np.array([1.0, 0.0])
    places, counts = np.array([0, 2, 4, 5], np.int32), np.array([3, 0, 1], np.int32)
    kernel(places, counts, np.array(traits, np.int64), weights, scores)  # type: ignore[operator]
    expected = np.array([1.0, 0.0]) + weights[[0, 2, 4]].sum(axis=0) / np.sqrt(3) + weights[5]
    assert scores == pytest.approx(expected + weights[traits].sum(axis=0))


@pytest.mark.parametrize("kernel", [logistic, logistic.py_func])
def test_risks_are_logistic(kernel: object) -> None:
    rng = np.random.default_rng(0)
    scores, thresholds, slopes = rng.normal(size=(5, 3)), rng.normal(size=3), rng.random(3)
    scores[0], scores[1] = 1e9, -1e9
    risks = kernel(scores, thresholds, slopes)  # type: ignore[operator]
    assert risks == pytest.approx(expit(slopes * (scores - thresholds)))
