"""From a request to what an assistant proposes: guard, ranker, language model, guard."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from nextcall.assistant.assistant import Assistant
from nextcall.assistant.messages import MOST_HISTORY, question_of
from nextcall.assistant.run import Proposed, Run, UnusableAnswerError
from nextcall.assistant.task import Task
from nextcall.catalog.operation import Operation
from nextcall.guard.pii import Masked
from nextcall.llm.call_ledger import OverBudgetError
from nextcall.llm.language_models import NoModelAnsweredError, NoModelError
from nextcall.llm.question_size import most_input_tokens
from nextcall.resilience.deadline import DeadlineExceededError, deadline
from nextcall.serve.assistant.model_words import ModelWords
from nextcall.serve.assistant.schemas import (
    FallbackReason,
    RunAnswer,
    RunAsked,
    RunCall,
    RunFallback,
    RunUsage,
)
from nextcall.serve.bodies import read_as
from nextcall.serve.caching.kept_answer import new_id
from nextcall.serve.found import AnyFound, shortened
from nextcall.serve.observer import Observer
from nextcall.serve.predictor import Predictor
from nextcall.serve.safety.safety import Checked, Safety
from nextcall.serve.schemas import Limits
from nextcall.serve.short_work import in_thread
from nextcall.serve.watching import Watch
from nextcall.storage.database import OUT_OF_REACH

_ROUTE: Final = "/api/run"
_LEAST_SECONDS: Final = 0.001  # a deadline is above 0
_REASONS: Final[Mapping[type[Exception], FallbackReason]] = {
    NoModelError: "no_model",
    OverBudgetError: "over_budget",
    NoModelAnsweredError: "failed",
    DeadlineExceededError: "deadline",
    **dict.fromkeys(OUT_OF_REACH, "no_ledger"),
}
_ASKED_IN_VAIN: Final[frozenset[FallbackReason]] = frozenset({"failed", "deadline"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """A request that was let in, and what the ranker found."""

    asked: RunAsked
    checked: Checked
    found: Sequence[tuple[AnyFound, Operation]]
    """That may leave, with such texts alone as may."""
    history: tuple[Operation, ...]
    masked: Masked

    @property
    def shown(self) -> tuple[Operation, ...]:
        return tuple(operation for _, operation in self.found[: self.asked.shown])

    @property
    def task(self) -> Task:
        return Task(
            prompt=self.masked.text,
            shown=self.shown,
            history=self.history,
            most_calls=self.asked.max_calls,
            tier=self.asked.complexity,
            temperature=self.asked.temperature,
        )


class Runs:
    """Answers what an assistant is asked.

    Parameters
    ----------
    predictor : Predictor
        Says which operations a model is shown.
    safety : Safety
        Looks at requests, at the catalogue's texts, and at what a model wrote.
    limits : Limits
        What a request may ask.
    assistant : Assistant, optional
        Without one the ranker's first operations are given.
    observer : Observer, optional
        Hears of each part.
    seconds : float
        That an answer may take, but for the last look at it.
    """

    def __init__(
        self,
        predictor: Predictor,
        safety: Safety,
        limits: Limits,
        *,
        assistant: Assistant | None = None,
        observer: Observer | None = None,
        seconds: float = 30.0,
    ) -> None:
        self._predictor, self._safety, self._limits = predictor, safety, limits
        self._assistant, self._observer, self._seconds = assistant, observer, seconds
        self._llm = None if observer is None else observer.latencies.of("llm")

    async def reply(self, body: bytes) -> RunAnswer:
        """Answer a request.

        Raises
        ------
        RefusedError, UnsafeError
            Where it breaks a rule, or the guard refuses it.
        DeadlineExceededError
            Where the ranking takes too long; a model that does is done without.
        """
        begin = time.perf_counter()
        async with deadline(self._seconds) as whole:
            prepared = await in_thread(partial(self._prepare, body))
        outcome = await self._ask(prepared, max(whole.left(), _LEAST_SECONDS))
        return await in_thread(partial(self._answer, prepared, outcome, begin))

    def _prepare(self, body: bytes) -> _Prepared:
        watch = Watch({}) if self._observer is None else self._observer.watch()
        try:
            return self._ranked(read_as(RunAsked, body, context=self._limits), watch)
        finally:
            watch.count()

    def _ranked(self, asked: RunAsked, watch: Watch) -> _Prepared:
        safety, predictor = self._safety, self._predictor.pinned()
        with watch("guard"):
            checked = safety.check_request(_ROUTE, asked)
            masked = safety.masked(asked.prompt)
        with watch("ranking"):
            found = predictor.outcome(asked.ranked).found
        with watch("filter"):
            shown = safety.showable([each.operation for each in found])
        called = (
            predictor.operation(each.api_call, method=each.method)
            for each in asked.history[-predictor.max_history :]
        )
        history = [each for each in called if each is not None][-MOST_HISTORY:]
        known = safety.showable(history, are_proposed=False)
        pairs = zip(found, shown, strict=True)
        return _Prepared(
            asked=asked,
            checked=checked,
            found=[(each, operation) for each, operation in pairs if operation is not None],
            history=tuple(each for each in known if each is not None),
            masked=masked,
        )

    async def _ask(
        self, prepared: _Prepared, seconds: float
    ) -> Run | UnusableAnswerError | FallbackReason:
        """Ask a model, or say why none answered."""
        if self._assistant is None:
            return "no_model"
        if not prepared.found:
            return "nothing_to_show"
        begin, task = time.perf_counter(), prepared.task
        if _is_too_long(task):
            return "too_long"
        try:
            async with deadline(seconds):
                run = await self._assistant.run(task)
        except UnusableAnswerError as error:
            self._note(error.told.seconds)
            return error
        except tuple(_REASONS) as error:
            reason = next(_REASONS[kind] for kind in _REASONS if isinstance(error, kind))
            if reason in _ASKED_IN_VAIN:
                self._note(time.perf_counter() - begin, failed=True)
            return reason
        self._note(run.told.seconds)
        return run

    def _note(self, seconds: float, *, failed: bool = False) -> None:
        if self._llm is not None:
            self._llm.observe(seconds, error=failed)

    def _answer(
        self, prepared: _Prepared, outcome: Run | UnusableAnswerError | FallbackReason, begin: float
    ) -> RunAnswer:
        words = ModelWords(self._safety, _ROUTE, prepared.masked.values)
        run = outcome if isinstance(outcome, Run) else None
        told = outcome.told if isinstance(outcome, Run | UnusableAnswerError) else None
        reason = outcome.fault if isinstance(outcome, UnusableAnswerError) else outcome
        answer: str | None = None
        if run is None:
            calls = [_first(each, operation) for each, operation in prepared.found]
            calls = calls[: prepared.asked.max_calls]
        else:
            answer = words.text("answer", run.answer)
            calls = [
                _call(f"calls.{number}", each, prepared, words)
                for number, each in enumerate(run.calls)
            ]
        is_checked = prepared.checked.findings is not None
        return RunAnswer(
            run_id=new_id(),
            answer=answer,
            calls=calls,
            shown=[each.operation_id for each in prepared.shown],
            dropped=0 if run is None else run.dropped,
            processing_method="ranking" if run is None else "llm",
            fallback=None if isinstance(reason, Run) else RunFallback(reason=reason),
            usage=None if told is None else RunUsage.of(told),
            safety_flags=[*prepared.checked.marks, *words.flags] if is_checked else None,
            processing_time_ms=round(1000 * (time.perf_counter() - begin), 3),
        )


def _is_too_long(task: Task) -> bool:
    """Tell whether there is more to read than models are asked to."""
    try:
        most_input_tokens(question_of(task))
    except ValueError:
        return True
    return False


def _call(place: str, proposed: Proposed, prepared: _Prepared, words: ModelWords) -> RunCall:
    """Write what a model proposes."""
    operation = proposed.operation
    arguments, withheld = words.arguments(f"{place}.arguments", proposed)
    lack = {*proposed.missing, *withheld}
    (found,) = (each for each, shown in prepared.found if shown is operation)
    return _first(found, operation).model_copy(
        update={
            "arguments": arguments,
            "missing_parameters": [name for name in _needed(operation) if name in lack],
            "unknown_arguments": words.names(f"{place}.unknown_arguments", proposed.unknown),
            "reason": words.text(f"{place}.reason", proposed.reason) or None,
        }
    )


def _first(found: AnyFound, operation: Operation) -> RunCall:
    """Write what the ranker alone says of an operation."""
    return RunCall(
        api_call=operation.api_call,
        operation_id=operation.operation_id,
        method=operation.method,
        description=shortened(operation.summary or operation.description),
        arguments={},
        missing_parameters=_needed(operation),
        unknown_arguments=[],
        reason=None,
        confidence=found.confidence,
        rank=found.rank,
    )


def _needed(operation: Operation) -> list[str]:
    return list(dict.fromkeys(each.name for each in operation.parameters if each.required))
