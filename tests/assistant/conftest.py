"""A model that says what a test tells it to say, and operations to propose."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import pytest

from nextcall.assistant.assistant import Assistant
from nextcall.assistant.run import Run
from nextcall.assistant.task import Task
from nextcall.catalog import Operation, Parameter, describe_operation
from nextcall.llm.completion import Completion
from nextcall.llm.model import Model, Tier
from nextcall.llm.question import Question

Ended = Literal["stop", "length", "refused"]

MODEL = Model(name="scripted", provider="none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One answer of a model, as `Told` has it."""

    completion: Completion
    tier: Tier
    model: Model = MODEL
    cost_usd: float = 0.001
    seconds: float = 0.25


@dataclass
class Scripted:
    """Answers every question with the same text, and remembers what it was asked."""

    text: str
    ended: Ended = "stop"
    asked: list[tuple[Question, Tier, str]] = field(default_factory=list)

    async def ask(self, question: Question, *, tier: Tier, purpose: str) -> Said:
        self.asked.append((question, tier, purpose))
        completion = Completion(text=self.text, input_tokens=7, output_tokens=5, ended=self.ended)
        return Said(completion=completion, tier=tier)


@pytest.fixture
def scripted() -> Callable[[str], Scripted]:
    """Give what makes a model that says a text."""
    return Scripted


@pytest.fixture(scope="session")
def shown() -> tuple[Operation, ...]:
    """Give three operations; the second has a parameter of every type."""
    kinds = ("string", "integer", "number", "boolean", "array", "object", "")
    return (
        describe_operation(
            operation_id="getUser",
            method="GET",
            path="/users/{id}",
            summary="Shows a user.",
            parameters=[Parameter(name="id", location="path", type="string", required=True)],
        ),
        describe_operation(
            operation_id="makeOrder",
            method="POST",
            path="/orders",
            parameters=[
                Parameter(name=kind or "other", type=kind, required=kind in {"string", "integer"})
                for kind in kinds
            ],
        ),
        describe_operation(operation_id="listUsers", description="Lists them. And more of it."),
    )


@pytest.fixture(scope="session")
def ran(shown: tuple[Operation, ...]) -> Callable[..., Run]:
    """Give what runs a task with a model that says a text."""

    def run(text: str, *, ended: Ended = "stop", most_calls: int = 3) -> Run:
        task = Task(prompt="do it", shown=shown, most_calls=most_calls)
        return asyncio.run(Assistant(Scripted(text, ended)).run(task))

    return run
