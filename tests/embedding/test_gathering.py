"""Many threads, few of which encode at a time."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from nextcall.embedding import OnnxEmbedder
from nextcall.embedding.gathering import GatheringEmbedder
from nextcall.progress import Progress, silent


class Gated:
    """Encodes a text as its length, once it may; remembers its batches."""

    name = "gated"
    dimensions = 1

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.may = threading.Semaphore(0)
        self.begun = threading.Semaphore(0)

    def encode(self, texts: Sequence[str], *, progress: Progress = silent) -> NDArray[np.float32]:
        del progress
        self.batches.append(list(texts))
        self.begun.release()
        assert self.may.acquire(timeout=60)
        if "bad" in texts:
            raise ValueError("bad is no text.")
        return np.array([[len(text)] for text in texts], np.float32)


@pytest.fixture
def gated() -> Gated:
    return Gated()


def wait_for(embedder: GatheringEmbedder, count: int) -> None:
    """Wait until so many texts wait."""
    pause = threading.Event()
    for _ in range(6_000):
        if len(embedder._waiting) == count:
            return
        pause.wait(0.01)
    raise AssertionError(f"{count} texts should wait")


def test_what_waits_is_encoded_at_once_and_each_has_its_own(gated: Gated) -> None:
    embedder = GatheringEmbedder(gated, side_by_side=1)
    texts = ["a", "bb", "ccc", "dddd"]
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(embedder.encode, texts[:1])]
        assert gated.begun.acquire(timeout=60)
        asked += [threads.submit(embedder.encode, [text]) for text in texts[1:]]
        wait_for(embedder, 3)
        gated.may.release(2)
        found = [each.result(60) for each in asked]
    assert [vectors.tolist() for vectors in found] == [[[len(text)]] for text in texts]
    assert gated.batches[0] == ["a"]
    assert sorted(gated.batches[1]) == texts[1:]
    assert len(gated.batches) == 2


def test_a_batch_has_its_largest_and_the_rest_follows(gated: Gated) -> None:
    embedder = GatheringEmbedder(gated, side_by_side=1, largest=2)
    with ThreadPoolExecutor(6) as threads:
        asked = [threads.submit(embedder.encode, ["a"])]
        assert gated.begun.acquire(timeout=60)
        asked += [threads.submit(embedder.encode, ["b" * n]) for n in range(2, 7)]
        wait_for(embedder, 5)
        gated.may.release(4)
        assert [each.result(60).item() for each in asked] == [1, 2, 3, 4, 5, 6]
    assert [len(batch) for batch in gated.batches] == [1, 2, 2, 1]


def test_so_many_encode_side_by_side(gated: Gated) -> None:
    embedder = GatheringEmbedder(gated, side_by_side=2)
    with ThreadPoolExecutor(3) as threads:
        asked = [threads.submit(embedder.encode, [text]) for text in ("a", "bb", "ccc")]
        for _ in range(2):
            assert gated.begun.acquire(timeout=60)
        wait_for(embedder, 1)
        assert [len(batch) for batch in gated.batches] == [1, 1]
        gated.may.release(3)
        assert [each.result(60).item() for each in asked] == [1, 2, 3]


def test_an_error_reaches_all_of_its_batch_and_nobody_after(gated: Gated) -> None:
    embedder = GatheringEmbedder(gated, side_by_side=1)
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(embedder.encode, ["a"])
        assert gated.begun.acquire(timeout=60)
        others = [threads.submit(embedder.encode, [text]) for text in ("bad", "cc")]
        wait_for(embedder, 2)
        gated.may.release(2)
        assert first.result(60).item() == 1
        for each in others:
            with pytest.raises(ValueError, match="bad is no text"):
                each.result(60)
    gated.may.release()
    assert embedder.encode(["dddd"]).item() == 4


def test_several_texts_are_passed_on_as_they_are(gated: Gated) -> None:
    embedder = GatheringEmbedder(gated, side_by_side=1)
    gated.may.release(2)
    assert embedder.encode(["a", "bb"]).tolist() == [[1], [2]]
    assert embedder.encode([]).size == 0
    assert gated.batches == [["a", "bb"], []]


def test_vectors_are_those_of_the_embedder() -> None:
    plain = OnnxEmbedder()
    embedder = GatheringEmbedder(plain, side_by_side=1)
    assert (embedder.name, embedder.dimensions) == (plain.name, plain.dimensions)
    texts = [f"{verb} {thing}" for verb in ("list", "drop") for thing in ("a table", "users", "q")]
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(embedder.encode, [[text] for text in texts]))
    np.testing.assert_allclose(np.concatenate(found), plain.encode(texts), atol=1e-5)


def test_options_out_of_their_range_are_refused(gated: Gated) -> None:
    with pytest.raises(ValueError, match=r"side_by_side must be at least 1, got 0\."):
        GatheringEmbedder(gated, side_by_side=0)
    with pytest.raises(ValueError, match=r"largest must be at least 1, got 0\."):
        GatheringEmbedder(gated, side_by_side=1, largest=0)
    with pytest.raises(TypeError, match="texts must be a sequence"):
        GatheringEmbedder(gated, side_by_side=1).encode("text")
