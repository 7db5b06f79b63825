"""`GET /cost-analytics` from outside: what calls cost, and what is aimed at."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from nextcall.access.permissions import route_of
from nextcall.llm.day_cost import DayCost
from nextcall.llm.ledger import Ledger
from nextcall.llm.model import BILLION, TIERS, Model
from nextcall.resilience.deadline import remaining
from nextcall.serve.app import create_app
from nextcall.serve.costs.reading import CostReading
from nextcall.serve.loading import Stores, open_stores
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.process.starting import opened_app
from nextcall.serve.settings import Settings, load_settings

MODEL = Model(name="small", provider="cloud", input_price=Decimal(1), output_price=Decimal(5))
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
CENT = BILLION // 100


@dataclass
class Clock:
    """A clock that goes on where a test lets it."""

    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@contextmanager
def serving(
    predictor: Predictor, folder: Path, clock: Clock, **given: object
) -> Iterator[tuple[TestClient, Ledger, Stores]]:
    settings = load_settings(database_url=f"sqlite:///{folder}/a.db", **given)
    with open_stores(settings) as stores:
        ledger = Ledger(stores.database, budget=stores.ledger.budget, clock=clock)
        app = create_app(predictor, settings=settings, parts=Parts(ledger=ledger))
        with TestClient(app, raise_server_exceptions=False) as asking:
            yield asking, ledger, stores


def spend(ledger: Ledger, cents: float, *, outcome: Any = "ok", purpose: str = "run") -> None:
    cost = round(cents * CENT)
    call = ledger.reserve(MODEL, tier="low", purpose=purpose, most=cost)
    ledger.settle(call, outcome=outcome, cost=cost, seconds=0.5, input_tokens=90, output_tokens=10)


def told(asking: TestClient) -> dict[str, Any]:
    answer = asking.get("/cost-analytics")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def test_a_day_is_told_beside_its_budget(
    predictor: Predictor, tmp_path: Path, clock: Clock
) -> None:
    given = {"llm_daily_usd": 2.0, "llm_prediction_usd": 0.04}
    with serving(predictor, tmp_path, clock, **given) as (asking, ledger, _):
        clock.at = NOON - timedelta(days=1)
        spend(ledger, 70)
        clock.at = NOON
        spend(ledger, 3, outcome="timeout")
        spend(ledger, 2)
        spend(ledger, 1)
        spend(ledger, 14, purpose="summary")
        ledger.reserve(MODEL, tier="critical", purpose="run", most=10 * CENT)
        assert told(asking) == {
            "day": "2026-05-01",
            "cost_analytics": {
                "daily_budget_usd": 2.0,
                "daily_spent_usd": 0.3,
                "budget_utilization": 0.15,
                "avg_cost_per_prediction": 0.03,
                "cost_target": 0.04,
                "predictions_today": 2,
                "total_predictions": 3,
            },
            "model_usage": {**dict.fromkeys(TIERS, 0), "low": 4, "critical": 1},
            "cost_optimization": {
                "enabled": True,
                "emergency_mode": False,
                "cost_warning": False,
            },
            "performance_targets": {
                "cost_per_prediction_met": True,
                "budget_on_track": True,
                "quality_maintained": None,
            },
            "models": [
                {
                    "provider": "cloud",
                    "model": "small",
                    "calls": 5,
                    "answered": 3,
                    "failed": 1,
                    "cancelled": 0,
                    "unsettled": 1,
                    "input_tokens": 360,
                    "output_tokens": 40,
                    "cached_tokens": 0,
                    "cost_usd": 0.3,
                    "mean_seconds": 0.5,
                    "p50_seconds": 0.5,
                    "p95_seconds": 0.5,
                    "p99_seconds": 0.5,
                    "calls_per_minute": pytest.approx(5 / 720),
                }
            ],
        }


def test_a_budget_that_runs_out_is_told_step_by_step(
    predictor: Predictor, tmp_path: Path, clock: Clock
) -> None:
    given = {"llm_daily_usd": 1.0, "llm_warning_share": 0.4, "llm_emergency_share": 0.8}
    with serving(predictor, tmp_path, clock, **given) as (asking, ledger, _):
        seen = []
        for cents in (39, 1, 40):
            spend(ledger, cents)
            found = told(asking)
            how = found["cost_optimization"]
            on_track = found["performance_targets"]["budget_on_track"]
            seen.append((how["cost_warning"], how["emergency_mode"], on_track))
        assert seen == [(False, False, True), (True, False, True), (True, True, False)]
        assert found["performance_targets"]["cost_per_prediction_met"] is False


def test_a_day_without_calls_and_without_a_budget_makes_nothing_up(
    predictor: Predictor, tmp_path: Path, clock: Clock
) -> None:
    with serving(predictor, tmp_path, clock, llm_daily_usd=0) as (asking, _, __):
        found = told(asking)
    assert found["cost_analytics"]["budget_utilization"] is None
    assert found["cost_analytics"]["avg_cost_per_prediction"] is None
    assert found["performance_targets"]["cost_per_prediction_met"] is None
    assert found["models"] == []


def test_without_a_ledger_nothing_is_spent_and_nothing_held(
    predictor: Predictor, settings: Settings
) -> None:
    with TestClient(create_app(predictor, settings=settings)) as asking:
        found = told(asking)
        assert asking.get("/performance/metrics").json()["cost"] is None
    assert found["cost_analytics"]["daily_budget_usd"] == settings.llm_daily_usd
    assert found["cost_analytics"]["daily_spent_usd"] == 0
    assert found["cost_optimization"] == {
        "enabled": False,
        "emergency_mode": False,
        "cost_warning": False,
    }


def test_a_service_as_it_is_started_keeps_what_calls_cost(
    predictor: Predictor, tmp_path: Path
) -> None:
    settings = load_settings(
        database_url=f"sqlite:///{tmp_path}/a.db", log_dir=tmp_path / "log", data_dir=tmp_path
    )
    with opened_app(predictor, settings, tell=pytest.fail) as app, TestClient(app) as asking:
        found = told(asking)
        assert found["cost_optimization"]["enabled"]
        assert asking.get("/performance/metrics").json()["cost"] == found["cost_analytics"]


def break_down(stores: Stores) -> None:
    """Put the database out of reach: nothing can be opened in its place."""
    stores.database.close()
    file = Path(str(stores.database.engine.url.database))
    for each in file.parent.glob(f"{file.name}*"):
        each.unlink()
    file.mkdir()


def test_a_database_that_is_away_is_said(
    predictor: Predictor, tmp_path: Path, clock: Clock
) -> None:
    with serving(predictor, tmp_path, clock) as (asking, _, stores):
        break_down(stores)
        answer = asking.get("/cost-analytics")
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        metrics = asking.get("/performance/metrics")
        assert (metrics.status_code, metrics.json()["cost"]) == (200, None)


def test_metrics_tell_the_same_figures(predictor: Predictor, tmp_path: Path, clock: Clock) -> None:
    with serving(predictor, tmp_path, clock) as (asking, ledger, _):
        spend(ledger, 3)
        found = asking.get("/performance/metrics").json()["cost"]
        assert found == told(asking)["cost_analytics"]
        assert found["daily_spent_usd"] == 0.03


def test_metrics_read_the_figures_once_in_ten_seconds(
    predictor: Predictor, tmp_path: Path, clock: Clock
) -> None:
    with serving(predictor, tmp_path, clock) as (_, ledger, __):
        at = [0.0]
        reading = CostReading(ledger, clock=lambda: at[0])
        seen = []
        for at[0] in (0.0, 9.9, 10.0):
            found = reading()
            assert found is not None
            seen.append(found.predictions_today)
            spend(ledger, 1)
        assert seen == [0, 0, 2]


def test_metrics_wait_no_longer_for_them_than_for_a_transaction(
    predictor: Predictor, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(predictor, tmp_path, clock) as (_, ledger, __):
        left, read = list[float | None](), Ledger.day_cost

        def noted(of: Ledger) -> DayCost:
            left.append(remaining())
            return read(of)

        monkeypatch.setattr(Ledger, "day_cost", noted)
        assert CostReading(ledger)() is not None
        (seconds,) = left
        assert seconds is not None
        assert seconds <= ledger.database.patience


def test_who_may_see_figures_may_see_costs() -> None:
    assert route_of("GET", "/cost-analytics") == ("/cost-analytics", "metrics.read")


def test_what_a_service_keeps_has_its_ledger_with_the_budget_that_is_set(tmp_path: Path) -> None:
    given = {"llm_daily_usd": 7, "llm_prediction_usd": 0.5}
    url = f"sqlite:///{tmp_path}/a.db"
    with open_stores(load_settings(database_url=url, **given)) as stores:
        assert stores.ledger.budget.daily_usd == 7
        assert stores.ledger.budget.prediction_usd == 0.5
        assert stores.ledger.database is stores.database


def test_a_service_forgets_calls_that_are_old(tmp_path: Path, clock: Clock) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    with open_stores(load_settings(database_url=url, llm_days=90)) as stores:
        ledger = Ledger(stores.database, budget=stores.ledger.budget, clock=clock)
        now = datetime.now(UTC)
        for days in (32, 29):
            clock.at = now - timedelta(days=days)
            spend(ledger, 1)
        assert len(stores.ledger.frame()) == 2
    until = time.monotonic() + 60
    with open_stores(load_settings(database_url=url, llm_days=30)) as stores:
        while len(stores.ledger.frame()) > 1:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert stores.ledger.day_cost().total_predictions == 2


def test_the_shares_that_are_set_come_in_their_order() -> None:
    with pytest.raises(
        ValueError, match=r"^llm_warning_share must be at most llm_emergency_share \(0\.5\), got 0"
    ):
        load_settings(llm_emergency_share=0.5)
