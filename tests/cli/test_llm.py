"""`nextcall llm`: tells what a real database keeps of calls."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from nextcall.cli.main import app, main
from nextcall.llm.budget import Budget
from nextcall.llm.call_ledger import Outcome
from nextcall.llm.ledger import Ledger
from nextcall.llm.model import Model
from nextcall.serve.costs.schemas import CostAnswer
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MODEL = Model(name="small", provider="cloud", input_price=Decimal(1))


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """Give the ledger of the database that the command line asks for."""
    url = f"sqlite:///{tmp_path}/kept.db"
    monkeypatch.setenv("NEXTCALL_DATABASE_URL", url)
    monkeypatch.setenv("NEXTCALL_LLM_DAILY_USD", "2")
    with Database(url) as database:
        migrate(database)
        yield Ledger(database, budget=Budget(daily_usd=2), clock=lambda: NOON)


def spend(ledger: Ledger, cost: int, outcome: Outcome = "ok", seconds: float = 0.5) -> None:
    call = ledger.reserve(MODEL, tier="low", purpose="run", most=cost)
    ledger.settle(
        call, outcome=outcome, cost=cost, seconds=seconds, input_tokens=1200, output_tokens=10
    )


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["llm", "costs", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_a_day_is_a_table_of_its_models(ledger: Ledger) -> None:
    spend(ledger, 12_500_000)
    spend(ledger, 0, "failed")
    shown = run("--day", "2026-05-01")
    header, row = (line.split() for line in shown.stdout.splitlines())
    told = dict(zip(header, row, strict=True))
    assert (told["provider"], told["model"], told["calls"]) == ("cloud", "small", "2")
    assert (told["failed"], told["input_tokens"], told["cost"]) == ("1", "2,400", "$0.0125")
    assert (told["p50_seconds"], told["p99_seconds"]) == ("0.500", "0.500")
    assert shown.stderr == "2026-05-01: $0.0125 of $2, 1 prediction.\n"


def test_a_day_without_calls_says_so(ledger: Ledger) -> None:
    spend(ledger, 12_500_000)
    shown = run("--day", "2026-05-02")
    assert shown.stdout == ""
    assert shown.stderr == "2026-05-02: $0 of $2, 0 predictions.\n"


def test_today_is_meant_where_no_day_is_named(ledger: Ledger) -> None:
    today = Ledger(ledger.database, budget=ledger.budget)
    before = datetime.now(UTC).date()
    spend(today, 1_000)
    told = json.loads(run("--format", "json").stdout)
    if told["day"] == before.isoformat():  # midnight did not come between
        assert told["cost_analytics"]["predictions_today"] == 1


def test_json_is_what_the_service_tells(ledger: Ledger) -> None:
    spend(ledger, 12_500_000)
    spend(ledger, 0, "timeout")
    told = json.loads(run("--day", "2026-05-01", "--format", "json").stdout)
    answer = CostAnswer.of(ledger.spending(), enabled=True).model_dump(mode="json")
    for each in (*told["models"], *answer["models"]):
        each.pop("calls_per_minute")  # that day may not be over for the ledger's clock
    assert told.pop("performance_targets").keys() == answer.pop("performance_targets").keys()
    assert told == answer


def test_csv_has_a_row_a_model(ledger: Ledger) -> None:
    spend(ledger, 12_500_000)
    text = run("--day", "2026-05-01", "--format", "csv").stdout
    told = pd.read_csv(StringIO(text))
    expected = ledger.spending().to_frame().drop(columns="calls_a_minute")
    pd.testing.assert_frame_equal(told.drop(columns="calls_a_minute"), expected)


def test_another_database_is_named(ledger: Ledger, tmp_path: Path) -> None:
    spend(ledger, 12_500_000)
    shown = run("--day", "2026-05-01", "--database", f"sqlite:///{tmp_path}/other.db")
    assert "$0 of $2" in shown.stderr


@pytest.mark.usefixtures("ledger")
def test_a_day_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["nextcall", "llm", "costs", "--day", "yesterday"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: day must be such as 2026-05-01, got 'yesterday'.\n"
