"""Models asked one after the other, until one answers."""

import asyncio
import traceback
from pathlib import Path
from typing import Any

import pytest

from nextcall.llm.call_ledger import Outcome, OverBudgetError
from nextcall.llm.language_models import NoModelAnsweredError, NoModelError
from nextcall.llm.model_table import read_model_table
from nextcall.resilience.breakers import Breakers
from nextcall.resilience.deadline import DeadlineExceededError, deadline

DEAR, FAIR, FREE = {"input": 4, "output": 20}, {"input": 1, "output": 5}, {"input": 0, "output": 0}


def test_the_next_model_is_asked_where_one_fails(
    asking: Any, vendor: Any, other_vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    vendor.will_answer({"error": "no"}, status=500)
    other_vendor.will_answer(chat_completions())
    models = {
        "nobody": ("http://127.0.0.1:9", FAIR),
        "broken": (vendor.url, FAIR),
        "well": (other_vendor.url, FAIR),
    }
    book = asking.Book()
    told = asking.ask(asking.table_of(tmp_path, models), book)
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
    asking: Any,
    ended: str,
    refusal: str | None,
    outcome: Outcome,
    vendor: Any,
    chat_completions: Any,
    tmp_path: Path,
) -> None:
    vendor.will_answer(chat_completions(ended=ended, refusal=refusal))
    book = asking.Book()
    table = asking.table_of(tmp_path, {"one": (vendor.url, FAIR), "two": (vendor.url, FAIR)})
    assert asking.ask(table, book).completion.ended in {"length", "refused"}
    assert book.told() == [("one", outcome)]
    assert book.rows[0].cost > 0


def test_providers_of_both_protocols_stand_in_for_each_other(
    asking: Any, vendor: Any, other_vendor: Any, messages: Any, tmp_path: Path
) -> None:
    vendor.will_answer({}, status=500)
    other_vendor.will_answer(messages("Paris"))
    file = tmp_path / "models.yaml"
    file.write_text(
        f"""
providers:
  - {{name: here, protocol: openai, url: {vendor.url}}}
  - {{name: there, protocol: anthropic, url: {other_vendor.url}, key_variable: THERE_KEY}}
models:
  - {{name: one, provider: here, input_price: 0, output_price: 0}}
  - {{name: two, provider: there, input_price: 1, output_price: 5}}
tiers: {{trivial: [one], low: [one, two], medium: [one], high: [one], critical: [two]}}
"""
    )
    table = read_model_table(file, environment={"THERE_KEY": "sk-1"})
    book = asking.Book()
    assert asking.ask(table, book).model.name == "two"
    assert book.told() == [("one", "failed"), ("two", "ok")]
    assert [each.headers["authorization"] for each in (*vendor.asked, *other_vendor.asked)] == [
        "Bearer none",
        "Bearer sk-1",
    ]


def test_a_provider_that_is_down_is_left_alone(
    asking: Any, vendor: Any, other_vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    vendor.will_answer({}, status=503)
    other_vendor.will_answer(chat_completions())
    table = asking.table_of(tmp_path, {"down": (vendor.url, FAIR), "up": (other_vendor.url, FAIR)})
    book, breakers = asking.Book(), Breakers(failures=2)

    async def main() -> None:
        async with asking.opened(table, book, breakers=breakers) as models:
            assert models.available == {"of-down": "ok", "of-up": "ok"}
            for _ in range(4):
                await models.ask(asking.HELLO, tier="low", purpose="run")
            assert models.available == {"of-down": "failing", "of-up": "ok"}

    asyncio.run(main())
    assert len(vendor.asked) == 2
    assert [name for name, _ in book.told()].count("down") == 2  # nor is money set aside
    assert [each.name for each in breakers.statistics()] == ["LLM of-down", "LLM of-up"]


def test_a_provider_that_refuses_the_key_is_failing_until_it_takes_it(
    asking: Any, vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    vendor.will_answer({}, status=401)
    vendor.will_answer(chat_completions())

    async def main() -> None:
        async with asking.opened(
            asking.table_of(tmp_path, {"one": (vendor.url, FAIR)}), asking.Book()
        ) as models:
            with pytest.raises(NoModelAnsweredError, match=r"one \(authentication\)"):
                await models.ask(asking.HELLO, tier="low", purpose="run")
            assert models.available == {"of-one": "failing"}
            await models.ask(asking.HELLO, tier="low", purpose="run")
            assert models.available == {"of-one": "ok"}

    asyncio.run(main())


def test_the_last_model_is_asked_again_where_it_says_when(
    asking: Any, vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    vendor.will_answer({}, status=429, Retry_After="0.05")
    vendor.will_answer(chat_completions())
    book = asking.Book()
    told = asking.ask(asking.table_of(tmp_path, {"one": (vendor.url, FAIR)}), book)
    assert told.failures == ()
    assert book.told() == [("one", "failed"), ("one", "ok")]  # each try is accounted for


@pytest.mark.parametrize("seconds", ["3600", "1000000"])  # an hour is the longest
def test_a_provider_that_wants_to_be_left_alone_is(
    asking: Any, seconds: str, vendor: Any, other_vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    vendor.will_answer({}, status=429, Retry_After=seconds)
    vendor.will_answer(chat_completions("first"))
    other_vendor.will_answer(chat_completions("second"))
    table = asking.table_of(tmp_path, {"one": (vendor.url, FAIR), "two": (other_vendor.url, FAIR)})
    now, book = [1000.0], asking.Book()

    async def main() -> None:
        async with asking.opened(table, book, clock=lambda: now[0]) as models:
            answers = []
            for at in (1000.0, 4599.0, 4601.0):
                now[0] = at
                told = await models.ask(asking.HELLO, tier="low", purpose="run")
                answers.append((told.completion.text, [str(why) for _, why in told.failures]))
            assert answers == [
                ("second", ["api_limit"]),
                ("second", ["api_limit"]),
                ("first", []),
            ]

    asyncio.run(main())
    assert len(vendor.asked) == 2
    assert [name for name, _ in book.told()] == ["one", "two", "two", "one"]


def test_the_next_model_is_asked_rather_than_waited(
    asking: Any, vendor: Any, other_vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    vendor.will_answer({}, status=429, Retry_After="0.05")
    vendor.will_answer(chat_completions())
    other_vendor.will_answer(chat_completions())
    table = asking.table_of(tmp_path, {"one": (vendor.url, FAIR), "two": (other_vendor.url, FAIR)})
    assert asking.ask(table, asking.Book()).model.name == "two"
    assert len(vendor.asked) == 1


def test_a_long_wait_is_not_waited_for(asking: Any, vendor: Any, tmp_path: Path) -> None:
    vendor.will_answer({}, status=429, Retry_After="60")
    with pytest.raises(NoModelAnsweredError, match=r"answered: one \(api_limit\)\."):
        asking.ask(asking.table_of(tmp_path, {"one": (vendor.url, FAIR)}), asking.Book())
    assert len(vendor.asked) == 1
    vendor.answers.clear()
    vendor.will_answer({}, status=503)  # nor is one that does not say when
    with pytest.raises(NoModelAnsweredError, match=r"one \(transient\)"):
        asking.ask(asking.table_of(tmp_path, {"one": (vendor.url, FAIR)}), asking.Book())
    assert len(vendor.asked) == 2


def test_who_has_no_money_for_one_model_asks_the_next(
    asking: Any, vendor: Any, other_vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    other_vendor.will_answer(chat_completions())
    table = asking.table_of(
        tmp_path, {"dear": (vendor.url, DEAR), "free": (other_vendor.url, FREE)}
    )
    told = asking.ask(table, asking.Book(budget=0))
    assert told.model.name == "free"
    assert [(name, str(why)) for name, why in told.failures] == [("dear", "resource")]
    assert not vendor.asked
    with pytest.raises(OverBudgetError):
        asking.ask(
            asking.table_of(tmp_path, {"a": (vendor.url, DEAR), "b": (vendor.url, FAIR)}),
            asking.Book(budget=0),
        )
    other_vendor.answers.clear()
    other_vendor.will_answer({}, status=500)
    with pytest.raises(NoModelAnsweredError, match=r"dear \(resource\), free \(transient\)"):
        asking.ask(table, asking.Book(budget=0))


def test_in_an_emergency_the_cheapest_are_asked_unless_it_is_critical(
    asking: Any, vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    vendor.will_answer(chat_completions())
    models = {
        "dear": (vendor.url, DEAR),
        "fair": (vendor.url, FAIR),
        "free": (vendor.url, FREE),
    }
    table = asking.table_of(
        tmp_path, models, medium=["dear", "fair"], critical=["dear"], low=["free"]
    )
    asked = {
        (emergency, tier): asking.ask(table, asking.Book(emergency=emergency), tier=tier).model.name
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
        asking.ask(table, asking.Book(emergency=True), tier="medium")
    assert [name for name, _ in raised.value.failures] == ["free", "fair"]


def test_without_any_model_that_is_said(
    asking: Any,
) -> None:
    table = read_model_table(None, environment={})
    with pytest.raises(NoModelError, match=r"tier low .* openai lacks OPENAI_API_KEY"):
        asking.ask(table, asking.Book())
    with pytest.raises(ValueError, match=r"tier must be one of trivial, .*, got 'huge'"):
        asking.ask(table, asking.Book(), tier="huge")


def test_the_deadline_of_the_caller_holds(
    asking: Any, vendor: Any, chat_completions: Any, tmp_path: Path
) -> None:
    vendor.will_answer(chat_completions())
    vendor.waiting.clear()
    breakers, book = Breakers(failures=1), asking.Book()

    async def main() -> None:
        table = asking.table_of(tmp_path, {"one": (vendor.url, FAIR), "two": (vendor.url, FAIR)})
        async with asking.opened(table, book, breakers=breakers) as models:
            with deadline(0.5), pytest.raises(DeadlineExceededError):
                await models.ask(asking.HELLO, tier="low", purpose="run")
            assert models.available == {"of-one": "ok", "of-two": "ok"}  # nobody is to blame

    asyncio.run(main())
    assert book.told() in ([("one", "timeout")], [])  # nothing, where nothing was quick enough
    assert len(vendor.asked) <= 1


def test_errors_tell_neither_what_was_asked_nor_the_key(
    asking: Any, vendor: Any, tmp_path: Path
) -> None:
    secret = {"error": {"message": f"sk-1 asked {asking.HELLO.messages[-1].text}", "code": "sk-1"}}
    vendor.will_answer(secret, status=401)
    with pytest.raises(NoModelAnsweredError) as raised:
        asking.ask(asking.table_of(tmp_path, {"one": (vendor.url, FAIR)}), asking.Book())
    told = "".join(traceback.format_exception(raised.value)) + repr(raised.value)
    assert "sk-1" not in told
    assert "capital" not in told
