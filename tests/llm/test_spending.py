"""What a day cost, beside the same from its calls one by one."""

from dataclasses import astuple, dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import isnan

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from nextcall.llm import calls
from nextcall.llm.budget import Budget
from nextcall.llm.call_ledger import Outcome
from nextcall.llm.calls import call_frame, forget_old
from nextcall.llm.day_cost import DayCost
from nextcall.llm.ledger import Ledger
from nextcall.llm.model import BILLION, TIERS, Model, Tier
from nextcall.llm.spending import read_spending
from nextcall.llm.tables import CALL, DAY
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
TODAY = NOON.date()
CENT = BILLION // 100
SMALL = Model(name="small", provider="cloud", input_price=Decimal(1))
LARGE = Model(name="large", provider="cloud", input_price=Decimal(5))
LOCAL = Model(name="small", provider="local")


@dataclass
class Clock:
    """A clock that goes on where a test lets it."""

    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def migrated(database: Database) -> Database:
    migrate(database)
    return database


@pytest.fixture
def ledger(migrated: Database, clock: Clock) -> Ledger:
    return Ledger(migrated, budget=Budget(daily_usd=1, prediction_usd=0.02), clock=clock)


@dataclass(frozen=True, kw_only=True)
class Made:
    """A call as a test makes it; without an outcome it has not ended."""

    model: Model = SMALL
    tier: Tier = "low"
    purpose: str = "run"
    most: int = CENT
    outcome: Outcome | None = "ok"
    cost: int = CENT
    seconds: float = 1.0
    tokens: tuple[int, int, int] = (0, 0, 0)


def make(ledger: Ledger, made: Made) -> None:
    call = ledger.reserve(made.model, tier=made.tier, purpose=made.purpose, most=made.most)
    if made.outcome is None:
        return
    ledger.settle(
        call,
        outcome=made.outcome,
        cost=made.cost,
        seconds=made.seconds,
        input_tokens=made.tokens[0],
        output_tokens=made.tokens[1],
        cached_tokens=made.tokens[2],
    )


def test_a_day_without_calls_cost_nothing(ledger: Ledger) -> None:
    told = ledger.spending()
    assert (told.total.day, told.total.at) == (TODAY, NOON)
    assert (told.total.committed, told.total.spent_usd, told.total.utilization) == (0, 0.0, 0.0)
    assert (told.total.predictions, told.total.total_predictions) == (0, 0)
    assert isnan(told.total.mean_prediction_usd)
    assert told.total.is_prediction_met is None
    assert told.total.is_on_track
    assert told.tiers == dict.fromkeys(TIERS, 0)
    assert told.models == ()
    assert told.to_frame().empty


def test_a_day_is_told_by_its_models(ledger: Ledger, clock: Clock) -> None:
    clock.at = NOON - timedelta(hours=2)
    for seconds in (1.0, 2.0, 4.0):
        make(ledger, Made(seconds=seconds, tokens=(100, 10, 60)))
    make(ledger, Made(outcome="timeout", cost=0, seconds=60.0))
    make(ledger, Made(outcome="cancelled", cost=CENT // 2, purpose="summary"))
    make(ledger, Made(model=LARGE, tier="high", most=7 * CENT, outcome=None))
    make(ledger, Made(model=LOCAL, tier="trivial", most=0, outcome="failed", cost=0))
    clock.at = NOON
    told = ledger.spending()
    assert told.total.committed == 3 * CENT + CENT // 2 + 7 * CENT
    assert told.total.utilization == pytest.approx(0.105)
    assert told.tiers == {**dict.fromkeys(TIERS, 0), "low": 5, "high": 1, "trivial": 1}
    large, small, local = told.models
    assert (large.provider, large.model, large.cost_usd) == ("cloud", "large", 0.07)
    assert astuple(small)[2:11] == (5, 3, 1, 1, 0, 300, 30, 180, 3 * CENT + CENT // 2)
    assert [small.mean_seconds, small.p50_seconds] == pytest.approx([7 / 3, 2.0])
    assert small.calls_a_minute == 5 / (12 * 60)
    assert (local.provider, local.calls, local.failed) == ("local", 1, 1)
    assert isnan(local.p50_seconds)
    frame = told.to_frame()
    assert list(frame["cost_usd"]) == [0.07, 0.035, 0.0]
    assert list(frame["model"]) == ["large", "small", "small"]


def test_a_prediction_costs_what_was_tried_for_it(ledger: Ledger) -> None:
    make(ledger, Made(outcome="failed", cost=3 * CENT, most=3 * CENT))
    make(ledger, Made(cost=CENT))
    make(ledger, Made(purpose="summary", cost=30 * CENT, most=30 * CENT))
    make(ledger, Made(most=40 * CENT, outcome=None))  # it may still cost nothing
    told = ledger.spending()
    assert told.total.predictions == 1
    assert told.total.mean_prediction_usd == pytest.approx(0.04)
    assert told.total.is_prediction_met is False
    for _ in range(2):
        make(ledger, Made(cost=CENT))
    told = ledger.spending()
    assert told.total.mean_prediction_usd == pytest.approx(0.02)
    assert told.total.is_prediction_met


def test_days_stand_for_themselves_and_predictions_add_up(ledger: Ledger, clock: Clock) -> None:
    for days, number in ((0, 2), (1, 1), (3, 4)):
        clock.at = NOON + timedelta(days=days)
        for _ in range(number):
            make(ledger, Made())
    now = ledger.spending()
    assert (now.total.day, now.total.predictions, now.total.total_predictions) == (
        date(2026, 5, 4),
        4,
        7,
    )
    between = ledger.spending(date(2026, 5, 3))
    assert (between.total.predictions, between.total.total_predictions, between.models) == (
        0,
        3,
        (),
    )
    first = ledger.spending(TODAY)
    assert (first.total.predictions, first.total.total_predictions, first.total.committed) == (
        2,
        2,
        2 * CENT,
    )
    assert first.models[0].calls_a_minute == 2 / (24 * 60)  # that day is over


@pytest.mark.parametrize(
    ("hours", "cents", "on_track"),
    [
        (0.001, 4, True),  # an hour's share of a dollar is 4.17 cents
        (0.001, 5, False),
        (12, 50, True),
        (12, 51, False),
        (23.99, 99, True),
        (36, 100, True),  # of the day before
    ],
)
def test_a_day_is_on_track_where_it_would_last(
    ledger: Ledger, clock: Clock, hours: float, cents: int, *, on_track: bool
) -> None:
    make(ledger, Made(most=cents * CENT, cost=cents * CENT))
    clock.at = datetime(2026, 5, 1, tzinfo=UTC) + timedelta(hours=hours)
    assert ledger.day_cost(TODAY).is_on_track is on_track


def test_a_day_passes_from_its_midnight_to_the_next() -> None:
    midnight = datetime(2026, 5, 1, tzinfo=UTC)
    told = [
        DayCost(day=TODAY, at=midnight + timedelta(hours=each), budget=Budget()).passed
        for each in (-1, 0, 5, 24, 99)
    ]
    assert told == [timedelta(hours=each) for each in (0, 0, 5, 24, 24)]


def test_the_frame_has_a_row_a_call(ledger: Ledger, clock: Clock) -> None:
    make(ledger, Made(outcome=None, most=3 * CENT))
    clock.at = NOON + timedelta(days=1)
    make(ledger, Made(model=LOCAL, cost=2 * CENT, seconds=0.5, tokens=(9, 5, 1)))
    frame = ledger.frame()
    assert list(frame["at"]) == [NOON, clock.at]
    assert list(frame["provider"]) == ["cloud", "local"]
    assert frame["outcome"].isna().tolist() == [True, False]
    assert frame["cost_usd"].isna().tolist() == [True, False]
    assert list(frame["reserved_usd"]) == [0.03, 0.01]
    last = frame.iloc[1]
    assert (last["cost_usd"], last["seconds"]) == (0.02, 0.5)
    assert (last["input_tokens"], last["output_tokens"], last["cached_tokens"]) == (9, 5, 1)
    tomorrow = clock.at.date()
    assert list(ledger.frame(since=tomorrow)["provider"]) == ["local"]
    assert list(ledger.frame(until=tomorrow)["provider"]) == ["cloud"]


def test_a_frame_without_calls_has_the_same_columns(ledger: Ledger) -> None:
    before = ledger.frame()
    make(ledger, Made())
    after = ledger.frame()
    assert len(before) == 0
    assert dict(before.dtypes) == dict(after.dtypes)


OUTCOMES: tuple[Outcome | None, ...] = (
    "ok", "cut_off", "refused", "failed", "timeout", "cancelled", None,
)  # fmt: skip
CALLS = st.lists(
    st.builds(
        Made,
        model=st.sampled_from([SMALL, LARGE, LOCAL]),
        tier=st.sampled_from(TIERS),
        purpose=st.sampled_from(["run", "summary"]),
        most=st.integers(0, BILLION // 30),
        outcome=st.sampled_from(OUTCOMES),
        cost=st.integers(0, BILLION // 30),
        seconds=st.floats(0, 60),
        tokens=st.tuples(*[st.integers(0, 10_000)] * 3),
    ),
    max_size=30,
)


@given(made=CALLS)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_says_what_pandas_says_of_the_calls(
    ledger: Ledger, migrated: Database, made: list[Made]
) -> None:
    with migrated.writing() as connection:
        connection.execute(delete(CALL))
        connection.execute(delete(DAY))
    for each in made:
        make(ledger, each)
    told, frame = ledger.spending(), ledger.frame()
    frame["counted"] = frame["cost_usd"].fillna(frame["reserved_usd"])
    assert told.total.spent_usd == pytest.approx(frame["counted"].sum())
    assert sum(each.cost for each in told.models) == told.total.committed
    assert {name: n for name, n in told.tiers.items() if n} == dict(frame["tier"].value_counts())
    runs = frame[frame["purpose"] == "run"]
    assert told.total.predictions == (runs["outcome"] == "ok").sum()
    if told.total.predictions:
        mean = runs["cost_usd"].sum() / told.total.predictions
        assert told.total.mean_prediction_usd == pytest.approx(mean)
    assert [each.cost for each in told.models] == sorted(
        (each.cost for each in told.models), reverse=True
    )
    by_model = {(each.provider, each.model): each for each in told.models}
    groups = {(str(a), str(b)): group for (a, b), group in frame.groupby(["provider", "model"])}
    assert set(by_model) == set(groups)
    for name, group in groups.items():
        found = by_model[name]
        assert found.calls == len(group)
        answered = group[group["outcome"].isin(["ok", "cut_off", "refused"])]
        assert found.answered == len(answered)
        assert found.failed == group["outcome"].isin(["failed", "timeout"]).sum()
        assert found.unsettled == group["outcome"].isna().sum()
        assert found.calls == (found.answered + found.failed + found.cancelled + found.unsettled)
        assert found.cost_usd == pytest.approx(group["counted"].sum())
        for kind in ("input_tokens", "output_tokens", "cached_tokens"):
            assert getattr(found, kind) == group[kind].sum()
        quantiles = answered["seconds"].quantile([0.5, 0.95, 0.99])
        np.testing.assert_allclose(
            [found.mean_seconds, found.p50_seconds, found.p95_seconds, found.p99_seconds],
            [answered["seconds"].mean(), *quantiles],
        )


def test_old_calls_are_forgotten_and_what_their_days_cost_is_not(
    ledger: Ledger, migrated: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "_AT_ONCE", 2)
    for days in (0, 89, 90, 91, 91, 92, 200):
        clock.at = NOON - timedelta(days=days)
        make(ledger, Made())
    clock.at = NOON
    keep = timedelta(days=90)
    assert forget_old(migrated, now=NOON, keep=keep) == 4
    assert len(call_frame(migrated)) == 3
    assert forget_old(migrated, now=NOON, keep=keep) == 0
    told = read_spending(migrated, budget=ledger.budget, now=NOON, day=date(2025, 10, 13))
    assert (told.total.committed, told.total.predictions, told.models) == (CENT, 1, ())
    assert told.total.mean_prediction_usd == 0.01
    assert ledger.day_cost().total_predictions == 7
