"""What a ranker finds of a prompt alone: no call before it changes that, so it may be kept."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from nextcall.ranking.candidates import Search, search_terms
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.prompt_terms import PromptTerms

_OF_ITSELF: Final = 1_000  # bytes of CPython 3.11 on 64 bits: the objects around the numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptView:
    """A prompt as one ranker sees it over one index; some kilobytes, whatever the catalogue's size.

    The scores of all operations by their words are no part of it: to sum them up anew takes a
    seventh of the time of a search.
    """

    terms: PromptTerms
    vector: NDArray[np.float32]
    """The prompt, shape (dimensions,)."""
    nearest: NDArray[np.int64]
    """Rows whose vectors are nearest, best first, shape (n_nearest,)."""
    similarity: float
    """The cosine of the first."""
    none_probability: float | None
    """Probability that no operation of the catalogue answers; None where that is not known."""

    @classmethod
    def of(cls, found: Search, none_probability: float | None) -> Self:
        """Take what is worth keeping of a search."""
        return cls(
            terms=found.terms,
            vector=found.vector,
            nearest=found.listed[0, : found.counts[0]].copy(),
            similarity=found.best["dense"],
            none_probability=none_probability,
        )

    def search(self, index: CatalogIndex) -> Search:
        """Give what `search` gives for the prompt, bit for bit.

        Parameters
        ----------
        index : CatalogIndex
            The one that was searched.
        """
        return search_terms(index, self.terms, self.vector, self.nearest, self.similarity)

    @property
    def nbytes(self) -> int:
        """What it takes in memory, about."""
        words = self.terms.ids.nbytes + self.terms.bigrams.nbytes
        return _OF_ITSELF + words + self.vector.nbytes + self.nearest.nbytes
