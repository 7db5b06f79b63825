"""Asks a language model which calls do what is wanted."""

from typing import Final

from nextcall.assistant.answer_reading import read_answer
from nextcall.assistant.asking import Asking
from nextcall.assistant.messages import question_of
from nextcall.assistant.run import Run
from nextcall.assistant.task import Task

PURPOSE: Final = "run"
"""What its calls of models are for, as the ledger has it."""


class Assistant:
    """Shows a model operations, and reads which it would call with which arguments.

    It calls none of them. Coroutines share it.

    Parameters
    ----------
    models : Asking

    Examples
    --------
    >>> import asyncio
    >>> from dataclasses import dataclass
    >>> from nextcall.catalog import Parameter, describe_operation
    >>> from nextcall.llm.completion import Completion
    >>> from nextcall.llm.model import Model
    >>> said = '{"arguments": [{"name": "id", "value": "7"}], "operation_id": "getUser"}'
    >>> @dataclass(frozen=True)
    ... class Scripted:
    ...     completion = Completion(
    ...         text='{"answer": "Here.", "calls": [%s]}' % said, input_tokens=9, output_tokens=9
    ...     )
    ...     model = Model(name="scripted", provider="none")
    ...     tier, cost_usd, seconds = "low", 0.0, 0.1
    ...
    ...     async def ask(self, question, *, tier, purpose):
    ...         return self
    >>> number = Parameter(name="id", type="integer", required=True)
    >>> get = describe_operation(operation_id="getUser", parameters=[number])
    >>> run = asyncio.run(Assistant(Scripted()).run(Task(prompt="user 7", shown=(get,))))
    >>> run.answer, run.calls[0].operation.operation_id, run.calls[0].arguments
    ('Here.', 'getUser', {'id': 7})
    """

    def __init__(self, models: Asking) -> None:
        self._models = models

    async def run(self, task: Task) -> Run:
        """Ask once, and read the answer.

        Parameters
        ----------
        task : Task

        Raises
        ------
        UnusableAnswerError
            Where the answer is of no use.
        Exception
            What the models raise where none of them answers.
        """
        told = await self._models.ask(question_of(task), tier=task.tier, purpose=PURPOSE)
        return read_answer(task, told)
