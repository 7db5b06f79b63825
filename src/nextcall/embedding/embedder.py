"""What every encoder of text is to its users."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nextcall.progress import Progress, silent


class Embedder(Protocol):
    """Turns texts into unit vectors, so that a dot product of two of them is their cosine."""

    @property
    def name(self) -> str:
        """Model and settings, as far as they change the vectors; part of every cache key."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        ...

    def encode(self, texts: Sequence[str], *, progress: Progress = silent) -> NDArray[np.float32]:
        """Encode texts as an array of shape (len(texts), dimensions); every row has norm 1."""
        ...


def check_texts(texts: Sequence[str]) -> None:
    """Refuse one bare string, which is a sequence of its characters.

    Raises
    ------
    TypeError
        Where `texts` is a string.
    """
    if isinstance(texts, str):
        raise TypeError(f"texts must be a sequence of strings, got the string {texts[:40]!r}.")
