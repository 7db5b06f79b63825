import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nextcall.synth.chain import WeightedRows, check_chain, walk_chain

START = np.array([0.7, 0.3])
MATRIX = np.array([[0.5, 0.3, 0.2], [0.0, 0.6, 0.4]])

weights = st.lists(st.sampled_from([0.0, 0.1, 1.0, 3.0]), max_size=4)


@given(st.lists(weights, min_size=1, max_size=6), st.floats(0, 1, exclude_max=True))
def test_draw_agrees_with_a_search_in_each_row(rows: list[list[float]], uniform: float) -> None:
    offsets = np.cumsum([0, *(len(row) for row in rows)])
    table = WeightedRows.of_rows(offsets, [weight for row in rows for weight in row])
    drawn = table.draw(np.arange(len(rows)), np.full(len(rows), uniform))
    for row, place, first in zip(rows, drawn.tolist(), offsets.tolist(), strict=False):
        if not sum(row):
            assert place == -1
            continue
        assert row[place - first] > 0
        before, after = sum(row[: place - first]), sum(row[: place - first + 1])
        assert before / sum(row) - 1e-9 <= uniform <= after / sum(row) + 1e-9


def test_a_number_just_below_one_stays_in_its_row() -> None:
    table = WeightedRows.of_matrix(np.tile([0.5, 0.5, 0.0], (9000, 1)))
    rows = np.arange(9000)
    assert (table.draw(rows, np.full(9000, np.nextafter(1.0, 0.0))) == rows * 3 + 1).all()


@pytest.mark.parametrize("bad", [[-1.0, 2.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_weights_must_be_weights(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="weights must be finite and at least 0"):
        WeightedRows.of_matrix([bad])


@pytest.mark.parametrize("offsets", [[0, 1], [1, 2], [0, 3, 2]])
def test_offsets_must_cover_the_weights(offsets: list[int]) -> None:
    with pytest.raises(ValueError, match="offsets must ascend from 0 to 2"):
        WeightedRows.of_rows(offsets, [1.0, 1.0])


def test_lengths_follow_the_phase_type_law(rng: np.random.Generator) -> None:
    n = 20_000
    _, lengths = walk_chain(START, MATRIX, n, rng=rng)
    inner, ending = MATRIX[:, :2], MATRIX[:, 2]
    expected = np.array(
        [START @ np.linalg.matrix_power(inner, step) @ ending for step in range(12)]
    )
    expected = np.append(expected, 1 - expected.sum()) * n
    counts = np.bincount(np.minimum(lengths - 1, 12), minlength=13)
    assert stats.chisquare(counts, expected).pvalue > 0.001


def test_transitions_follow_the_matrix(rng: np.random.Generator) -> None:
    states, lengths = walk_chain(START, MATRIX, 20_000, rng=rng)
    first = np.cumsum(lengths) - lengths
    assert stats.binomtest(int((states[first] == 1).sum()), 20_000, 0.3).pvalue > 0.001
    following = np.append(states[1:], 2)
    following[np.cumsum(lengths) - 1] = 2
    for state in (0, 1):
        counts = np.bincount(following[states == state], minlength=3)
        possible = MATRIX[state] > 0
        assert not counts[~possible].any()
        chances = MATRIX[state, possible] * counts.sum()
        assert stats.chisquare(counts[possible], chances).pvalue > 0.001


def test_a_chain_without_end_is_cut(rng: np.random.Generator) -> None:
    states, lengths = walk_chain([1.0], [[1.0, 0.0]], 3, rng=rng, max_calls=5)
    assert lengths.tolist() == [5, 5, 5]
    assert len(states) == 15


def test_arguments_out_of_range_are_refused(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="n_sessions must be at least 1, got 0"):
        walk_chain(START, MATRIX, 0, rng=rng)
    with pytest.raises(ValueError, match="max_calls must be at least 1, got 0"):
        walk_chain(START, MATRIX, 1, rng=rng, max_calls=0)
    with pytest.raises(ValueError, match="a row for each state of start and one column more"):
        check_chain(START, MATRIX[:, :2])
    with pytest.raises(ValueError, match="start must hold probabilities"):
        check_chain([0.5, 0.4], MATRIX)
    with pytest.raises(ValueError, match="matrix must hold probabilities"):
        check_chain([1.0], [[1.5, -0.5]])
