"""Texts of many threads encoded together, where all cores are at work."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextcall.embedding.embedder import Embedder, check_texts
from nextcall.progress import Progress, silent

_Turn = Literal["encode"]


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A text, and who waits for its vector, or for the turn to encode."""

    text: str
    vector: "Future[NDArray[np.float32] | _Turn]" = field(default_factory=Future)


class GatheringEmbedder:
    """An embedder of which so many threads encode at a time; the others' texts come along next.

    Who finds a thread too many waits until one is done. What waits then is encoded in one batch, by
    one of those who wait, for all of them: a batch costs less than its texts one by one, and nobody
    waits for company. Where fewer ask than may encode, nothing changes. A call of several texts is
    a batch already, and is passed on.

    Parameters
    ----------
    embedder : Embedder
        May be called by many threads; the vector of a text must not depend on its neighbours but
        for rounding.
    side_by_side : int
        Threads that encode at a time, at least 1: the cores that they have.
    largest : int
        Texts of a batch at most, at least 1.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from nextcall.embedding import OnnxEmbedder
    >>> embedder = GatheringEmbedder(OnnxEmbedder(), side_by_side=1)
    >>> with ThreadPoolExecutor(3) as threads:
    ...     found = threads.map(embedder.encode, [["list users"], ["a"], ["drop a table"]])
    ...     [vectors.shape for vectors in found]
    [(1, 384), (1, 384), (1, 384)]
    """

    def __init__(self, embedder: Embedder, *, side_by_side: int, largest: int = 16) -> None:
        if side_by_side < 1:
            raise ValueError(f"side_by_side must be at least 1, got {side_by_side}.")
        if largest < 1:
            raise ValueError(f"largest must be at least 1, got {largest}.")
        self._embedder, self._free, self._largest = embedder, side_by_side, largest
        self._lock = Lock()
        self._waiting: deque[_Waiting] = deque()

    @property
    def name(self) -> str:
        """That of the embedder: the vectors are the same."""
        return self._embedder.name

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return self._embedder.dimensions

    def encode(self, texts: Sequence[str], *, progress: Progress = silent) -> NDArray[np.float32]:
        """Encode texts as the embedder does; one alone together with those of other threads.

        Raises
        ------
        TypeError
            Where `texts` is one string.
        """
        check_texts(texts)
        if len(texts) != 1:
            return self._embedder.encode(texts, progress=progress)
        own = _Waiting(texts[0])
        with self._lock:
            is_free = self._free > 0
            if is_free:
                self._free -= 1
            else:
                self._waiting.append(own)
        found = "encode" if is_free else own.vector.result()
        return self._encode_with_others(own.text) if isinstance(found, str) else found[None]

    def _encode_with_others(self, text: str) -> NDArray[np.float32]:
        """Encode a text and those that wait; then let the next thread begin."""
        with self._lock:
            count = min(len(self._waiting), self._largest - 1)
            others = [self._waiting.popleft() for _ in range(count)]
        try:
            vectors = self._embedder.encode([text, *(other.text for other in others)])
        except BaseException as error:
            for other in others:
                other.vector.set_exception(error)
            raise
        finally:
            self._pass_on()
        for other, vector in zip(others, vectors[1:], strict=True):
            other.vector.set_result(vector)
        return vectors[:1]

    def _pass_on(self) -> None:
        with self._lock:
            following = self._waiting.popleft() if self._waiting else None
            self._free += following is None
        if following is not None:
            following.vector.set_result("encode")
