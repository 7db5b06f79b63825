"""Answers are remembered as they left: what of the history, and whose."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from nextcall.feedback.shown import ShownPredictions
from nextcall.serve.answering import Answering
from nextcall.serve.answers import Answer
from nextcall.serve.caching.caches import ServiceCaches
from nextcall.serve.caching.kept_answer import KeptAnswer
from nextcall.serve.feedback.shown_answers import ShownAnswers
from nextcall.serve.predictor import Predictor
from nextcall.serve.problems import UnsafeError
from nextcall.serve.safety.safety import Noted, Safety
from nextcall.serve.schemas import HistoryEvent, Limits, PredictRequest
from nextcall.serve.settings import Settings

NOTED = Noted(outcome="passed", families=(), pii=())
USERS = ("ada", "bob", "eve")
PROMPT = "make a queue for ada@example.com"


@pytest.fixture
def shown() -> ShownPredictions:
    return ShownPredictions()


def request_of(*calls: str) -> PredictRequest:
    history = [HistoryEvent(api_call=call) for call in calls]
    return PredictRequest(prompt=PROMPT, history=history, max_predictions=4)


@pytest.mark.parametrize("prompts", [False, True])
def test_what_left_is_remembered(
    predictor: Predictor, settings: Settings, shown: ShownPredictions, *, prompts: bool
) -> None:
    safety = Safety(settings, predictor.index.catalog)
    request = request_of("sqs:ListQueues", "/nobody/ada@example.com", "sqs:CreateQueue")
    whole = predictor.predict(request)
    left = whole.model_copy(
        update={
            "predictions": whole.predictions[1:],  # as the output filter may leave one out
            "confidence_scores": whole.confidence_scores[1:],
        }
    )
    answers = ShownAnswers(shown, predictor, safety, prompts=prompts)
    kept = KeptAnswer.of(left, NOTED, asking=answers.asking(request))
    answers.remember(left.prediction_id, kept, "ada")
    found = shown.find(left.prediction_id, at=datetime.now(UTC))
    assert found is not None
    assert found.operations == tuple(each.operation_id for each in whole.predictions[1:])
    assert found.confidences == tuple(each.confidence for each in whole.predictions[1:])
    assert (found.user, found.history) == ("ada", ("sqs:ListQueues", "sqs:CreateQueue"))
    assert found.prompt == ("make a queue for [EMAIL_1]" if prompts else None)
    assert (found.trial, found.variant) == (None, None)


def test_of_a_long_history_the_newest_calls_are_remembered(
    predictor: Predictor, settings: Settings, shown: ShownPredictions
) -> None:
    safety = Safety(settings, predictor.index.catalog)
    request = request_of(*["sqs:CreateQueue"] * 50, *["sqs:ListQueues"] * predictor.max_history)
    answer = predictor.predict(request)
    answers = ShownAnswers(shown, predictor, safety, prompts=False)
    kept = KeptAnswer.of(answer, NOTED, asking=answers.asking(request))
    answers.remember(answer.prediction_id, kept, None)
    found = shown.find(answer.prediction_id, at=datetime.now(UTC))
    assert found is not None
    assert found.history == ("sqs:ListQueues",) * predictor.max_history


def test_kept_answers_are_remembered_each_time_and_refusals_never(
    predictor: Predictor, settings: Settings, shown: ShownPredictions
) -> None:
    safety = Safety(settings, predictor.index.catalog)
    answering = Answering(
        predictor,
        safety,
        Limits(),
        caches=ServiceCaches(settings, predictor),
        shown=ShownAnswers(shown, predictor, safety, prompts=False),
    )
    body = request_of("sqs:CreateQueue").model_dump_json().encode()
    replies = [asyncio.run(answering.reply(body, "short", user=user)) for user in ("ada", "bob")]
    assert [reply.is_kept for reply in replies] == [False, True]
    item = json.loads(body)
    items = [answering.reply_to_item(item, "short", user="eve")]
    with pytest.raises(UnsafeError):
        answering.reply_to_item({"prompt": "x'; DROP TABLE users; --"}, "short", user="eve")
    assert len(shown) == 3
    for text, user in zip([*(reply.body for reply in replies), *items], USERS, strict=True):
        answer = Answer.model_validate_json(text)
        found = shown.find(answer.prediction_id, at=datetime.now(UTC))
        assert found is not None
        assert (found.user, found.history) == (user, ("sqs:CreateQueue",))
        assert found.operations == tuple(each.operation_id for each in answer.predictions)
    predictor.vectors = predictor.views = None  # others use it, too
