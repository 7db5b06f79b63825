"""Each call is accounted for, whatever becomes of it."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextcall.llm.call_ledger import OverBudgetError
from nextcall.llm.language_models import NoModelAnsweredError
from nextcall.llm.model import BILLION
from nextcall.llm.model_table import read_model_table
from nextcall.resilience.breakers import Breakers
from nextcall.telemetry.families import ERRORS, LLM_CALLS, LLM_DOLLARS, LLM_TOKENS
from nextcall.telemetry.metrics import Metrics, open_metrics

DEAR, FAIR, FREE = {"input": 4, "output": 20}, {"input": 1, "output": 5}, {"input": 0, "output": 0}


def test_a_real_model_answers_and_is_accounted_for(
    asking: Any, language_model: str, tmp_path: Path
) -> None:
    book = asking.Book()
    table = asking.table_of(tmp_path, {"smollm2": (f"{language_model}/v1", FAIR)})
    with open_metrics(endpoints=()) as metrics:
        told = asking.ask(table, book, metrics=metrics)
        assert "Paris" in told.completion.text
        assert (told.model.name, told.tier, told.failures) == ("smollm2", "low", ())
        (row,) = book.rows
        tokens = told.completion.input_tokens, told.completion.output_tokens
        assert row.tokens == (*tokens, told.completion.cached_tokens)
        cost = told.model.cost(
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            cached_tokens=told.completion.cached_tokens,
        )
        assert (row.tier, row.purpose, row.outcome, row.cost) == ("low", "run", "ok", cost)
        assert 0 < cost <= row.reserved
        assert told.cost_usd == cost / BILLION
        assert told.seconds > 0
        labels = ("of-smollm2", "smollm2")
        assert metrics.totals(LLM_CALLS) == {(*labels, "ok"): (1.0,)}
        assert metrics.totals(LLM_DOLLARS) == {labels: (cost / BILLION,)}
        assert metrics.totals(LLM_TOKENS) == {
            (*labels, "input"): (float(tokens[0]),),
            (*labels, "output"): (float(tokens[1]),),
        }


def test_a_call_without_an_answer_in_time_costs_what_it_may_have(
    asking: Any, vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    vendor.will_answer(chat_completions())
    vendor.waiting.clear()
    book = asking.Book()
    with open_metrics(endpoints=()) as metrics:
        with pytest.raises(NoModelAnsweredError, match=r"one \(network\)"):
            asking.ask(
                asking.table_of(tmp_path, {"one": (vendor.url, FAIR)}),
                book,
                seconds=0.1,
                metrics=metrics,
            )
        assert metrics.totals(LLM_CALLS) == {("of-one", "one", "timeout"): (1.0,)}
    (row,) = book.rows
    assert row.outcome == "timeout"
    assert row.cost == row.reserved > 0


@pytest.mark.parametrize("by_scope", [False, True], ids=["task", "scope"])
def test_a_call_that_is_cancelled_is_settled(
    asking: Any,
    by_scope: bool,  # noqa: FBT001
    vendor: Any,
    chat_completions: Any,
    tmp_path: Path,
) -> None:
    vendor.will_answer(chat_completions())
    vendor.waiting.clear()
    book = asking.Book()

    async def main() -> None:
        table = asking.table_of(tmp_path, {"one": (vendor.url, FAIR), "two": (vendor.url, FAIR)})
        async with asking.opened(table, book) as models:
            asked = models.ask(asking.HELLO, tier="low", purpose="run")
            if by_scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(lambda: asked)
                    await asking.until(lambda: bool(vendor.asked))
                    group.cancel_scope.cancel()
            else:
                task = asyncio.ensure_future(asked)
                await asking.until(lambda: bool(vendor.asked))
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

    asyncio.run(main())
    assert book.told() == [("one", "cancelled")]
    assert book.rows[0].cost == book.rows[0].reserved > 0
    assert len(vendor.asked) == 1


@pytest.mark.parametrize("by_scope", [False, True], ids=["task", "scope"])
def test_what_is_cancelled_before_it_is_asked_costs_nothing(
    asking: Any,
    by_scope: bool,  # noqa: FBT001
    vendor: Any,
    tmp_path: Path,
) -> None:
    book = asking.Book()
    book.opened.clear()

    async def main() -> None:
        async with asking.opened(
            asking.table_of(tmp_path, {"one": (vendor.url, FAIR)}), book
        ) as models:

            async def asked() -> None:
                await models.ask(asking.HELLO, tier="low", purpose="run")

            if by_scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(asked)
                    await asking.until(book.waiting.is_set)
                    group.cancel_scope.cancel()
                    book.opened.set()
            else:
                task = asyncio.ensure_future(asked())
                await asking.until(book.waiting.is_set)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                book.opened.set()

    asyncio.run(main())
    assert book.told() == [("one", "cancelled")]
    assert not vendor.asked


def test_to_close_waits_until_the_ledger_was_told(
    asking: Any, vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    vendor.will_answer(chat_completions())
    vendor.waiting.clear()
    book = asking.Book()
    book.settling.clear()

    async def main() -> None:
        async with asking.opened(
            asking.table_of(tmp_path, {"one": (vendor.url, FAIR)}), book
        ) as models:
            asked = asyncio.ensure_future(models.ask(asking.HELLO, tier="low", purpose="run"))
            await asking.until(lambda: bool(vendor.asked))
            asked.cancel()
            await asking.until(book.told_to_settle.is_set)
            asked.cancel()  # nor does it wait for the ledger
            with pytest.raises(asyncio.CancelledError):
                await asked
            closing = asyncio.ensure_future(models.close())
            await asyncio.wait([closing], timeout=0.2)
            assert not closing.done()
            book.settling.set()
            await closing

    asyncio.run(main())
    assert book.told() == [("one", "cancelled")]


def test_what_the_vendor_keeps_has_its_own_price(
    asking: Any, vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    details = {"cached_tokens": 300, "cache_write_tokens": 500}
    vendor.will_answer(
        chat_completions(prompt_tokens=1000, completion_tokens=10, prompt_tokens_details=details)
    )
    file = tmp_path / "models.yaml"
    prices = "input_price: 1, cached_price: 0.1, written_price: 2, output_price: 5"
    file.write_text(
        f"providers: [{{name: here, protocol: openai, url: {vendor.url}}}]\n"
        f"models: [{{name: one, provider: here, {prices}}}]\n"
        "tiers: {trivial: [one], low: [one], medium: [one], high: [one], critical: [one]}\n"
    )
    book = asking.Book()
    told = asking.ask(read_model_table(file, environment={}), book)
    assert told.cost_usd == (200 * 1 + 300 * 0.1 + 500 * 2 + 10 * 5) / 1e6
    assert book.rows[0].cost == round(told.cost_usd * BILLION)
    assert book.rows[0].tokens == (1000, 10, 300)


def test_what_a_server_does_not_count_costs_what_was_set_aside(
    asking: Any, vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    body = chat_completions()
    del body["usage"]
    vendor.will_answer(body)
    book = asking.Book()
    told = asking.ask(asking.table_of(tmp_path, {"one": (vendor.url, FAIR)}), book)
    assert told.completion.text == "Paris"
    assert book.rows[0].cost == book.rows[0].reserved == round(told.cost_usd * BILLION) > 0


def test_an_answer_is_given_though_the_ledger_cannot_be_told(
    asking: Any, vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    vendor.will_answer(chat_completions())
    table = asking.table_of(tmp_path, {"one": (vendor.url, FAIR)})
    with open_metrics(endpoints=()) as metrics:
        assert (
            asking.ask(table, asking.Book(broken=True), metrics=metrics).completion.text == "Paris"
        )
        assert metrics.totals(ERRORS) == {("llm_ledger",): (1.0,)}
    assert asking.ask(table, asking.Book(broken=True)).completion.text == "Paris"


def test_a_ledger_that_cannot_be_told_of_what_nobody_waits_for_is_counted(
    asking: Any, vendor: Any, tmp_path: Path
) -> None:
    book = asking.Book(broken=True)
    book.opened.clear()

    async def main(metrics: Metrics) -> None:
        table = asking.table_of(tmp_path, {"one": (vendor.url, FAIR)})
        async with asking.opened(table, book, metrics=metrics) as models:
            asked = asyncio.ensure_future(models.ask(asking.HELLO, tier="low", purpose="run"))
            await asking.until(book.waiting.is_set)
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked
            book.opened.set()

    with open_metrics(endpoints=()) as metrics:
        asyncio.run(main(metrics))
        assert metrics.totals(ERRORS) == {("llm_ledger",): (1.0,)}


def test_without_a_ledger_nothing_is_asked(asking: Any, vendor: Any, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="away"):
        asking.ask(
            asking.table_of(tmp_path, {"one": (vendor.url, FAIR), "two": (vendor.url, FREE)}),
            asking.Book(away=True),
        )
    assert not vendor.asked


ANSWERS = st.lists(
    st.sampled_from([200, 200, 400, 401, 402, 429, 500, 503, "html", "length"]),
    min_size=1,
    max_size=8,
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers=ANSWERS, budget=st.integers(0, 4_000_000))
def test_each_call_is_settled_once_and_never_for_more_than_was_set_aside(
    asking: Any, answers: list[Any], budget: int, vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    vendor.answers.clear()
    vendor.asked.clear()
    for answer in answers:
        if answer == "html":
            vendor.will_answer(b"<html>", kind="text/html")
        elif answer == "length":
            vendor.will_answer(chat_completions(ended="length", completion_tokens=16))
        else:
            vendor.will_answer(chat_completions(), status=answer)
    book = asking.Book(budget=budget)
    prices = {"dear": DEAR, "fair": FAIR, "free": FREE}
    table = asking.table_of(tmp_path, {name: (vendor.url, price) for name, price in prices.items()})

    async def main() -> None:
        async with asking.opened(table, book, breakers=Breakers(failures=2)) as models:
            for _ in range(3):
                with suppress(NoModelAnsweredError, OverBudgetError):
                    await models.ask(asking.HELLO, tier="low", purpose="run")

    asyncio.run(main())
    assert all(row.outcome is not None for row in book.rows)
    assert all(0 <= row.cost <= row.reserved for row in book.rows)
    assert sum(row.cost for row in book.rows) <= budget
    assert len(vendor.asked) == len(book.rows)
