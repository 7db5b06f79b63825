import json
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcall.sessions.transitions import END, Transitions

_STATES = ("a", "b", "c", "d")
_START = "<start>"

sequences = st.lists(st.lists(st.sampled_from(_STATES), max_size=6), max_size=8)
histories = st.lists(st.sampled_from((*_STATES, "unknown")), max_size=5)
smoothings = st.tuples(st.floats(0.0, 0.95), st.floats(0.01, 4.0))


class PlainModel:
    """The formula of the docstring, one probability at a time."""

    def __init__(
        self, data: Sequence[Sequence[str]], order: int, discount: float, strength: float
    ) -> None:
        self.order, self.discount, self.strength = order, discount, strength
        self.seen: Counter[tuple[str, ...]] = Counter()
        for sequence in data:
            if not sequence:
                continue
            row = [_START, *sequence, END]
            for length in range(1, order + 1):
                for stop in range(length, len(row) + 1):
                    self.seen[tuple(row[stop - length : stop])] += 1
        self.seen[_START,] = 0

    def probability(self, context: tuple[str, ...], call: str) -> float:
        followers = [count for run, count in self.seen.items() if count and run[:-1] == context]
        shorter = self.probability(context[1:], call) if context else 1 / (len(_STATES) + 1)
        if not followers:
            return shorter
        own = max(self.seen[(*context, call)] - self.discount, 0)
        back = self.strength + self.discount * len(followers)
        return (own + back * shorter) / (sum(followers) + self.strength)

    def context(self, history: Sequence[str]) -> tuple[str, ...]:
        row = [_START, *history]
        known = next((i for i in range(len(row), 0, -1) if row[i - 1] == "unknown"), 0)
        return tuple(row[known:][max(0, len(row[known:]) - self.order + 1) :])


@settings(max_examples=50)
@given(sequences, histories, st.integers(1, 4), smoothings)
def test_probabilities_agree_with_the_plain_definition(
    data: list[list[str]], history: list[str], order: int, smoothing: tuple[float, float]
) -> None:
    discount, strength = smoothing
    model = Transitions.fit(data, states=_STATES, order=order, discount=discount, strength=strength)
    plain = PlainModel(data, order, discount, strength)
    expected = np.array(
        [plain.probability(plain.context(history), call) for call in (*_STATES, END)]
    )
    if not history:
        expected[-1] = 0
        expected /= expected.sum()
    np.testing.assert_allclose(model.probabilities(history, end=True), expected, rtol=1e-9)
    np.testing.assert_allclose(
        model.probabilities(history), expected[:-1] / expected[:-1].sum(), rtol=1e-9
    )


@settings(max_examples=50)
@given(sequences, histories, st.integers(1, 4))
def test_distributions_sum_to_one(data: list[list[str]], history: list[str], order: int) -> None:
    model = Transitions.fit(data, states=_STATES, order=4)
    for end in (False, True):
        following = model.probabilities(history, order=order, end=end)
        assert following.sum() == pytest.approx(1)
        assert (following[: model.n_states] > 0).all()
    assert model.start.sum() == pytest.approx(1)
    np.testing.assert_allclose(model.matrix.sum(axis=1), 1)


@pytest.mark.parametrize("end", [False, True])
@settings(max_examples=50)
@given(data=sequences, history=histories, among=st.lists(st.integers(0, 4)))
def test_some_entries_are_those_of_the_whole(
    data: list[list[str]], history: list[str], among: list[int], *, end: bool
) -> None:
    model = Transitions.fit(data, states=_STATES)
    whole = np.append(model.probabilities(history, end=end), [] if end else [0.0])
    some = model.probabilities(history, end=end, among=np.array(among, dtype=np.int64))
    np.testing.assert_allclose(some, whole[among], rtol=1e-12)


@settings(max_examples=50)
@given(sequences)
def test_an_unseen_history_says_what_the_shorter_one_says(data: list[list[str]]) -> None:
    model = Transitions.fit(data, states=_STATES)
    seen = {pair for row in data for pair in zip([_START, *row][:-1], row, strict=True)}
    for first in _STATES:
        for second in _STATES:
            if (first, second) not in seen:
                np.testing.assert_array_equal(
                    model.probabilities([first, second]),
                    model.probabilities([first, second], order=2),
                )


@settings(max_examples=50)
@given(sequences)
def test_the_matrix_is_the_bigram_model(data: list[list[str]]) -> None:
    model = Transitions.fit(data, states=_STATES)
    assert model.matrix.shape == (4, 5)
    for row, state in zip(model.matrix, model.states, strict=True):
        np.testing.assert_allclose(row, model.probabilities([state], order=2, end=True))


def test_without_contexts_every_row_of_the_matrix_is_the_frequency() -> None:
    model = Transitions.fit([["a", "b"], ["a"]], order=1, discount=0, strength=1e-12)
    np.testing.assert_allclose(model.matrix, [[2 / 5, 1 / 5, 2 / 5]] * 2)
    np.testing.assert_allclose(model.start, [2 / 3, 1 / 3])


def test_the_estimate_converges_to_the_chain_that_made_the_data() -> None:
    rng = np.random.default_rng(5)
    start = rng.dirichlet(np.ones(4))
    matrix = rng.dirichlet(np.ones(5), size=4)

    def session() -> list[str]:
        state = int(rng.choice(4, p=start))
        row = []
        while state < 4:
            row.append(_STATES[state])
            state = int(rng.choice(5, p=matrix[state]))
        return row

    data = [session() for _ in range(4000)]
    errors = []
    for size in (40, 400, 4000):
        model = Transitions.fit(data[:size], states=_STATES)
        errors.append(max(np.abs(model.matrix - matrix).max(), np.abs(model.start - start).max()))
    assert errors[2] < errors[1] < errors[0]
    assert errors[2] < 0.04  # four standard errors of a share of 1,000 draws are 0.06
    lengths = np.array([len(row) for row in data])
    model = Transitions.fit(data, states=_STATES)
    inner = model.matrix[:, :4]
    expected_length = model.start @ np.linalg.solve(np.eye(4) - inner, np.ones(4))
    assert expected_length == pytest.approx(lengths.mean(), rel=0.03)


def test_trigrams_see_what_bigrams_cannot() -> None:
    model = Transitions.fit([["a", "b", "c"], ["d", "b", "a"]] * 20)
    assert model.states[model.probabilities(["a", "b"]).argmax()] == "c"
    assert model.states[model.probabilities(["d", "b"]).argmax()] == "a"
    bigram = model.probabilities(["a", "b"], order=2)
    assert bigram[model.positions["c"]] == pytest.approx(bigram[model.positions["a"]], rel=0.02)


@settings(max_examples=50)
@given(sequences)
def test_the_probabilities_of_all_sessions_sum_to_one(data: list[list[str]]) -> None:
    model = Transitions.fit(data, states=("a", "b"))
    short = [[], ["a"], ["b"], ["a", "a"], ["a", "b"], ["b", "a"], ["b", "b"]]
    finished = sum(np.exp(model.log_likelihood(row)) for row in short)
    unfinished = sum(
        np.exp(model.log_probabilities([*row, call])[:3].sum())
        for row in short[3:]
        for call in "ab"
    )
    assert finished + unfinished == pytest.approx(1)


def test_what_is_no_session_of_the_states_has_probability_zero() -> None:
    model = Transitions.fit([["a", "b"]])
    assert model.log_likelihood([]) == -np.inf
    assert model.log_likelihood(["a", "unknown"]) == -np.inf
    assert np.isfinite(model.log_probabilities(["a", "unknown", "b"])[[0, 2, 3]]).all()


@settings(max_examples=50)
@given(sequences, st.integers(1, 4))
def test_json_gives_the_model_back_exactly(data: list[list[str]], order: int) -> None:
    model = Transitions.fit(data, states=_STATES, order=order)
    again = Transitions.from_dict(json.loads(json.dumps(model.to_dict())))
    assert again.to_dict() == model.to_dict()
    np.testing.assert_array_equal(again.windows, model.windows)
    np.testing.assert_array_equal(
        again.probabilities(["b", "a"], end=True), model.probabilities(["b", "a"], end=True)
    )


def test_operations_outside_the_states_break_runs() -> None:
    cut = Transitions.fit([["a", "x", "b"]], states=("a", "b"))
    assert (
        cut.log_probabilities(["a", "b"])[1]
        < Transitions.fit([["a", "b"]]).log_probabilities(["a", "b"])[1]
    )
    np.testing.assert_array_equal(cut.probabilities(["a", "x"]), cut.probabilities([], order=1))


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"states": ()}, "states must be at least one operation id"),
        ({"states": ("a", "a")}, "2, 1 of them different"),
        ({"states": (END,)}, "without '<end>'"),
        ({"order": 0}, "order must be at least 1, got 0"),
        ({"discount": 1.0}, r"discount must be in \[0, 1\), got 1.0"),
        ({"strength": -1.0}, "strength must be at least 0"),
        ({"strength": 0.0, "discount": 0.0}, "above 0 where discount is 0"),
    ],
)
def test_fit_refuses(options: dict[str, object], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        Transitions.fit([["a", "b"]], **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("order", [0, 4])
def test_probabilities_refuses_an_order_it_did_not_count(order: int) -> None:
    with pytest.raises(ValueError, match=f"order must be between 1 and 3, got {order}"):
        Transitions.fit([["a"]]).probabilities([], order=order)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        (
            {"windows": [[0, 0, 9]], "counts": [1]},
            "windows must hold codes from 0 to 3, got 0 to 9",
        ),
        ({"windows": [[0, 0, 2]], "counts": [1]}, "windows must end in a state"),
        ({"counts": [1]}, "counts must be 2 numbers of at least 1, got 1"),
        ({"counts": [1, 0]}, "counts must be 2 numbers of at least 1, got 2"),
    ],
)
def test_from_dict_refuses(changes: dict[str, object], rule: str) -> None:
    values = Transitions.fit([["a"]]).to_dict()
    with pytest.raises(ValueError, match=rule):
        Transitions.from_dict(values | changes)
