import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nextcall.embedding.embedder import Embedder
from nextcall.embedding.static_embedder import LONGEST, StaticEmbedder
from nextcall.embedding.wordpieces import N_PIECES, open_tokenizer

T = TypeVar("T")
DIMENSIONS = 6
LIST, USER, ALL = 2862, 5310, 2035
PAIRS = np.array([LIST * N_PIECES + ALL, ALL * N_PIECES + USER], dtype=np.int64)
PAIRS.sort()


@pytest.fixture(scope="module")
def vectors() -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    drawn: NDArray[np.float32] = rng.standard_normal(
        (N_PIECES + len(PAIRS), DIMENSIONS), dtype=np.float32
    )
    drawn[USER] = 0
    return drawn


@pytest.fixture(scope="module")
def embedder(vectors: NDArray[np.float32]) -> StaticEmbedder:
    return StaticEmbedder.of(vectors, pairs=PAIRS, blank=np.ones(DIMENSIONS), teacher="drawn")


def by_hand(vectors: NDArray[np.float32], text: str) -> NDArray[np.float64]:
    """The definition: a sum over pieces and known pairs of the vectors before they were rounded."""
    pieces = open_tokenizer(max_tokens=LONGEST).encode(text, add_special_tokens=False).ids
    total = np.zeros(DIMENSIONS)
    for piece in pieces:
        total += vectors[piece]
    for left, right in pairwise(pieces):
        for row, key in enumerate(PAIRS.tolist()):
            if key == left * N_PIECES + right:
                total += vectors[N_PIECES + row]
    norm = np.linalg.norm(total)
    return total / norm if norm else np.full(DIMENSIONS, DIMENSIONS**-0.5)


@pytest.mark.parametrize(
    "text", ["list all user", "all user list", "list all users, and all of them", "", "user", " "]
)
def test_a_vector_is_the_sum_of_its_pieces_and_pairs(
    embedder: StaticEmbedder, vectors: NDArray[np.float32], text: str
) -> None:
    np.testing.assert_allclose(embedder.encode([text])[0], by_hand(vectors, text), atol=0.03)


def test_rounding_moves_no_value_by_more_than_half_a_step(
    embedder: StaticEmbedder, vectors: NDArray[np.float32]
) -> None:
    kept = embedder.table * embedder.steps[:, None]
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    assert np.all(np.abs(kept - vectors) <= largest / 254 * 1.0001)


def test_pairs_tell_orders_of_words_apart(embedder: StaticEmbedder) -> None:
    one, other = embedder.encode(["list all user", "user all list"])
    assert one @ other < 0.99


@given(texts=st.lists(st.text(max_size=30), max_size=4))
def test_any_text_has_a_finite_unit_vector(embedder: Embedder, texts: list[str]) -> None:
    vectors = embedder.encode(texts)
    assert vectors.shape == (len(texts), embedder.dimensions)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_what_is_longer_than_the_teacher_reads_is_cut(embedder: StaticEmbedder) -> None:
    words = ["list"] * LONGEST
    whole, longer = embedder.encode([" ".join(words), " ".join([*words, "all"])])
    np.testing.assert_array_equal(whole, longer)


def test_one_embedder_serves_many_threads(vectors: NDArray[np.float32]) -> None:
    fresh = StaticEmbedder.of(vectors, pairs=PAIRS, blank=np.ones(DIMENSIONS), teacher="drawn")
    texts = ["list all users", "unbelievably reticulating splines"]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(fresh.encode, [texts] * 8))
    for vectors_of_one in found:
        np.testing.assert_array_equal(vectors_of_one, fresh.encode(texts))


def test_progress_is_told_of_every_text(embedder: StaticEmbedder) -> None:
    seen: list[tuple[str, int | None]] = []

    def record(iterable: Iterable[T], *, description: str, total: int | None = None) -> Iterable[T]:
        seen.append((description, total))
        return iterable

    embedder.encode(["list", "all"], progress=record)
    assert seen == [("embedding texts", 2)]


def test_the_name_changes_with_anything_that_changes_vectors(
    embedder: StaticEmbedder, vectors: NDArray[np.float32]
) -> None:
    def named(values: NDArray[np.float32], pairs: NDArray[np.int64], blank: float = 1.0) -> str:
        blanks = np.ones(DIMENSIONS)
        blanks[0] = blank
        return StaticEmbedder.of(values, pairs=pairs, blank=blanks, teacher="other").name

    changed = vectors.copy()
    changed[7, 3] += 1
    assert named(vectors, PAIRS) == embedder.name
    names = {
        embedder.name,
        named(changed, PAIRS),
        named(vectors * 2, PAIRS),
        named(vectors, PAIRS + 1),
        named(vectors, PAIRS, blank=2.0),
    }
    assert len(names) == 5


def test_one_string_is_refused(embedder: StaticEmbedder) -> None:
    with pytest.raises(TypeError, match="must be a sequence of strings"):
        embedder.encode("list users")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"table": np.zeros((N_PIECES, 3), dtype=np.float32)},
            "table must be of int8, got float32.",
        ),
        ({"pairs": np.zeros(0, dtype=np.int32)}, "pairs must be of int64, got int32."),
        ({"table": np.zeros((5, 3), dtype=np.int8)}, "table must have 30,522 rows"),
        ({"table": np.zeros(N_PIECES, dtype=np.int8)}, "got shape (30522,)"),
        ({"steps": np.ones(4, dtype=np.float32)}, "steps and blank must have shapes"),
        ({"blank": np.ones(2, dtype=np.float32)}, "got (30522,) and (2,)"),
        ({"blank": np.ones(3, dtype=np.float32)}, "blank must have norm 1, got 1.7321."),
        ({"blank": np.full(3, np.nan, dtype=np.float32)}, "blank must have norm 1, got nan."),
        ({"steps": np.full(N_PIECES, np.nan, dtype=np.float32)}, "steps must be finite"),
        ({"steps": np.full(N_PIECES, -1, dtype=np.float32)}, "steps must be finite"),
        ({"pairs": np.array([4, 4]), "n": 2}, "pairs must ascend from 0 on"),
        ({"pairs": np.array([-1]), "n": 1}, "pairs must ascend from 0 on"),
        ({"pairs": np.array([N_PIECES**2]), "n": 1}, "pairs must ascend from 0 on"),
    ],
)
def test_arrays_that_make_no_encoder_are_refused(
    changes: dict[str, NDArray[np.generic] | int], message: str
) -> None:
    n_rows = N_PIECES + int(changes.pop("n", 0))
    arrays = {
        "table": np.zeros((n_rows, 3), dtype=np.int8),
        "steps": np.ones(n_rows, dtype=np.float32),
        "pairs": np.zeros(0, dtype=np.int64),
        "blank": np.array([0, 1, 0], dtype=np.float32),
    }
    with pytest.raises(ValueError, match=re.escape(message)):
        StaticEmbedder(**(arrays | changes), teacher="none")  # type: ignore[arg-type]  # on purpose
