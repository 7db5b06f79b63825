"""Models that are asked over HTTP, accounted for in a real database."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from nextcall.llm.budget import Budget
from nextcall.llm.call_ledger import OverBudgetError
from nextcall.llm.language_models import LanguageModels, Told
from nextcall.llm.ledger import Ledger
from nextcall.llm.model import BILLION, TIERS, Model, Tier
from nextcall.llm.model_table import ModelTable, read_model_table
from nextcall.llm.question import Message, Question
from nextcall.llm.question_size import most_input_tokens
from nextcall.resilience.breakers import Breakers
from nextcall.resilience.deadline import deadline
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate

from .conftest import Vendor

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HELLO = Question(messages=(Message(role="user", text="hello"),), most_tokens=16)
DEAR, FAIR, FREE = (4.0, 20.0), (1.0, 5.0), (0.0, 0.0)


@pytest.fixture
def ledger(database: Database) -> Ledger:
    migrate(database)
    return Ledger(database, budget=Budget(daily_usd=0.01), clock=lambda: NOON)


def table_of(folder: Path, models: Mapping[str, tuple[str, tuple[float, float]]]) -> ModelTable:
    """Make a table: each model at an address of its own, with prices of input and output."""
    written = {
        "providers": [
            {"name": f"of-{name}", "protocol": "openai", "url": url}
            for name, (url, _) in models.items()
        ],
        "models": [
            {
                "name": name,
                "provider": f"of-{name}",
                "input_price": each[0],
                "output_price": each[1],
            }
            for name, (_, each) in models.items()
        ],
        "tiers": {tier: list(models) for tier in TIERS},
    }
    file = folder / "models.yaml"
    file.write_text(yaml.safe_dump(written), encoding="utf-8")
    return read_model_table(file, environment={})


@asynccontextmanager
async def opened(table: ModelTable, ledger: Ledger) -> AsyncIterator[LanguageModels]:
    models = LanguageModels(table, ledger=ledger, breakers=Breakers(), metrics=None, seconds=60.0)
    try:
        yield models
    finally:
        await models.close()


def ask(table: ModelTable, ledger: Ledger, *, tier: Tier = "low") -> Told:
    async def main() -> Told:
        async with opened(table, ledger) as models:
            return await models.ask(HELLO, tier=tier, purpose="run")

    return asyncio.run(main())


def outcomes(ledger: Ledger) -> list[tuple[str, str | None]]:
    frame = ledger.frame()
    return list(zip(frame["model"], frame["outcome"], strict=True))


def test_a_prediction_is_one_however_many_models_were_tried(
    ledger: Ledger, vendor: Vendor, other_vendor: Vendor, either: Any, tmp_path: Path
) -> None:
    other_vendor.will_answer({"error": {"message": "down"}}, status=500)
    vendor.will_answer(either)
    models = {"first": (other_vendor.url, FAIR), "second": (vendor.url, FAIR)}
    told = ask(table_of(tmp_path, models), ledger)
    assert told.model.name == "second"
    assert sorted(outcomes(ledger)) == [("first", "failed"), ("second", "ok")]
    spending = ledger.spending()
    assert spending.total.predictions == 1
    assert spending.total.committed == sum(each.cost for each in spending.models)
    cost = {each.model: each.cost for each in spending.models}["second"]
    assert told.cost_usd == cost / BILLION
    assert cost == told.model.cost(
        input_tokens=told.completion.input_tokens, output_tokens=told.completion.output_tokens
    )


def test_who_asks_at_once_is_refused_where_all_is_set_aside(
    ledger: Ledger, vendor: Vendor, either: Any, tmp_path: Path
) -> None:
    vendor.will_answer(either)
    vendor.waiting.clear()
    table = table_of(tmp_path, {"fair": (vendor.url, FAIR)})
    (model,) = table.usable("low")
    most = model.most_cost(input_tokens=most_input_tokens(HELLO), output_tokens=HELLO.most_tokens)
    budget = Budget(daily_usd=2.5 * most / BILLION)
    small = Ledger(ledger.database, budget=budget, clock=lambda: NOON)

    async def main() -> tuple[list[BaseException | None], list[Told]]:
        async with opened(table, small) as models:
            asked = {
                asyncio.create_task(models.ask(HELLO, tier="low", purpose="run")) for _ in range(6)
            }
            refused = set[asyncio.Task[Told]]()
            while len(refused) < 4:
                assert asked, "more was set aside than there is"
                ended, asked = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
                refused |= ended
            vendor.waiting.set()
            return [each.exception() for each in refused], list(await asyncio.gather(*asked))

    refused, answered = asyncio.run(main())
    assert [type(each) for each in refused] == [OverBudgetError] * 4
    total = small.day_cost()
    assert total.predictions == len(answered) == len(vendor.asked) == 2
    assert total.spent_usd == pytest.approx(sum(each.cost_usd for each in answered))


def test_an_emergency_asks_the_cheapest_but_for_what_is_critical(
    ledger: Ledger, vendor: Vendor, either: Any, tmp_path: Path
) -> None:
    vendor.will_answer(either)
    models = {"dear": (vendor.url, DEAR), "free": (vendor.url, FREE)}
    table = table_of(tmp_path, models)
    assert ask(table, ledger).model.name == "dear"
    ledger.reserve(
        Model(name="other", provider="of-other"),
        tier="low",
        purpose="other",
        most=9 * BILLION // 1000,
    )
    assert ledger.is_emergency()
    assert ask(table, ledger).model.name == "free"
    assert ask(table, ledger, tier="critical").model.name == "dear"


def test_a_call_that_nobody_waits_for_any_more_is_settled(
    ledger: Ledger, vendor: Vendor, either: Any, tmp_path: Path
) -> None:
    vendor.will_answer(either)
    vendor.waiting.clear()
    table = table_of(tmp_path, {"slow": (vendor.url, FAIR)})

    seconds = [0.0]

    async def main() -> None:
        async with opened(table, ledger) as models, asyncio.timeout(60):
            with deadline(30, clock=lambda: seconds[0]):
                asked = asyncio.create_task(models.ask(HELLO, tier="low", purpose="run"))
            while not vendor.asked:  # noqa: ASYNC110  # what a thread does
                await asyncio.sleep(0.005)
            seconds[0] = 31.0
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked

    asyncio.run(main())
    assert outcomes(ledger) == [("slow", "cancelled")]
    (row,) = ledger.spending().models
    assert (row.unsettled, row.cancelled) == (0, 1)
    assert row.cost > 0  # its provider may have counted it
