"""Models asked one after the other, each call accounted for, whatever becomes of it."""

import asyncio
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextcall.llm.call_ledger import Outcome, OverBudgetError
from nextcall.llm.language_models import (
    LanguageModels,
    NoModelAnsweredError,
    NoModelError,
    Told,
)
from nextcall.llm.model import BILLION, Model, Tier
from nextcall.llm.model_table import ModelTable, read_model_table
from nextcall.llm.question import Message, Question
from nextcall.resilience.breakers import Breakers
from nextcall.resilience.deadline import DeadlineExceededError, deadline
from nextcall.telemetry.families import ERRORS, LLM_CALLS, LLM_DOLLARS, LLM_TOKENS
from nextcall.telemetry.metrics import Metrics, open_metrics

T = TypeVar("T")
HELLO = Question(
    messages=(
        Message(role="system", text="Answer in one short sentence."),
        Message(role="user", text="What is the capital of Italy?"),
        Message(role="assistant", text="The capital of Italy is Rome."),
        Message(role="user", text="What is the capital of France?"),
    ),
    most_tokens=16,
    temperature=0.0,
)
DEAR, FAIR, FREE = {"input": 4, "output": 20}, {"input": 1, "output": 5}, {"input": 0, "output": 0}


@dataclass
class Row:
    """A call of the ledger."""

    model: str
    tier: Tier
    purpose: str
    reserved: int
    outcome: Outcome | None = None
    cost: int = 0
    tokens: tuple[int, int, int] = (0, 0, 0)


@dataclass
class Book:
    """A ledger in memory."""

    budget: int = 10 * BILLION
    emergency: bool = False
    rows: list[Row] = field(default_factory=list)
    opened: threading.Event = field(default_factory=threading.Event)
    settling: threading.Event = field(default_factory=threading.Event)
    told_to_settle: threading.Event = field(default_factory=threading.Event)
    waiting: threading.Event = field(default_factory=threading.Event)
    broken: bool = False

    def __post_init__(self) -> None:
        self.opened.set()
        self.settling.set()

    def reserve(self, model: Model, *, tier: Tier, purpose: str, most: int) -> str:
        self.waiting.set()
        assert self.opened.wait(60)
        if sum(row.cost if row.outcome else row.reserved for row in self.rows) + most > self.budget:
            raise OverBudgetError("no money is left.")
        self.rows.append(Row(model.name, tier, purpose, most))
        return str(len(self.rows) - 1)

    def settle(
        self,
        call_id: str,
        *,
        outcome: Outcome,
        cost: int,
        seconds: float,
        input_tokens: int = 0,
        output_tokens: int = 0,
        cached_tokens: int = 0,
    ) -> None:
        self.told_to_settle.set()
        assert self.settling.wait(60)
        if self.broken:
            raise OSError("the database is away")
        row = self.rows[int(call_id)]
        assert row.outcome is None, "a call is settled once"
        assert seconds >= 0
        row.outcome, row.cost = outcome, cost
        row.tokens = input_tokens, output_tokens, cached_tokens

    def is_emergency(self) -> bool:
        return self.emergency

    def told(self) -> list[tuple[str, Outcome | None]]:
        return [(row.model, row.outcome) for row in self.rows]


def table_of(
    path: Path, models: dict[str, tuple[str, dict[str, int]]], **tiers: list[str]
) -> ModelTable:
    """Make a table: each model has a provider of its own, at an address of OpenAI's protocol."""
    file = path / "models.yaml"
    every = {tier: list(models) for tier in ("trivial", "low", "medium", "high", "critical")}
    written = {
        "providers": [
            {"name": f"of-{name}", "protocol": "openai", "url": url}
            for name, (url, _) in models.items()
        ],
        "models": [
            {
                "name": name,
                "provider": f"of-{name}",
                "input_price": price["input"],
                "output_price": price["output"],
            }
            for name, (_, price) in models.items()
        ],
        "tiers": {**every, **tiers},
    }
    file.write_text(yaml.safe_dump(written), encoding="utf-8")
    return read_model_table(file, environment={})


@asynccontextmanager
async def opened(
    table: ModelTable,
    book: Book,
    *,
    seconds: float = 60.0,
    metrics: Metrics | None = None,
    breakers: Breakers | None = None,
    clock: Callable[[], float] | None = None,
) -> AsyncIterator[LanguageModels]:
    options = {} if clock is None else {"clock": clock}
    models = LanguageModels(
        table,
        ledger=book,
        breakers=Breakers() if breakers is None else breakers,
        metrics=metrics,
        seconds=seconds,
        **options,
    )
    try:
        yield models
    finally:
        await models.close()


def ask(table: ModelTable, book: Book, *, tier: Tier = "low", **options: Any) -> Told:
    async def main() -> Told:
        async with opened(table, book, **options) as models:
            return await models.ask(HELLO, tier=tier, purpose="run")

    return asyncio.run(main())


def run(main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(main)


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is true, for a minute at most."""
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110  # what a thread does
            await asyncio.sleep(0.005)


def test_a_real_model_answers_and_is_accounted_for(language_model: str, tmp_path: Path) -> None:
    book = Book()
    table = table_of(tmp_path, {"smollm2": (f"{language_model}/v1", FAIR)})
    with open_metrics(endpoints=()) as metrics:
        told = ask(table, book, metrics=metrics)
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


def test_the_next_model_is_asked_where_one_fails(
    vendor: Any, other_vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    vendor.will_answer({"error": "no"}, status=500)
    other_vendor.will_answer(chat_completions())
    models = {
        "nobody": ("http://127.0.0.1:9", FAIR),
        "broken": (vendor.url, FAIR),
        "well": (other_vendor.url, FAIR),
    }
    book = Book()
    told = ask(table_of(tmp_path, models), book)
    assert told.model.name == "well"
    assert [(name, str(why)) for name, why in told.failures] == [
        ("nobody", "network"),
        ("broken", "transient"),
    ]
    assert book.told() == [("nobody", "failed"), ("broken", "failed"), ("well", "ok")]
    assert [row.cost for row in book.rows[:2]] == [0, 0]


@pytest.mark.parametrize(
    ("ended", "refusal", "outcome"),
    [("length", None, "cut_off"), ("content_filter", None, "refused"), ("stop", "No.", "refused")],
)
def test_what_is_cut_off_or_refused_is_an_answer_of_its_own(
    ended: str,
    refusal: str | None,
    outcome: Outcome,
    vendor: Any,
    chat_completions: Any,
    tmp_path: Path,
) -> None:
    vendor.will_answer(chat_completions(ended=ended, refusal=refusal))
    book = Book()
    table = table_of(tmp_path, {"one": (vendor.url, FAIR), "two": (vendor.url, FAIR)})
    assert ask(table, book).completion.ended in {"length", "refused"}
    assert book.told() == [("one", outcome)]
    assert book.rows[0].cost > 0


def test_a_provider_that_is_down_is_left_alone(
    vendor: Any, other_vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    vendor.will_answer({}, status=503)
    other_vendor.will_answer(chat_completions())
    table = table_of(tmp_path, {"down": (vendor.url, FAIR), "up": (other_vendor.url, FAIR)})
    book, breakers = Book(), Breakers(failures=2)

    async def main() -> None:
        async with opened(table, book, breakers=breakers) as models:
            assert models.available == {"of-down": "ok", "of-up": "ok"}
            for _ in range(4):
                await models.ask(HELLO, tier="low", purpose="run")
            assert models.available == {"of-down": "failing", "of-up": "ok"}

    run(main())
    assert len(vendor.asked) == 2
    assert [name for name, _ in book.told()].count("down") == 2  # nor is money set aside
    assert [each.name for each in breakers.statistics()] == ["LLM of-down", "LLM of-up"]


def test_a_provider_that_refuses_the_key_is_failing_until_it_takes_it(
    vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    vendor.will_answer({}, status=401)
    vendor.will_answer(chat_completions())

    async def main() -> None:
        async with opened(table_of(tmp_path, {"one": (vendor.url, FAIR)}), Book()) as models:
            with pytest.raises(NoModelAnsweredError, match=r"one \(authentication\)"):
                await models.ask(HELLO, tier="low", purpose="run")
            assert models.available == {"of-one": "failing"}
            await models.ask(HELLO, tier="low", purpose="run")
            assert models.available == {"of-one": "ok"}

    run(main())


def test_the_last_model_is_asked_again_where_it_says_when(
    vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    vendor.will_answer({}, status=429, Retry_After="0.05")
    vendor.will_answer(chat_completions())
    book = Book()
    told = ask(table_of(tmp_path, {"one": (vendor.url, FAIR)}), book)
    assert told.failures == ()
    assert book.told() == [("one", "failed"), ("one", "ok")]  # each try is accounted for


@pytest.mark.parametrize("seconds", ["3600", "1000000"])  # an hour is the longest
def test_a_provider_that_wants_to_be_left_alone_is(
    seconds: str, vendor: Any, other_vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    vendor.will_answer({}, status=429, Retry_After=seconds)
    vendor.will_answer(chat_completions("first"))
    other_vendor.will_answer(chat_completions("second"))
    table = table_of(tmp_path, {"one": (vendor.url, FAIR), "two": (other_vendor.url, FAIR)})
    now, book = [1000.0], Book()

    async def main() -> None:
        async with opened(table, book, clock=lambda: now[0]) as models:
            answers = []
            for at in (1000.0, 4599.0, 4601.0):
                now[0] = at
                told = await models.ask(HELLO, tier="low", purpose="run")
                answers.append((told.completion.text, [str(why) for _, why in told.failures]))
            assert answers == [
                ("second", ["api_limit"]),
                ("second", ["api_limit"]),
                ("first", []),
            ]

    run(main())
    assert len(vendor.asked) == 2
    assert [name for name, _ in book.told()] == ["one", "two", "two", "one"]


def test_the_next_model_is_asked_rather_than_waited(
    vendor: Any, other_vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    vendor.will_answer({}, status=429, Retry_After="0.05")
    vendor.will_answer(chat_completions())
    other_vendor.will_answer(chat_completions())
    table = table_of(tmp_path, {"one": (vendor.url, FAIR), "two": (other_vendor.url, FAIR)})
    assert ask(table, Book()).model.name == "two"
    assert len(vendor.asked) == 1


def test_a_long_wait_is_not_waited_for(vendor: Any, tmp_path: Path) -> None:
    vendor.will_answer({}, status=429, Retry_After="60")
    with pytest.raises(NoModelAnsweredError, match=r"answered: one \(api_limit\)\."):
        ask(table_of(tmp_path, {"one": (vendor.url, FAIR)}), Book())
    assert len(vendor.asked) == 1
    vendor.answers.clear()
    vendor.will_answer({}, status=503)  # nor is one that does not say when
    with pytest.raises(NoModelAnsweredError, match=r"one \(transient\)"):
        ask(table_of(tmp_path, {"one": (vendor.url, FAIR)}), Book())
    assert len(vendor.asked) == 2


def test_a_call_without_an_answer_in_time_costs_what_it_may_have(
    vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    vendor.will_answer(chat_completions())
    vendor.waiting.clear()
    book = Book()
    with open_metrics(endpoints=()) as metrics:
        with pytest.raises(NoModelAnsweredError, match=r"one \(network\)"):
            ask(table_of(tmp_path, {"one": (vendor.url, FAIR)}), book, seconds=0.1, metrics=metrics)
        assert metrics.totals(LLM_CALLS) == {("of-one", "one", "timeout"): (1.0,)}
    (row,) = book.rows
    assert row.outcome == "timeout"
    assert row.cost == row.reserved > 0


@pytest.mark.parametrize("by_scope", [False, True], ids=["task", "scope"])
def test_a_call_that_is_cancelled_is_settled(
    by_scope: bool,  # noqa: FBT001
    vendor: Any,
    chat_completions: Any,
    tmp_path: Path,
) -> None:
    vendor.will_answer(chat_completions())
    vendor.waiting.clear()
    book = Book()

    async def main() -> None:
        table = table_of(tmp_path, {"one": (vendor.url, FAIR), "two": (vendor.url, FAIR)})
        async with opened(table, book) as models:
            asked = models.ask(HELLO, tier="low", purpose="run")
            if by_scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(lambda: asked)
                    await until(lambda: bool(vendor.asked))
                    group.cancel_scope.cancel()
            else:
                task = asyncio.ensure_future(asked)
                await until(lambda: bool(vendor.asked))
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

    run(main())
    assert book.told() == [("one", "cancelled")]
    assert book.rows[0].cost == book.rows[0].reserved > 0
    assert len(vendor.asked) == 1


@pytest.mark.parametrize("by_scope", [False, True], ids=["task", "scope"])
def test_what_is_cancelled_before_it_is_asked_costs_nothing(
    by_scope: bool,  # noqa: FBT001
    vendor: Any,
    tmp_path: Path,
) -> None:
    book = Book()
    book.opened.clear()

    async def main() -> None:
        async with opened(table_of(tmp_path, {"one": (vendor.url, FAIR)}), book) as models:

            async def asked() -> None:
                await models.ask(HELLO, tier="low", purpose="run")

            if by_scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(asked)
                    await until(book.waiting.is_set)
                    group.cancel_scope.cancel()
                    book.opened.set()
            else:
                task = asyncio.ensure_future(asked())
                await until(book.waiting.is_set)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                book.opened.set()

    run(main())
    assert book.told() == [("one", "cancelled")]
    assert not vendor.asked


def test_to_close_waits_until_the_ledger_was_told(
    vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    vendor.will_answer(chat_completions())
    vendor.waiting.clear()
    book = Book()
    book.settling.clear()

    async def main() -> None:
        async with opened(table_of(tmp_path, {"one": (vendor.url, FAIR)}), book) as models:
            asked = asyncio.ensure_future(models.ask(HELLO, tier="low", purpose="run"))
            await until(lambda: bool(vendor.asked))
            asked.cancel()
            await until(book.told_to_settle.is_set)
            asked.cancel()  # nor does it wait for the ledger
            with pytest.raises(asyncio.CancelledError):
                await asked
            closing = asyncio.ensure_future(models.close())
            await asyncio.wait([closing], timeout=0.2)
            assert not closing.done()
            book.settling.set()
            await closing

    run(main())
    assert book.told() == [("one", "cancelled")]


def test_what_the_vendor_keeps_has_its_own_price(
    vendor: Any, chat_completions: Any, tmp_path: Path
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
    book = Book()
    told = ask(read_model_table(file, environment={}), book)
    assert told.cost_usd == (200 * 1 + 300 * 0.1 + 500 * 2 + 10 * 5) / 1e6
    assert book.rows[0].cost == round(told.cost_usd * BILLION)
    assert book.rows[0].tokens == (1000, 10, 300)


def test_what_a_server_does_not_count_costs_what_was_set_aside(
    vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    body = chat_completions()
    del body["usage"]
    vendor.will_answer(body)
    book = Book()
    told = ask(table_of(tmp_path, {"one": (vendor.url, FAIR)}), book)
    assert told.completion.text == "Paris"
    assert book.rows[0].cost == book.rows[0].reserved == round(told.cost_usd * BILLION) > 0


def test_who_has_no_money_for_one_model_asks_the_next(
    vendor: Any, other_vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    other_vendor.will_answer(chat_completions())
    table = table_of(tmp_path, {"dear": (vendor.url, DEAR), "free": (other_vendor.url, FREE)})
    told = ask(table, Book(budget=0))
    assert told.model.name == "free"
    assert [(name, str(why)) for name, why in told.failures] == [("dear", "resource")]
    assert not vendor.asked
    with pytest.raises(OverBudgetError):
        ask(table_of(tmp_path, {"a": (vendor.url, DEAR), "b": (vendor.url, FAIR)}), Book(budget=0))
    other_vendor.answers.clear()
    other_vendor.will_answer({}, status=500)
    with pytest.raises(NoModelAnsweredError, match=r"dear \(resource\), free \(transient\)"):
        ask(table, Book(budget=0))


def test_in_an_emergency_the_cheapest_are_asked_unless_it_is_critical(
    vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    vendor.will_answer(chat_completions())
    models = {
        "dear": (vendor.url, DEAR),
        "fair": (vendor.url, FAIR),
        "free": (vendor.url, FREE),
    }
    table = table_of(tmp_path, models, medium=["dear", "fair"], critical=["dear"], low=["free"])
    asked = {
        (emergency, tier): ask(table, Book(emergency=emergency), tier=tier).model.name
        for emergency in (False, True)
        for tier in ("medium", "critical", "low")
    }
    assert asked == {
        (False, "medium"): "dear",
        (False, "critical"): "dear",
        (False, "low"): "free",
        (True, "medium"): "free",
        (True, "critical"): "dear",
        (True, "low"): "free",
    }
    vendor.answers.clear()
    vendor.will_answer({}, status=500)
    with pytest.raises(NoModelAnsweredError) as raised:
        ask(table, Book(emergency=True), tier="medium")
    assert [name for name, _ in raised.value.failures] == ["free", "fair"]


def test_without_any_model_that_is_said() -> None:
    table = read_model_table(None, environment={})
    with pytest.raises(NoModelError, match=r"tier low .* openai lacks OPENAI_API_KEY"):
        ask(table, Book())
    with pytest.raises(ValueError, match=r"tier must be one of trivial, .*, got 'huge'"):
        ask(table, Book(), tier="huge")  # type: ignore[arg-type]


def test_the_deadline_of_the_caller_holds(
    vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    vendor.will_answer(chat_completions())
    vendor.waiting.clear()
    breakers, book = Breakers(failures=1), Book()

    async def main() -> None:
        table = table_of(tmp_path, {"one": (vendor.url, FAIR), "two": (vendor.url, FAIR)})
        async with opened(table, book, breakers=breakers) as models:
            with deadline(0.5), pytest.raises(DeadlineExceededError):
                await models.ask(HELLO, tier="low", purpose="run")
            assert models.available == {"of-one": "ok", "of-two": "ok"}  # nobody is to blame

    run(main())
    assert book.told() in ([("one", "timeout")], [])  # nothing, where nothing was quick enough
    assert len(vendor.asked) <= 1


def test_errors_tell_neither_what_was_asked_nor_the_key(vendor: Any, tmp_path: Path) -> None:
    secret = {"error": {"message": f"sk-1 asked {HELLO.messages[-1].text}", "code": "sk-1"}}
    vendor.will_answer(secret, status=401)
    with pytest.raises(NoModelAnsweredError) as raised:
        ask(table_of(tmp_path, {"one": (vendor.url, FAIR)}), Book())
    told = "".join(traceback.format_exception(raised.value)) + repr(raised.value)
    assert "sk-1" not in told
    assert "capital" not in told


def test_an_answer_is_given_though_the_ledger_cannot_be_told(
    vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    vendor.will_answer(chat_completions())
    table = table_of(tmp_path, {"one": (vendor.url, FAIR)})
    with open_metrics(endpoints=()) as metrics:
        assert ask(table, Book(broken=True), metrics=metrics).completion.text == "Paris"
        assert metrics.totals(ERRORS) == {("llm_ledger",): (1.0,)}
    assert ask(table, Book(broken=True)).completion.text == "Paris"


def test_a_ledger_that_cannot_be_told_of_what_nobody_waits_for_is_counted(
    vendor: Any, tmp_path: Path
) -> None:
    book = Book(broken=True)
    book.opened.clear()

    async def main(metrics: Metrics) -> None:
        table = table_of(tmp_path, {"one": (vendor.url, FAIR)})
        async with opened(table, book, metrics=metrics) as models:
            asked = asyncio.ensure_future(models.ask(HELLO, tier="low", purpose="run"))
            await until(book.waiting.is_set)
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked
            book.opened.set()

    with open_metrics(endpoints=()) as metrics:
        run(main(metrics))
        assert metrics.totals(ERRORS) == {("llm_ledger",): (1.0,)}


def test_without_a_ledger_nothing_is_asked(vendor: Any, tmp_path: Path) -> None:
    class Away(Book):
        def reserve(self, *_: object, **__: object) -> str:
            raise OSError("the database is away")

    with pytest.raises(OSError, match="away"):
        ask(table_of(tmp_path, {"one": (vendor.url, FAIR), "two": (vendor.url, FREE)}), Away())
    assert not vendor.asked


ANSWERS = st.lists(
    st.sampled_from([200, 200, 400, 401, 402, 429, 500, 503, "html", "length"]),
    min_size=1,
    max_size=8,
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers=ANSWERS, budget=st.integers(0, 4_000_000))
def test_each_call_is_settled_once_and_never_for_more_than_was_set_aside(
    answers: list[Any], budget: int, vendor: Any, chat_completions: Any, tmp_path: Path
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
    book = Book(budget=budget)
    prices = {"dear": DEAR, "fair": FAIR, "free": FREE}
    table = table_of(tmp_path, {name: (vendor.url, price) for name, price in prices.items()})

    async def main() -> None:
        async with opened(table, book, breakers=Breakers(failures=2)) as models:
            for _ in range(3):
                with suppress(NoModelAnsweredError, OverBudgetError):
                    await models.ask(HELLO, tier="low", purpose="run")

    run(main())
    assert all(row.outcome is not None for row in book.rows)
    assert all(0 <= row.cost <= row.reserved for row in book.rows)
    assert sum(row.cost for row in book.rows) <= budget
    assert len(vendor.asked) == len(book.rows)
