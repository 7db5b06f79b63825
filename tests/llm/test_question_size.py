"""The bound of a question's tokens, beside what a real model counts."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcall.llm.model import Model
from nextcall.llm.openai_protocol import OpenAiProtocol
from nextcall.llm.question import Message, Question, Role
from nextcall.llm.question_size import LONGEST_INPUT, most_input_tokens

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
SCHEMAS = st.sampled_from([None, {"type": "object", "properties": {"é": {"enum": ["a", "b"]}}}])


@settings(max_examples=15)
@given(
    texts=st.lists(TEXTS, min_size=1, max_size=4),
    system=st.booleans(),
    shape=SCHEMAS,
)
def test_a_real_model_counts_no_more_tokens(
    language_model: str,
    texts: list[str],
    system: bool,  # noqa: FBT001
    shape: dict[str, Any] | None,
) -> None:
    roles: list[Role] = [
        "assistant" if (len(texts) - i) % 2 == 0 else "user" for i in range(len(texts))
    ]
    messages = [Message(role=role, text=text) for role, text in zip(roles, texts, strict=True)]
    if system:
        messages.insert(0, Message(role="system", text=texts[0]))
    question = Question(messages=tuple(messages), most_tokens=1, temperature=0.0, schema=shape)

    async def counted() -> int:
        provider = OpenAiProtocol(key=None, url=f"{language_model}/v1")
        try:
            model = Model(name="smollm2", provider="local")
            return (await provider.complete(model, question, seconds=120)).input_tokens
        finally:
            await provider.close()

    assert 1 <= asyncio.run(counted()) <= most_input_tokens(question)


def test_what_has_other_prices_is_not_asked() -> None:
    def of(length: int) -> Question:
        return Question(messages=(Message(role="user", text="ä" * length),))

    spare = LONGEST_INPUT - most_input_tokens(of(0))
    assert most_input_tokens(of(spare // 2)) == LONGEST_INPUT
    with pytest.raises(ValueError, match=r"at most 100000 tokens, got up to 100002"):
        most_input_tokens(of(spare // 2 + 1))


def test_a_schema_counts() -> None:
    plain = Question(messages=(Message(role="user", text="a"),))
    shaped = Question(messages=plain.messages, schema={"type": "string"})
    assert most_input_tokens(shaped) >= most_input_tokens(plain) + len('{"type": "string"}')


def test_text_that_is_no_unicode_has_a_size() -> None:
    assert most_input_tokens(Question(messages=(Message(role="user", text="\ud800"),))) == 99
