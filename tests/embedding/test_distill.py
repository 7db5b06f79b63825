import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from nextcall.embedding.distill import (
    DISTILLATION,
    Distillation,
    _bags,
    _commonest_pairs,
    _departure,
    _rarity,
    _ridge_map,
    distill,
    fit_map,
    piece_vectors,
)
from nextcall.embedding.store import vectors_key
from nextcall.embedding.wordpieces import N_PIECES, WordPieces, piece_texts
from nextcall.progress import silent

DIMENSIONS = 6  # fewer than words: no linear map has them all right
WORDS = ("list", "make", "drop", "user", "order", "basket", "bill", "stock", "price", "shop")


@pytest.fixture(scope="module")
def pieces() -> NDArray[np.float32]:
    drawn = np.random.default_rng(0).standard_normal((N_PIECES, DIMENSIONS), dtype=np.float32)
    unit: NDArray[np.float32] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return unit


def phrases(n: int, *, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, size=3, replace=False)) for _ in range(n)]


def planted(texts: list[str], *, ordered: bool = False) -> NDArray[np.float32]:
    """Sums of one drawn vector a word, or a neighbouring pair, scaled to norm 1."""
    rng = np.random.default_rng(7)
    of_word = {word: rng.standard_normal(DIMENSIONS) for word in WORDS}
    of_pair = {(a, b): rng.standard_normal(DIMENSIONS) for a in WORDS for b in WORDS}
    totals = []
    for text in texts:
        words = text.split()
        total = np.sum([of_word[word] for word in words], axis=0)
        if ordered:
            total = total + 2 * of_pair[words[0], words[1]] + 2 * of_pair[words[1], words[2]]
        totals.append(total / np.linalg.norm(total))
    return np.array(totals, dtype=np.float32)


def cosine(embedder_vectors: NDArray[np.float32], targets: NDArray[np.float32]) -> float:
    return float(np.einsum("ij,ij->i", embedder_vectors, targets).mean())


def test_planted_vectors_of_words_are_found(pieces: NDArray[np.float32]) -> None:
    texts, others = phrases(300, seed=1), phrases(100, seed=2)
    loose = Distillation(pairs=0, ridge=0.01, steps=60)
    found = distill(texts, planted(texts), pieces=pieces, teacher="planted", settings=loose)
    stiff = Distillation(pairs=0, steps=0)
    mapped = distill(texts, planted(texts), pieces=pieces, teacher="planted", settings=stiff)
    missed = [1 - cosine(one.encode(others), planted(others)) for one in (found, mapped)]
    assert missed[0] < missed[1] / 4
    assert missed[0] < 0.05
    assert found.teacher == "planted"


def test_planted_vectors_of_pairs_need_pairs(pieces: NDArray[np.float32]) -> None:
    texts, others = phrases(1_500, seed=1), phrases(200, seed=2)
    fitted = {
        n: distill(
            texts,
            planted(texts, ordered=True),
            pieces=pieces,
            teacher="planted",
            settings=Distillation(pairs=n, ridge=0.05, steps=40),
        )
        for n in (0, 200)
    }
    goal = planted(others, ordered=True)
    without, with_pairs = (cosine(fitted[n].encode(others), goal) for n in (0, 200))
    assert 1 - with_pairs < (1 - without) / 2.5


def test_few_texts_stay_near_a_base_and_many_leave_it(pieces: NDArray[np.float32]) -> None:
    many = phrases(400, seed=1)
    base = fit_map(many, planted(many), pieces=pieces)
    drawn = np.random.default_rng(9).standard_normal(base.shape).astype(np.float32)
    alone = Distillation(pairs=0, steps=0)
    others = phrases(100, seed=2)

    def missed(n: int, start: NDArray[np.float32] | None, *, ridge: float) -> float:
        settings = replace(alone, base_ridge=ridge)
        texts = many[:n]
        found = distill(
            texts, planted(texts), pieces=pieces, teacher="t", base=start, settings=settings
        )
        return 1 - cosine(found.encode(others), planted(others))

    assert missed(3, base, ridge=100.0) < 0.7 * missed(3, None, ridge=100.0)
    wrong, right = missed(400, drawn, ridge=0.1), missed(400, None, ridge=0.1)
    assert wrong == pytest.approx(right, abs=0.01)  # what the texts say outweighs a wrong base
    assert missed(3, drawn, ridge=1e6) > 2 * missed(3, None, ridge=1e6)


def test_a_map_of_all_texts_is_the_start_of_distilling_them(pieces: NDArray[np.float32]) -> None:
    texts = phrases(200, seed=1)
    fitted = fit_map(texts, planted(texts), pieces=pieces)
    settings = Distillation(pairs=0, steps=0, base_ridge=1e9)
    with_it, without = (
        distill(
            texts, planted(texts), pieces=pieces, teacher="t", base=base, settings=settings
        ).encode(["user order", "weather"])
        for base in (fitted, None)
    )
    np.testing.assert_allclose(with_it, without, atol=0.02)


def test_a_word_of_no_text_keeps_its_mapped_vector(pieces: NDArray[np.float32]) -> None:
    texts = phrases(300, seed=1)
    both = [
        distill(
            texts,
            planted(texts),
            pieces=pieces,
            teacher="planted",
            settings=Distillation(pairs=0, steps=steps),
        )
        for steps in (0, 10)
    ]
    mapped, fitted = (embedder.encode(["weather", "user"]) for embedder in both)
    np.testing.assert_array_equal(mapped[0], fitted[0])
    assert mapped[1] @ fitted[1] < 0.999


def test_a_text_without_pieces_gets_the_mean_of_the_targets(pieces: NDArray[np.float32]) -> None:
    texts = phrases(20, seed=1)
    targets = planted(texts)
    found = distill(texts, targets, pieces=pieces, teacher="planted").encode([""])[0]
    mean = targets.mean(axis=0)
    np.testing.assert_allclose(found, mean / np.linalg.norm(mean), atol=1e-6)


def test_the_map_is_that_of_ridge_regression() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((50, 8)), rng.standard_normal((50, 8))
    expected = Ridge(alpha=0.7, fit_intercept=False).fit(x, y).coef_.T
    found = _ridge_map(x.astype(np.float32), y.astype(np.float32), 0.7)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_departure_solves_the_penalised_least_squares() -> None:
    rng = np.random.default_rng(4)
    bags = rng.poisson(0.3, (60, 15)).astype(np.float32)
    bags[:, 0] += 1  # none is empty
    start = rng.standard_normal((15, 5)).astype(np.float32)
    goal = bags @ start + rng.standard_normal((60, 5))
    targets = (goal / np.linalg.norm(goal, axis=1, keepdims=True)).astype(np.float32)
    sums = bags @ start
    lengths = np.maximum((sums * targets).sum(axis=1) / (sums**2).sum(axis=1), 0)
    scaled = lengths[:, None] * bags
    expected = np.linalg.solve(
        scaled.T @ scaled + 0.5 * np.eye(15), scaled.T @ (targets - scaled @ start)
    )
    settings = Distillation(ridge=0.5, steps=40)
    found = _departure(sp.csr_array(bags), targets, start, settings=settings, progress=silent)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_words_are_as_rare_as_in_english_where_texts_are_few() -> None:
    wordpieces = WordPieces(longest=4)
    (the, please, bucket, symbol) = (wordpieces.cut(w)[0] for w in ("the", "please", "bucket", "?"))
    few = _bags([[bucket]] * 4 + [[please]], np.empty(0, dtype=np.int64))
    rare = _rarity(few, Distillation())
    assert rare[the] < 0.01 < rare[symbol] < rare[please] < rare[bucket]
    own = _rarity(few, Distillation(english=0))
    assert own[bucket] == pytest.approx(np.log(6 / 5))
    assert own[the] == pytest.approx(np.log(6))
    many = _bags([[bucket]] * 400_000, np.empty(0, dtype=np.int64))
    assert _rarity(many, Distillation())[bucket] < 0.1 < rare[bucket]


cuts = st.lists(st.lists(st.integers(0, 5), max_size=6), min_size=1, max_size=6)


@given(cut=cuts, most=st.integers(0, 8))
def test_bags_count_pieces_and_pairs(cut: list[list[int]], most: int) -> None:
    pairs = _commonest_pairs(cut, most)
    found = _bags(cut, pairs).toarray()
    expected = np.zeros_like(found)
    for row, numbers in enumerate(cut):
        for number in numbers:
            expected[row, number] += 1
        for left, right in pairwise(numbers):
            for place, key in enumerate(pairs.tolist()):
                expected[row, N_PIECES + place] += key == left * N_PIECES + right
    np.testing.assert_array_equal(found, expected)
    seen = [left * N_PIECES + right for numbers in cut for left, right in pairwise(numbers)]
    left_out = [seen.count(key) for key in set(seen) - set(pairs.tolist())]
    assert len(pairs) == min(most, len(set(seen)))
    assert max(left_out, default=0) <= min((seen.count(key) for key in pairs), default=len(seen))


class PieceTeacher:
    """Encodes a text by its length: enough to see what is asked for and what is kept."""

    name = "lengths"
    dimensions = 2

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: list[str], *, progress: object = silent) -> NDArray[np.float32]:
        del progress
        self.asked += texts
        angles = np.array([len(text) for text in texts], dtype=np.float32)
        return np.column_stack([np.cos(angles), np.sin(angles)])


def test_vectors_of_pieces_are_asked_for_once(tmp_path: Path) -> None:
    teacher = PieceTeacher()
    first = piece_vectors(teacher, directory=tmp_path)  # type: ignore[arg-type]  # lists will do
    second = piece_vectors(teacher, directory=tmp_path)  # type: ignore[arg-type]  # as above
    assert teacher.asked == piece_texts()
    np.testing.assert_array_equal(first, second)
    key = vectors_key(teacher, piece_texts())  # type: ignore[arg-type]  # as above
    assert (tmp_path / f"{key}.npy").exists()


def test_wordpieces_of_the_words_here_are_words() -> None:
    assert [len(WordPieces(longest=5).cut(word)) for word in WORDS] == [1] * len(WORDS)


def test_what_does_not_fit_together_is_refused(pieces: NDArray[np.float32]) -> None:
    targets = planted(["list user order"])
    with pytest.raises(ValueError, match=re.escape("got shape (1, 6) for 2 texts")):
        distill(["list", "user"], targets, pieces=pieces, teacher="planted")
    with pytest.raises(ValueError, match="at least one row"):
        distill([], targets[:0], pieces=pieces, teacher="planted")
    with pytest.raises(ValueError, match="pieces must have 30,522 rows, got 9"):
        distill(["list user order"], targets, pieces=pieces[:9], teacher="planted")
    with pytest.raises(TypeError, match="must be a sequence of strings"):
        distill("list", targets, pieces=pieces, teacher="planted")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pairs": -1}, "pairs must be at least 0, got -1."),
        ({"english": -5.0}, "english must be at least 0, got -5.0."),
        ({"steps": -1}, "steps must be at least 0, got -1."),
        ({"ridge": 0.0}, "ridge must be above 0, got 0.0."),
        ({"map_ridge": -2.0}, "map_ridge must be above 0, got -2.0."),
        ({"pair_weight": float("nan")}, "pair_weight must be above 0, got nan."),
    ],
)
def test_settings_out_of_range_are_refused(options: dict[str, float], message: str) -> None:
    assert Distillation() == DISTILLATION
    with pytest.raises(ValueError, match=re.escape(message)):
        Distillation(**options)  # type: ignore[arg-type]  # numbers of either kind
