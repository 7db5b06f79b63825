"""Loops over what operations need and yield: known terms, flows, and who meets a demand.

Rows of terms are padded at their end with the last term, whose weight is 0.
"""

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled

_Floats = NDArray[np.float32]
_Terms = NDArray[np.int32]
_Rows = NDArray[np.int64]
_Indices = NDArray[np.int32]  # as SciPy holds them


@compiled()
def raise_to(known: _Floats, terms: _Terms, weights: _Floats, called: _Rows) -> None:
    """Raise what is known of each term to what some operations say of it, in place.

    Parameters
    ----------
    known : array of shape (n_terms + 1,)
    terms, weights : arrays of shape (n_operations, width)
        What each operation says.
    called : array of shape (n_calls,)
        Rows of the operations.
    """
    pad = len(known) - 1
    for row in called:
        for j in range(terms.shape[1]):
            term = terms[row, j]
            if term == pad:
                break
            known[term] = max(known[term], weights[row, j])


@compiled()
def fed_rows(terms: _Terms, weights: _Floats, rows: _Rows, given: _Floats) -> _Floats:
    """Sum up for some rows what is given of their terms, times their weights.

    Parameters
    ----------
    terms, weights : arrays of shape (n_operations, width)
    rows : array of shape (n_rows,)
    given : array of shape (n_terms + 1,)

    Returns
    -------
    array of shape (n_rows,)
    """
    pad = len(given) - 1
    sums = np.zeros(len(rows), dtype=np.float32)
    for i in range(len(rows)):
        row = rows[i]
        for j in range(terms.shape[1]):
            term = terms[row, j]
            if term == pad:
                break
            sums[i] += weights[row, j] * given[term]
    return sums


@compiled()
def wanted_terms(
    terms: _Terms, weights: _Floats, rows: _Rows, shares: _Floats, open_: _Floats
) -> _Floats:
    """Sum up over some rows what each term weighs for them.

    Parameters
    ----------
    terms, weights : arrays of shape (n_operations, width)
    rows : array of shape (n_rows,)
    shares : array of shape (n_rows,)
        How much each row counts.
    open_ : array of shape (n_terms + 1,)
        How much of each term counts.

    Returns
    -------
    array of shape (n_terms + 1,)
    """
    pad = len(open_) - 1
    wanted = np.zeros(len(open_), dtype=np.float32)
    for i in range(len(rows)):
        row = rows[i]
        for j in range(terms.shape[1]):
            term = terms[row, j]
            if term == pad:
                break
            wanted[term] += weights[row, j] * open_[term] * shares[i]
    return wanted


@compiled()
def givers(
    demand: _Floats,
    least: float,
    data: _Floats,
    rows: _Indices,
    starts: _Indices,
    n_operations: int,
) -> tuple[_Rows, _Floats]:
    """Sum up for each operation what it gives of a demand.

    Parameters
    ----------
    demand : array of shape (n_terms + 1,)
        Terms of at most `least` are left out.
    data, rows, starts : arrays
        Term t is given by row ``rows[i]`` with chance ``data[i] > 0`` for each i from
        ``starts[t]`` up to ``starts[t + 1]``.

    Returns
    -------
    tuple of arrays of shape (n_found,)
        Rows that give something, each once, and how much.
    """
    given = np.zeros(n_operations, dtype=np.float32)
    found = np.empty(n_operations, dtype=np.int64)
    n = 0
    for term in range(len(demand) - 1):
        if demand[term] > least:
            for i in range(starts[term], starts[term + 1]):
                row = rows[i]
                if given[row] == 0:
                    found[n] = row
                    n += 1
                given[row] += data[i] * demand[term]
    return found[:n], given[found[:n]]


@compiled()
def flows(
    needs: tuple[_Terms, _Floats, _Floats, _Floats],
    yields: tuple[_Terms, _Floats],
    rows: _Rows,
    called: _Rows,
    shares: _Floats,
    n_terms: int,
) -> tuple[_Floats, _Floats, _Floats, _Floats]:
    """Give how some rows stand to some calls and to each other.

    Parameters
    ----------
    needs : tuple of arrays of shape (n_operations, width)
        Terms, weights, and the weights of what is required and of what is taken.
    yields : tuple of arrays of shape (n_operations, width)
        Terms and weights.
    rows : array of shape (n_rows,)
    called : array of shape (n_calls,)
        Oldest first.
    shares : array of shape (n_rows,)
        How much each row counts.
    n_terms : int
        Without the padding.

    Returns
    -------
    tuple of four arrays of shape (n_rows,)
        The fields of `Flow`, in their order.
    """
    terms, weights, required, taken = needs
    yielded, chances = yields
    one = np.float32(1)
    known = np.zeros(n_terms + 1, dtype=np.float32)
    by_last = np.zeros(len(rows), dtype=np.float32)
    by_all = np.zeros(len(rows), dtype=np.float32)
    if len(called):
        raise_to(known, yielded, chances, called[-1:])
        by_last = fed_rows(terms, weights, rows, known)
        raise_to(known, yielded, chances, called)
        by_all = fed_rows(terms, weights, rows, known)
        raise_to(known, terms, taken, called)
    lacking = one - known
    unmet = fed_rows(terms, required, rows, lacking)
    demand = wanted_terms(terms, required, rows, shares, lacking)
    feeds = fed_rows(yielded, chances, rows, demand) / (one + unmet)
    return by_last, by_all, unmet, feeds
