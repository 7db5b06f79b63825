"""Odd orders of calls: against the model's own likelihood, planted ones, and real sets."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from nextcall.anomaly import session_orders
from nextcall.anomaly.session_orders import SessionOrders
from nextcall.catalog import Catalog, describe_operation
from nextcall.locations import shared_dir
from nextcall.sessions import calls_of
from nextcall.sessions.call import Session
from nextcall.sessions.jsonl import read_queries
from nextcall.sessions.queries import observed_sessions
from nextcall.sessions.table import sessions_to_frame
from nextcall.synth import simulate

_VERBS = ("list", "get", "create", "update", "delete")
_NOUNS = ("orders", "users", "carts", "items", "labels", "news", "rates", "tags")


def table(sequences: list[list[str]]) -> pd.DataFrame:
    return sessions_to_frame(
        [
            Session(session_id=f"s{place:05}", user_id="u", calls=calls_of(calls))
            for place, calls in enumerate(sequences)
        ]
    )


def sequences_of(frame: pd.DataFrame) -> list[list[str]]:
    return [calls.tolist() for _, calls in frame.groupby("session_id", sort=False)["operation_id"]]


@pytest.fixture(scope="module")
def simulated() -> list[list[str]]:
    paths = {"list": "", "get": "/{id}", "create": "", "update": "/{id}", "delete": "/{id}"}
    methods = {"list": "GET", "get": "GET", "create": "POST", "update": "PUT", "delete": "DELETE"}
    catalog = Catalog(
        "shop",
        tuple(
            describe_operation(
                operation_id=f"{verb}_{noun}", method=methods[verb], path=f"/{noun}{paths[verb]}"
            )
            for noun in _NOUNS
            for verb in _VERBS
        ),
    )
    drawn = simulate(catalog, rng=np.random.default_rng(0), n_sessions=1200)
    return sequences_of(drawn.sessions)


@pytest.fixture(scope="module")
def fitted(simulated: list[list[str]]) -> SessionOrders:
    return SessionOrders(rate=0.05).fit(table(simulated[:800]))


def shuffled(calls: list[str], rng: np.random.Generator) -> list[str]:
    order = list(calls)
    while order == calls:
        order = [calls[place] for place in rng.permutation(len(calls))]
    return order


def long_ones(sequences: list[list[str]]) -> list[list[str]]:
    return [calls for calls in sequences if len(calls) >= 4 and len(set(calls)) > 1]


def test_excess_is_surprise_less_entropy(fitted: SessionOrders, simulated: list[list[str]]) -> None:
    """The model's log-likelihood, without the ends that this detector does not look at."""
    for calls in simulated[800:830]:
        surprise = entropy = 0.0
        for step, call in enumerate(calls):
            shares = fitted.model_.probabilities(calls[:step])
            surprise -= math.log(shares[fitted.model_.positions[call]])
            entropy -= float(shares @ np.log(shares))
        told = fitted.score(table([calls]))["s00000"]
        assert told.excess == pytest.approx((surprise - entropy) / (len(calls) + 4))
        assert (told.calls, told.unknown) == (len(calls), 0)


def test_planted_orders_are_found(fitted: SessionOrders, simulated: list[list[str]]) -> None:
    rng = np.random.default_rng(1)
    usual = long_ones(simulated[800:])
    known = fitted.model_.states
    odd = {
        "shuffled": ([shuffled(calls, rng) for calls in usual], 0.7),
        "random calls": (
            [[call if rng.random() > 0.5 else known[rng.integers(len(known))] for call in calls]
             for calls in usual],
            0.8,
        ),
    }  # fmt: skip
    for sequences, least in odd.values():
        scores = fitted.score_samples(table(usual + sequences))
        labels = np.arange(len(scores)) >= len(usual)
        assert roc_auc_score(labels, -scores) > least


def test_the_rate_holds_on_usual_sessions(
    fitted: SessionOrders, simulated: list[list[str]]
) -> None:
    odd = fitted.predict(table(simulated[800:])) == -1
    assert 0.02 < odd.mean() < 0.1
    assert len(fitted.held_out_[0]) == 800
    assert len(fitted.held_out_[-1]) >= 20


def test_the_most_surprising_call_is_named(
    fitted: SessionOrders, simulated: list[list[str]]
) -> None:
    calls = next(calls for calls in long_ones(simulated[800:]) if len(calls) >= 6)
    told = fitted.score(table([[*calls[:4], "never_seen", *calls[4:]]]))["s00000"]
    assert told.unknown == 1
    assert (told.strangest.step, told.strangest.operation_id) == (4, "never_seen")
    shares = fitted.model_.probabilities(calls[:4])
    assert told.strangest.expected[0] == (fitted.model_.states[shares.argmax()], shares.max())
    assert len(told.strangest.expected) == 3
    odd = fitted.score(table([["never_seen"] * 9]))["s00000"]
    assert odd.score >= 0.5
    assert odd.explanation.startswith("call 1 is never_seen, expected ")
    assert odd.explanation.endswith("sessions")
    usual = fitted.score(table([calls]))["s00000"]
    assert bool(usual.explanation) == (usual.score >= 0.5)


def sets_of(name: str) -> list[list[str]]:
    file = shared_dir() / Path("data/ranking", name, "queries.jsonl")
    if not file.exists():
        pytest.skip(f"{file} is not there")
    sessions = observed_sessions(read_queries(file))
    return [[call.operation_id for call in session.calls] for session in sessions]


def ever_odd(detector: SessionOrders, sequences: list[list[str]]) -> float:
    """Give the share of sessions that are told as odd at any call, each call by itself."""
    odd = 0
    for place, calls in enumerate(sequences):
        odd += max([detector.update(call, str(place)) for call in calls]) >= 0.5
        detector.forget(str(place))
    return odd / len(sequences)


@pytest.mark.parametrize("rate", [0.05, 0.02])
def test_judged_at_every_call_usual_sessions_are_odd_at_the_rate(
    simulated: list[list[str]], rate: float
) -> None:
    shares = []
    for part in (simulated[:600], simulated[600:]):
        others = [calls for calls in simulated if calls not in part]
        shares.append(ever_odd(SessionOrders(rate=rate).fit(table(part)), others))
    assert rate / 2 < np.mean(shares) < 2 * rate


@pytest.mark.parametrize("name", ["tau_retail", "bfcl_multi_turn", "nestful_glaive_sgd"])
def test_judged_at_every_call_real_sessions_are_odd_at_no_more_than_twice_the_rate(
    name: str,
) -> None:
    """Of halves of some 50 to 100 sessions; where few of them repeat a call, at much less."""
    sequences = sets_of(name)
    shares = []
    for seed in range(8):
        order = np.random.default_rng(seed).permutation(len(sequences))
        drawn = [sequences[place] for place in order]
        detector = SessionOrders(rate=0.1).fit(table(drawn[::2]))
        shares.append(ever_odd(detector, drawn[1::2]))
    assert np.mean(shares) < 0.2


def test_what_was_odd_once_stays_so(fitted: SessionOrders, simulated: list[list[str]]) -> None:
    calls = next(calls for calls in long_ones(simulated[800:]) if len(calls) >= 6)
    scores = [fitted.update(call) for call in ["never_seen"] * 3 + calls * 20]
    excess = fitted.latest().excess
    fitted.forget()
    assert scores == sorted(scores)
    assert scores[-1] >= 0.5
    assert excess < fitted.highest_[-40]  # by now it is a usual session again
    assert len(fitted.highest_) == 800
    assert fitted.highest_[-1] == max(each[-1] for each in fitted.held_out_)


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from(["list_users", "get_users", "x", "y"])),
        min_size=1,
        max_size=30,
    )
)
@settings(max_examples=30, deadline=None)
def test_call_by_call_and_whole_sessions_are_the_same_bit_for_bit(
    fitted: SessionOrders, rows: list[tuple[str, str]]
) -> None:
    streamed = {}
    for session, call in rows:
        streamed[session] = fitted.update(call, session)
    explained = {session: fitted.latest(session) for session in streamed}
    for session in streamed:
        fitted.forget(session)
        fitted.forget(session)
    calls = {session: [call for of, call in rows if of == session] for session in streamed}
    sessions = [
        Session(session_id=session, user_id="u", calls=calls_of(calls[session]))
        for session in calls
    ]
    whole = fitted.score(sessions_to_frame(sessions))
    assert {session: told.score for session, told in whole.items()} == streamed
    assert whole == explained


def test_an_order_of_one_looks_at_frequencies_alone(simulated: list[list[str]]) -> None:
    detector = SessionOrders(order=1).fit(table(simulated[:100]))
    calls = long_ones(simulated)[0]
    one, two = detector.score_samples(table([calls, calls[::-1]]))
    assert one == pytest.approx(two)


def test_histories_are_forgotten_when_there_are_many(
    monkeypatch: pytest.MonkeyPatch, fitted: SessionOrders, simulated: list[list[str]]
) -> None:
    scores = fitted.score_samples(table(simulated[800:850]))
    monkeypatch.setattr(session_orders, "_KEPT", 5)
    detector = SessionOrders(rate=0.05).fit(table(simulated[:800]))
    assert detector.score_samples(table(simulated[800:850])).tolist() == scores.tolist()
    assert len(detector._moments) <= 5


def test_sessions_that_are_all_alike_leave_room_for_one_that_is_not() -> None:
    detector = SessionOrders(rate=0.05).fit(table([["a", "b"]] * 40 + [["b"]]))
    usual, odd = detector.score(table([["a", "b"], ["b", "a", "a", "a"]])).values()
    assert usual.score < 0.5
    assert odd.score >= 0.5
    assert detector.predict(table([["a", "b"]])).tolist() == [1]
    assert detector.score(table([])) == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 0.0}, "rate must be above 0 and at most 0.5, got 0.0"),
        ({"folds": 1}, "folds must be at least 2, got 1"),
        ({"order": 0}, "order must be at least 1, got 0"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SessionOrders(**options).fit(table([["a", "b"]] * 30))


def test_what_is_wrong_is_refused(fitted: SessionOrders) -> None:
    with pytest.raises(ValueError, match="at least 20 to learn from, got 3"):
        SessionOrders().fit(table([["a"]] * 3))
    with pytest.raises(ValueError, match="not fitted"):
        SessionOrders().update("a")
    with pytest.raises(ValueError, match="operation_id must be text and not empty, got ''"):
        fitted.update("")
    with pytest.raises(ValueError, match="operation_id must be text and not empty, got None"):
        fitted.update(None)  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        fitted.latest("nobody")


@pytest.mark.parametrize("name", ["tau_retail", "bfcl_multi_turn", "restbench_tmdb"])
def test_shuffled_real_sessions_are_odder_than_real_ones(name: str) -> None:
    sequences = sets_of(name)
    rng = np.random.default_rng(2)
    detector = SessionOrders().fit(table(sequences[::2]))
    usual = long_ones(sequences[1::2]) or [s for s in sequences[1::2] if len(set(s)) > 1]
    scores = detector.score_samples(table(usual + [shuffled(calls, rng) for calls in usual]))
    assert roc_auc_score(np.arange(len(scores)) >= len(usual), -scores) > 0.55
