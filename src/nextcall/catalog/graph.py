"""The operation graph: which operation's output feeds which one's input.

Operations are joined through the entities that they need and yield. The graph is kept in that
factored form, never as a table of pairs: what is known after some calls, and what likely calls
still lack, are vectors over entities, and every question is a product with one of them.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextcall.catalog.catalog import Catalog
from nextcall.catalog.graph_kernels import fed_rows, flows, givers, raise_to, wanted_terms
from nextcall.catalog.term_files import load_tables, save_tables
from nextcall.catalog.term_lists import TermLists
from nextcall.catalog.terms import TermTables

if TYPE_CHECKING:
    from scipy import sparse

_VERSION: Final = 1  # of what is inferred; a file of another version is not read
_BLOCK: Final = 1024  # operations whose edges are computed at once
_TINY: Final = 1e-9
# Of the strongest demand. Weaker ones take time and change little: without them a true first hop is
# among the first ten for 0.872 of AWS's prompts, with them for 0.874.
_FAINT: Final = 0.03

_Floats = NDArray[np.float32]
_Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """How candidates stand to the calls so far and to one another, each of shape (n_candidates,).

    Weights are sums over entities of how surely one is given and how much it matters; mostly below
    1, and comparable within a catalogue.
    """

    fed_by_last: _Floats
    """Weight of what the last call gave back for the candidate; 0 where there was no call."""
    fed_by_history: _Floats
    """Weight of what all calls so far gave back for it; at least `fed_by_last`."""
    unmet_needs: _Floats
    """Number of required entities that are not known yet and that some operation gives."""
    feeds_candidates: _Floats
    """Share of the candidates that wait for what this one gives; less where it waits itself."""


@dataclass(frozen=True)
class OperationGraph:
    """Who feeds whom in a catalogue; `build` infers one."""

    tables: TermTables

    def __len__(self) -> int:
        return len(self.tables)

    @classmethod
    def build(cls, catalog: Catalog) -> "OperationGraph":
        """Infer the graph from names, paths and summaries; 1.5 CPU seconds for 18,000 operations.

        An entity that operations of several services work on (a cluster) is looked for in the
        needing operation's own service first, elsewhere by one over the number of services.

        Examples
        --------
        >>> from nextcall.catalog import describe_operation
        >>> paths = ("/search/person", "/person/{person_id}/credits")
        >>> graph = OperationGraph.build(Catalog("films", tuple(
        ...     describe_operation(operation_id=f"GET {path}", method="GET", path=path)
        ...     for path in paths)))
        >>> graph.needs(1), [rows.tolist() for rows, _ in (graph.producers(1), graph.consumers(0))]
        (('person',), [[0], [1]])
        """
        return cls(TermTables.build(catalog))

    @classmethod
    def cached(cls, catalog: Catalog, directory: Path) -> "OperationGraph":
        """Read what an earlier call for the same content left in a folder, or build and keep it."""
        path = directory / f"graph-{_VERSION}-{catalog.content_hash}.npz"
        if (kept := load_tables(path)) is not None:
            return cls(kept)
        built = cls.build(catalog)
        save_tables(path, built.tables)
        return built

    @cached_property
    def _needing(self) -> "sparse.csr_array":
        """Edge weights of needs, terms by operations."""
        tables = self.tables
        found = TermLists.of(tables.need_terms, tables.need_weights, len(tables.terms))
        return found.matrix(len(self))

    @cached_property
    def _givers(self) -> TermLists:
        """Chances of yields of each term."""
        tables = self.tables
        return TermLists.of(tables.yield_terms, tables.yield_weights, len(tables.terms))

    @cached_property
    def _yielding(self) -> "sparse.csr_array":
        """Chances of yields, terms by operations."""
        return self._givers.matrix(len(self))

    def producers(self, row: int) -> tuple[_Rows, _Floats]:
        """Give the operations that feed this one, and the edges' weights, strongest first."""
        return _strongest(self._needing[:, [row]].T.tocsr() @ self._yielding, without=row)

    def consumers(self, row: int) -> tuple[_Rows, _Floats]:
        """Give the operations that this one feeds, and the edges' weights, strongest first."""
        return _strongest(self._yielding[:, [row]].T.tocsr() @ self._needing, without=row)

    def edges(self, *, least: float = 0.1) -> "sparse.csr_array":
        """Give the weight of every edge, from producer (row) to consumer (column).

        Parameters
        ----------
        least : float
            Edges of a smaller weight are left out, as are those of an operation to itself.
        """
        from scipy import sparse  # noqa: PLC0415  # as in TermLists

        yields = self._yielding.T.tocsr()
        rows, columns, weights = [], [], []
        for start in range(0, len(self), _BLOCK):
            part = (yields[start : start + _BLOCK] @ self._needing).tocoo()
            kept = (part.data >= least) & (part.row + start != part.col)
            rows.append(part.row[kept] + start)
            columns.append(part.col[kept])
            weights.append(part.data[kept])
        places = np.concatenate(rows), np.concatenate(columns)
        return sparse.csr_array((np.concatenate(weights), places), shape=(len(self), len(self)))

    def needs(self, row: int) -> tuple[str, ...]:
        """Give the entities that an operation takes and some operation gives, heaviest first."""
        terms = self.tables.need_terms[row]
        known = terms[terms < len(self.tables.terms)]
        return tuple(dict.fromkeys(map(self.tables.entity, known)))

    def yields(self, row: int) -> dict[str, float]:
        """Give the chances of what an operation gives and some operation takes, likeliest first."""
        chances = zip(self.tables.yield_terms[row], self.tables.yield_weights[row], strict=True)
        return {self.tables.entity(term): float(chance) for term, chance in chances if chance > 0}

    def returned(self, called: ArrayLike) -> _Floats:
        """Give how surely some calls gave each term back, shape (n_terms + 1,).

        Parameters
        ----------
        called : array-like of shape (n_calls,)
            Rows of the operations called.
        """
        given = np.zeros(len(self.tables.terms) + 1, dtype=np.float32)
        rows = np.asarray(called, dtype=np.int64)
        raise_to(given, self.tables.yield_terms, self.tables.yield_weights, rows)
        return given

    def known(self, called: ArrayLike) -> _Floats:
        """Give how surely each term is known after some calls, shape (n_terms + 1,).

        That is what they gave back, and what they cannot have been called without.

        Parameters
        ----------
        called : array-like of shape (n_calls,)
            Rows of the operations called.
        """
        return self._with_taken(self.returned(called), np.asarray(called, dtype=np.int64))

    def satisfied(self, row: int, called: ArrayLike) -> float:
        """Give the share of an operation's required entities that is known; 1 where there is none.

        Parameters
        ----------
        row : int
            Row of the operation.
        called : array-like of shape (n_calls,)
            Rows of the operations called before it.
        """
        required = self.tables.need_required[row]
        total = float(required.sum())
        known = self.known(called)[self.tables.need_terms[row]]
        return float(required @ known) / total if total else 1.0

    def demanded(self, rows: ArrayLike, weights: ArrayLike, known: _Floats) -> _Floats:
        """Give which share of likely operations lacks each term, shape (n_terms + 1,).

        Parameters
        ----------
        rows : array-like of shape (n_candidates,)
            Operations that look right.
        weights : array-like of shape (n_candidates,)
            How right they look, non-negative; only their proportions count.
        known : array of shape (n_terms + 1,)
            As `known` gives it.
        """
        chosen = np.asarray(rows, dtype=np.int64)
        terms, required = self.tables.need_terms, self.tables.need_required
        return wanted_terms(terms, required, chosen, _shares(weights), 1 - known)

    def first_hops(self, demand: _Floats, known: _Floats, *, n: int) -> tuple[_Rows, _Floats]:
        """Give the operations of the whole catalogue that best meet a demand, best first.

        Parameters
        ----------
        demand : array of shape (n_terms + 1,)
            As `demanded` gives it.
        known : array of shape (n_terms + 1,)
            As `known` gives it.
        n : int
            At most so many; none that gives nothing of the demand. Demands of less than 3 % of the
            strongest are left out.

        Returns
        -------
        tuple of arrays of shape (n_found,)
            Rows, and their shares of the demand as in `Flow.feeds_candidates`.

        Raises
        ------
        ValueError
            Where `n` is below 1.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}.")
        least = _FAINT * float(demand[:-1].max(initial=0.0))
        rows, given = givers(demand, least, *self._givers, len(self))
        scores = given / (1 + self._unmet(rows, known))
        best = np.argsort(-scores, kind="stable")[:n]
        return rows[best], scores[best]

    def flow(self, rows: ArrayLike, called: ArrayLike, weights: ArrayLike) -> Flow:
        """Give how each candidate stands to the calls so far and to the other candidates.

        Parameters
        ----------
        rows : array-like of shape (n_candidates,)
            Rows of the candidates.
        called : array-like of shape (n_calls,)
            Rows of the operations called, oldest first.
        weights : array-like of shape (n_candidates,)
            How right each candidate looks for the prompt, non-negative; only proportions count.
        """
        tables = self.tables
        by_last, by_all, unmet, feeds = flows(
            (tables.need_terms, tables.need_weights, tables.need_required, tables.need_taken),
            (tables.yield_terms, tables.yield_weights),
            np.asarray(rows, dtype=np.int64),
            np.asarray(called, dtype=np.int64),
            _shares(weights),
            len(tables.terms),
        )
        return Flow(
            fed_by_last=by_last, fed_by_history=by_all, unmet_needs=unmet, feeds_candidates=feeds
        )

    def _with_taken(self, returned: _Floats, called: _Rows) -> _Floats:
        """Raise what calls gave back to what is known after them, in place."""
        raise_to(returned, self.tables.need_terms, self.tables.need_taken, called)
        return returned

    def _unmet(self, rows: _Rows, known: _Floats) -> _Floats:
        """Give how much each row lacks."""
        return fed_rows(self.tables.need_terms, self.tables.need_required, rows, 1 - known)


def _shares(weights: ArrayLike) -> _Floats:
    """Divide weights by their sum."""
    weight = np.asarray(weights, dtype=np.float32)
    shares: _Floats = weight / np.float32(max(float(weight.sum()), _TINY))
    return shares


def _strongest(found: "sparse.csr_array", *, without: int) -> tuple[_Rows, _Floats]:
    """Give columns and values of a matrix of one row, largest value first."""
    kept = found.indices != without
    rows, weights = found.indices[kept], found.data[kept]
    order = np.lexsort((rows, -weights))
    return rows[order].astype(np.int64), weights[order].astype(np.float32)
