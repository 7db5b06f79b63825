"""A ledger on each database: no day costs more than it may, whoever calls, whatever happens."""

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import OperationalError

from nextcall.llm.budget import Budget
from nextcall.llm.call_ledger import CallLedger, Outcome, OverBudgetError
from nextcall.llm.ledger import Ledger
from nextcall.llm.model import BILLION, Model
from nextcall.llm.tables import CALL, DAY, TABLES
from nextcall.resilience.deadline import deadline
from nextcall.storage.database import Database
from nextcall.storage.migrations import differences, migrate

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
TODAY = NOON.date()
MODEL = Model(name="small", provider="cloud", input_price=Decimal(1))
CENT = BILLION // 100


@dataclass
class Clock:
    """A clock that goes on where a test lets it."""

    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at

    def pass_by(self, **span: float) -> None:
        self.at += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def migrated(database: Database) -> Database:
    migrate(database)
    return database


@pytest.fixture
def ledger(migrated: Database, clock: Clock) -> Ledger:
    return Ledger(migrated, budget=Budget(daily_usd=1), clock=clock)


def reserve(ledger: CallLedger, most: int, purpose: str = "run") -> str:
    return ledger.reserve(MODEL, tier="low", purpose=purpose, most=most)


def settle(ledger: CallLedger, call: str, cost: int, outcome: Outcome = "ok") -> None:
    ledger.settle(call, outcome=outcome, cost=cost, seconds=0.25)


def committed(database: Database, day: date = TODAY) -> int:
    with database.reading() as connection:
        return connection.scalar(select(DAY.c.committed).where(DAY.c.day == day)) or 0


def predictions(database: Database) -> int:
    with database.reading() as connection:
        return connection.scalar(select(func.sum(DAY.c.predictions))) or 0


def calls(database: Database) -> list[dict[str, Any]]:
    with database.reading() as connection:
        return [dict(row) for row in connection.execute(select(CALL)).mappings()]


def test_the_revision_makes_the_declared_tables(migrated: Database) -> None:
    assert differences(migrated, TABLES) == []


def test_a_call_is_kept_as_it_was_made_and_as_it_ended(
    ledger: Ledger, migrated: Database, clock: Clock
) -> None:
    call = reserve(ledger, 30 * CENT)
    (row,) = calls(migrated)
    made = {
        "id": call,
        "at": NOON,
        "day": TODAY,
        "provider": "cloud",
        "model": "small",
        "tier": "low",
        "purpose": "run",
        "reserved": 30 * CENT,
    }
    ended = ("outcome", "cost", "seconds", "input_tokens", "output_tokens", "cached_tokens")
    assert row == made | dict.fromkeys(ended)
    assert committed(migrated) == 30 * CENT
    clock.pass_by(seconds=2)
    ledger.settle(
        call,
        outcome="cut_off",
        cost=2 * CENT,
        seconds=1.5,
        input_tokens=700,
        output_tokens=20,
        cached_tokens=600,
    )
    (row,) = calls(migrated)
    assert row == made | dict(zip(ended, ("cut_off", 2 * CENT, 1.5, 700, 20, 600), strict=True))
    assert committed(migrated) == 2 * CENT


def test_a_call_is_settled_once(ledger: Ledger, migrated: Database) -> None:
    call = reserve(ledger, 30 * CENT)
    settle(ledger, call, CENT)
    before = calls(migrated)
    settle(ledger, call, 50 * CENT, "failed")
    assert calls(migrated) == before
    assert committed(migrated) == CENT
    assert predictions(migrated) == 1


def test_what_ends_well_for_a_user_is_a_prediction(ledger: Ledger, migrated: Database) -> None:
    outcomes: tuple[Outcome, ...] = ("cut_off", "refused", "failed", "timeout", "cancelled")
    for outcome in outcomes:
        settle(ledger, reserve(ledger, CENT), CENT, outcome)
    settle(ledger, reserve(ledger, CENT, "summary"), CENT)
    assert predictions(migrated) == 0
    for _ in range(2):
        settle(ledger, reserve(ledger, CENT), CENT)
    assert predictions(migrated) == 2


def test_what_is_left_is_told_where_it_is_too_little(ledger: Ledger, migrated: Database) -> None:
    reserve(ledger, 60 * CENT)
    with pytest.raises(OverBudgetError) as refused:
        reserve(ledger, 40 * CENT + 1)
    assert str(refused.value) == (
        "a call of 'small' may cost $0.400000001, and $0.4 are left of the $1 of 2026-05-01."
    )
    assert len(calls(migrated)) == 1
    reserve(ledger, 40 * CENT)
    assert committed(migrated) == BILLION


def test_what_no_day_can_pay_is_refused_whatever_is_left(
    ledger: Ledger, migrated: Database
) -> None:
    with pytest.raises(OverBudgetError, match=r"^a call of 'small' may cost .*, more than the \$1"):
        reserve(ledger, 10**30)
    assert calls(migrated) == []


def test_what_costs_nothing_is_never_refused(
    ledger: Ledger, migrated: Database, clock: Clock
) -> None:
    call = reserve(ledger, BILLION)
    settle(ledger, call, 3 * BILLION)  # a bound that was wrong
    assert committed(migrated) == 3 * BILLION
    with pytest.raises(OverBudgetError, match=r"and \$0 are left of the \$1 of"):
        reserve(ledger, 1)
    settle(ledger, reserve(ledger, 0), 0)
    free = Ledger(migrated, budget=Budget(daily_usd=0), clock=clock)
    clock.pass_by(days=1)
    reserve(free, 0)
    with pytest.raises(OverBudgetError):
        reserve(free, 1)


def test_a_call_counts_for_the_day_on_which_it_was_reserved(
    ledger: Ledger, migrated: Database, clock: Clock
) -> None:
    clock.at = datetime(2026, 5, 1, 23, 59, 59, tzinfo=UTC)
    late = reserve(ledger, BILLION)
    assert ledger.is_emergency()
    clock.pass_by(seconds=2)
    assert not ledger.is_emergency()
    reserve(ledger, BILLION)  # the new day has a budget of its own
    settle(ledger, late, 95 * CENT)
    assert committed(migrated, date(2026, 5, 1)) == 95 * CENT
    assert committed(migrated, date(2026, 5, 2)) == BILLION
    assert ledger.is_emergency()


def test_a_day_is_that_of_utc(migrated: Database) -> None:
    east = datetime.fromisoformat("2026-05-02T01:30:00+02:00")
    ledger = Ledger(migrated, budget=Budget(), clock=lambda: east)
    reserve(ledger, CENT)
    (row,) = calls(migrated)
    assert (row["day"], row["at"]) == (date(2026, 5, 1), east)


def test_a_process_that_died_counts_by_what_it_set_aside(
    ledger: Ledger, migrated: Database, clock: Clock
) -> None:
    reserve(ledger, 70 * CENT)
    restarted = Ledger(migrated, budget=ledger.budget, clock=clock)
    with pytest.raises(OverBudgetError):
        reserve(restarted, 31 * CENT)
    reserve(restarted, 30 * CENT)
    assert restarted.is_emergency()


def test_an_emergency_is_known_at_once_here_and_within_a_second_elsewhere(
    ledger: Ledger, migrated: Database, clock: Clock
) -> None:
    other = Ledger(migrated, budget=ledger.budget, clock=clock)
    assert not other.is_emergency()
    call = reserve(ledger, 90 * CENT)
    assert ledger.is_emergency()
    assert not other.is_emergency()  # it was asked for in this moment
    clock.pass_by(seconds=1)
    assert other.is_emergency()
    settle(ledger, call, 89 * CENT)
    assert not ledger.is_emergency()
    clock.pass_by(hours=-1)  # a clock that was put back
    assert not other.is_emergency()


def test_an_emergency_costs_no_look_at_the_database_each_time(
    ledger: Ledger, migrated: Database
) -> None:
    reserve(ledger, 90 * CENT)
    with migrated.writing() as connection:
        connection.execute(update(DAY).values(committed=0))
    assert ledger.is_emergency()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"cost": -1}, r"^cost must be from 0 to 1000000000000000000, got -1\.$"),
        ({"cost": 10**30}, r"^cost must be from 0 to"),
        ({"seconds": float("nan")}, r"^seconds must be at least 0 and finite, got nan\.$"),
        ({"output_tokens": -1}, r"^output_tokens must be at least 0 and finite, got -1\.$"),
    ],
)
def test_what_cannot_be_is_refused(
    ledger: Ledger, migrated: Database, given: dict[str, Any], message: str
) -> None:
    call = reserve(ledger, CENT)
    ended: dict[str, Any] = {"outcome": "ok", "cost": 0, "seconds": 0.0}
    with pytest.raises(ValueError, match=message):
        ledger.settle(call, **(ended | given))
    assert calls(migrated)[0]["outcome"] is None


def test_a_call_whose_caller_has_no_time_left_is_settled(
    ledger: Ledger, migrated: Database
) -> None:
    seconds = [0.0]
    with deadline(30, clock=lambda: seconds[0]):
        call = reserve(ledger, CENT)
        seconds[0] = 31.0
        settle(ledger, call, CENT // 2, "timeout")
    assert committed(migrated) == CENT // 2


def test_nothing_less_than_nothing_is_set_aside(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match=r"^most must be at least 0, got -1\.$"):
        reserve(ledger, -1)


def test_a_call_that_was_never_made_cannot_end(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match=r"^call_id must be that of a kept call, got 'none'\.$"):
        settle(ledger, "none", 0)


def test_a_database_out_of_reach_lets_nothing_be_spent(ledger: Ledger, migrated: Database) -> None:
    with migrated.writing() as connection:
        connection.exec_driver_sql("DROP TABLE llm_call")
    with pytest.raises(Exception, match="llm_call"):
        reserve(ledger, CENT)
    assert committed(migrated) == 0  # all of it was undone


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), st.integers(0, 130), st.just(0)),
        st.tuples(st.just("settle"), st.integers(0, 20), st.integers(0, 130)),
        st.tuples(st.just("day"), st.integers(0, 40), st.just(0)),
    ),
    max_size=25,
)


@given(steps=STEPS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_counts_as_a_plain_sum_over_its_calls_does(
    migrated: Database, steps: list[tuple[str, int, int]]
) -> None:
    with migrated.writing() as connection:
        connection.execute(delete(CALL))
        connection.execute(delete(DAY))
    clock = Clock()
    ledger = Ledger(migrated, budget=Budget(daily_usd=1), clock=clock)
    made = list[tuple[str, date, int]]()
    cost = dict[str, int]()

    def spent(day: date) -> int:
        return sum(cost.get(call, most) for call, of, most in made if of == day)

    for what, number, other in steps:
        today = clock.at.date()
        if what == "day":
            clock.pass_by(hours=number)
        elif what == "reserve":
            most = number * CENT
            if most and spent(today) + most > BILLION:
                with pytest.raises(OverBudgetError):
                    reserve(ledger, most)
            else:
                made.append((reserve(ledger, most), today, most))
        elif made:
            call, _, _ = made[number % len(made)]
            settle(ledger, call, other * CENT)
            cost.setdefault(call, other * CENT)
        assert ledger.is_emergency() is (spent(clock.at.date()) >= 90 * CENT)
    for day in {of for _, of, _ in made}:
        assert committed(migrated, day) == spent(day)
    assert predictions(migrated) == len(cost)


def test_threads_never_set_more_aside_than_there_is(ledger: Ledger, migrated: Database) -> None:
    def spend(number: int) -> int:
        try:
            call = reserve(ledger, 7 * CENT)
        except OverBudgetError:
            return 0
        if number % 2:
            settle(ledger, call, 3 * CENT)
            return 3
        return 7

    with ThreadPoolExecutor(8) as pool:
        spent = list(pool.map(spend, range(80)))
    assert committed(migrated) == sum(spent) * CENT
    assert sum(spent) <= 100
    while committed(migrated) <= (100 - 7) * CENT:
        reserve(ledger, 7 * CENT)
    with pytest.raises(OverBudgetError):
        reserve(ledger, 7 * CENT)
    assert committed(migrated) == sum(
        row["reserved"] if row["cost"] is None else row["cost"] for row in calls(migrated)
    )


SPENDING = """
import sys
from decimal import Decimal
from nextcall.llm.budget import Budget
from nextcall.llm.call_ledger import OverBudgetError
from nextcall.llm.ledger import Ledger
from nextcall.llm.model import Model
from nextcall.storage.database import Database

model = Model(name="small", provider="cloud", input_price=Decimal(1))
with Database(sys.argv[1], patience=60.0) as database:
    ledger = Ledger(database, budget=Budget(daily_usd=1))
    print("ready", flush=True)
    sys.stdin.readline()
    kept = 0
    while True:
        try:
            call = ledger.reserve(model, tier="low", purpose="run", most=70_000_000)
        except OverBudgetError:
            break
        kept += 1
        if kept % 3 == 0:
            ledger.settle(call, outcome="ok", cost=10_000_000, seconds=0.1)
    print(kept, kept // 3, flush=True)
"""


def test_processes_share_one_budget(
    migrated: Database, url: str, start_script: Callable[..., "subprocess.Popen[str]"]
) -> None:
    processes = [start_script(SPENDING, url, asked=True) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:  # they begin together
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [tuple(map(int, process.communicate(timeout=120)[0].split())) for process in processes]
    kept, settled = (sum(each) for each in zip(*told, strict=True))
    rows = calls(migrated)
    assert len(rows) == kept
    by_day = {row["day"]: 0 for row in rows}  # midnight may have come meanwhile
    for row in rows:
        by_day[row["day"]] += 7 if row["cost"] is None else 1
    assert sum(by_day.values()) == 7 * (kept - settled) + settled
    assert all(committed(migrated, day) == cents * CENT for day, cents in by_day.items())
    assert all(cents <= 100 for cents in by_day.values())
    assert by_day[max(by_day)] > 100 - 7


def test_a_server_that_hangs_is_waited_for_no_longer_than_there_is_time(
    own_postgres: Any, clock: Clock
) -> None:
    with Database(own_postgres.url, patience=30.0) as first:
        migrate(first)
    with Database(own_postgres.url, patience=0.5) as database:
        ledger = Ledger(database, budget=Budget(), clock=clock)
        reserve(ledger, CENT)
        with own_postgres.hanging(), pytest.raises(OperationalError):
            reserve(ledger, CENT)
    with Database(own_postgres.url, patience=30.0) as again:
        kept = committed(again)
        assert kept == sum(row["reserved"] for row in calls(again))


def test_a_model_is_kept_by_its_provider_too(ledger: Ledger, migrated: Database) -> None:
    for provider in ("cloud", "local"):
        other = replace(MODEL, provider=provider)
        ledger.reserve(other, tier="critical", purpose="run", most=CENT)
    assert {(row["provider"], row["tier"]) for row in calls(migrated)} == {
        ("cloud", "critical"),
        ("local", "critical"),
    }
