"""A function that is cached is called once for each of its arguments."""

import asyncio
from pathlib import Path

import pytest

from nextcall.cache.cache import Cache
from nextcall.cache.cached import cached, call_key, warm_up
from nextcall.cache.computing import ComputingCache


@pytest.fixture
def computing() -> ComputingCache[object]:
    return ComputingCache(Cache[object](ttl=60, entries=100))


def test_a_function_is_called_once_for_each_of_its_arguments(
    computing: ComputingCache[object],
) -> None:
    calls: list[object] = []

    @cached(computing)
    def answer(*args: object, **kwargs: object) -> int:
        """Say it."""
        calls.append((args, kwargs))
        return len(calls)

    asked: list[tuple[object, ...]] = [
        (1,), (True,), (1.0,), ("1",), (b"1",), (None,), ((1,),), (1, 1), ("1', '1",), (),
    ]  # fmt: skip
    first = [answer(*args) for args in asked] + [answer(a=1), answer(b=1), answer(a=1, b=2)]
    again = [answer(*args) for args in asked] + [answer(a=1), answer(b=1), answer(b=2, a=1)]
    assert first == again == list(range(1, len(calls) + 1))
    assert answer.__doc__ == "Say it."
    assert computing.cache.invalidate_pattern(f"{__name__}.*answer(*") == len(calls)


def test_an_async_function_too(computing: ComputingCache[object]) -> None:
    calls = 0

    @cached(computing, key=lambda text: text.casefold())
    async def answer(text: str) -> str:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        return text

    async def ask() -> list[str]:
        return list(await asyncio.gather(answer("a"), answer("A"), answer("b")))

    assert asyncio.run(ask()) == ["a", "a", "b"]
    assert (calls, computing.cache.get("b")) == (2, "b")


def test_functions_of_one_name_in_other_places_are_told_apart() -> None:
    assert call_key(Path.read_text, "a") != call_key(Path.write_text, "a")


def test_an_argument_that_has_no_plain_text_needs_a_key(computing: ComputingCache[object]) -> None:
    asked = cached(computing)(len)
    for value in ([1], (1, [2]), object()):
        with pytest.raises(TypeError, match="must be texts, numbers or tuples"):
            asked(value)  # type: ignore[arg-type]  # as it should be


def test_a_file_fills_a_cache_and_is_told_of_by_line(
    computing: ComputingCache[object], tmp_path: Path
) -> None:
    path = tmp_path / "asked.jsonl"
    path.write_text('"a"\n\n"b"\n"a"\n', encoding="utf-8")

    @cached(computing)
    def answer(text: str) -> str:
        if text == "c":
            raise LookupError("no c")
        return text

    assert warm_up(path, answer) == 3
    assert computing.cache.stats.entries == 2
    for line, told in (("{", "JSONDecodeError"), ('"c"', "LookupError: no c")):
        path.write_text(f'"a"\n{line}\n', encoding="utf-8")
        with pytest.raises(ValueError, match=rf"asked\.jsonl, line 2: .*{told}"):
            warm_up(path, answer)
