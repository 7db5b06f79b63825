"""Kernels over terms beside loops over dicts, compiled and as plain Python."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nextcall.catalog.graph_kernels import fed_rows, flows, givers, raise_to, wanted_terms

N_TERMS, WIDTH = 6, 4
one_row = st.dictionaries(
    st.integers(0, N_TERMS - 1), st.floats(0.0625, 1, width=32), max_size=WIDTH
)
tables = st.lists(one_row, min_size=1, max_size=5)
values = st.lists(st.just(0.0) | st.floats(0.0625, 1, width=32), min_size=N_TERMS, max_size=N_TERMS)


def padded(table: list[dict[int, float]]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    terms = np.full((len(table), WIDTH), N_TERMS, dtype=np.int32)
    weights = np.zeros((len(table), WIDTH), dtype=np.float32)
    for row, own in enumerate(table):
        terms[row, : len(own)] = list(own)
        weights[row, : len(own)] = list(own.values())
    return terms, weights


def with_padding(some: list[float]) -> NDArray[np.float32]:
    return np.array([*some, 0], dtype=np.float32)


@given(table=tables, before=values, data=st.data())
def test_known_terms_rise_to_the_highest_that_was_said(
    table: list[dict[int, float]], before: list[float], data: st.DataObject
) -> None:
    called = data.draw(st.lists(st.integers(0, len(table) - 1)))
    expected = [
        max([start, *(table[row].get(term, 0.0) for row in called)])
        for term, start in enumerate(before)
    ]
    for kernel in (raise_to, raise_to.py_func):
        known = with_padding(before)
        kernel(known, *padded(table), np.array(called, dtype=np.int64))
        assert known.tolist() == [*expected, 0]


@given(table=tables, given_=values, data=st.data())
def test_what_is_given_of_the_terms_of_rows_is_summed(
    table: list[dict[int, float]], given_: list[float], data: st.DataObject
) -> None:
    rows = data.draw(st.lists(st.integers(0, len(table) - 1)))
    expected = [sum(w * given_[term] for term, w in table[row].items()) for row in rows]
    for kernel in (fed_rows, fed_rows.py_func):
        sums = kernel(*padded(table), np.array(rows, dtype=np.int64), with_padding(given_))
        assert sums == pytest.approx(expected, rel=1e-5)


@given(table=tables, open_=values, data=st.data())
def test_what_rows_want_is_summed_by_term(
    table: list[dict[int, float]], open_: list[float], data: st.DataObject
) -> None:
    shares = data.draw(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=len(table)))
    rows = np.arange(len(shares))
    expected = [
        sum(share * table[row].get(term, 0.0) * left for row, share in enumerate(shares))
        for term, left in enumerate(open_)
    ]
    for kernel in (wanted_terms, wanted_terms.py_func):
        wanted = kernel(
            *padded(table), rows, np.array(shares, dtype=np.float32), with_padding(open_)
        )
        assert wanted == pytest.approx([*expected, 0], rel=1e-5, abs=1e-7)


@given(table=tables, demand=values, least=st.sampled_from([0.0, 0.2, 0.5]))
def test_givers_are_all_that_give_something_of_what_is_demanded(
    table: list[dict[int, float]], demand: list[float], least: float
) -> None:
    lists = [[row for row, own in enumerate(table) if term in own] for term in range(N_TERMS)]
    chances = [table[row][term] for term, rows in enumerate(lists) for row in rows]
    expected = {
        row: sum(demand[term] * w for term, w in own.items() if demand[term] > least)
        for row, own in enumerate(table)
        if any(demand[term] > least for term in own)
    }
    for kernel in (givers, givers.py_func):
        rows, shares = kernel(
            with_padding(demand),
            least,
            np.array(chances, dtype=np.float32),
            np.array([row for listed in lists for row in listed], dtype=np.int64),
            np.cumsum([0, *map(len, lists)]),
            len(table),
        )
        found = dict(zip(rows.tolist(), shares.tolist(), strict=True))
        assert found == pytest.approx(expected, rel=1e-5)


@given(tables=st.lists(st.tuples(one_row, one_row), min_size=1, max_size=5), data=st.data())
def test_flows_are_what_their_parts_say(
    tables: list[tuple[dict[int, float], dict[int, float]]], data: st.DataObject
) -> None:
    rows_of = st.lists(st.integers(0, len(tables) - 1), max_size=3)
    rows = np.array(data.draw(rows_of), dtype=np.int64)
    called = np.array(data.draw(rows_of), dtype=np.int64)
    terms, required = padded([needs for needs, _ in tables])
    weights: NDArray[np.float32] = required * np.float32(0.5)
    taken: NDArray[np.float32] = required * np.float32(0.25)
    yields = padded([gives for _, gives in tables])
    shares = np.full(len(rows), 0.5, dtype=np.float32)
    lacking: NDArray[np.float32]
    last, known = np.zeros((2, N_TERMS + 1), dtype=np.float32)
    raise_to(last, *yields, called[-1:])
    raise_to(known, *yields, called)
    by_last, by_all = (fed_rows(terms, weights, rows, given) for given in (last, known))
    raise_to(known, terms, taken, called)
    lacking = np.float32(1) - known
    unmet = fed_rows(terms, required, rows, lacking)
    demand = wanted_terms(terms, required, rows, shares, lacking)
    expected = by_last, by_all, unmet, fed_rows(*yields, rows, demand) / (1 + unmet)
    for kernel in (flows, flows.py_func):
        found = kernel((terms, weights, required, taken), yields, rows, called, shares, N_TERMS)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6)
