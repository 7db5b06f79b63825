"""Which operations hold each term: tables of operations by terms, turned round."""

from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy import sparse


class TermLists(NamedTuple):
    """What stands in a table of operations by terms, term by term, rows ascending in each."""

    weights: NDArray[np.float32]
    rows: NDArray[Any]
    """Ascending in each term."""
    starts: NDArray[Any]
    """Where each term begins, and the last ends, shape (n_terms + 1,)."""

    @classmethod
    def of(cls, terms: NDArray[np.int32], weights: NDArray[np.float32], n_terms: int) -> Self:
        """Turn a table round; what weighs nothing is left out.

        Parameters
        ----------
        terms, weights : arrays of shape (n_operations, n)
            As `TermTables` holds them.

        Examples
        --------
        >>> terms = np.array([[1, 0], [1, 2]], dtype=np.int32)  # of two terms; 2 pads
        >>> lists = TermLists.of(terms, np.array([[0.5, 1], [0.25, 0]], dtype=np.float32), 2)
        >>> lists.rows.tolist(), lists.weights.tolist(), lists.starts.tolist()
        ([0, 0, 1], [1.0, 0.5, 0.25], [0, 1, 3])
        """
        rows, places = np.nonzero(weights)
        found = terms[rows, places]
        order = np.argsort(found, kind="stable")
        counts = np.bincount(found, minlength=n_terms)
        return cls(
            weights[rows, places][order],
            rows[order],
            np.concatenate([[0], np.cumsum(counts)]),
        )

    def matrix(self, n_operations: int) -> "sparse.csr_array":
        """Give the weights as a matrix, terms by operations."""
        from scipy import sparse  # noqa: PLC0415  # 10 MB, and a ranker asks for no matrix

        return sparse.csr_array(self, shape=(len(self.starts) - 1, n_operations))
