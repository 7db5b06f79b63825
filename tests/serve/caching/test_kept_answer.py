"""Kept answers: what they say is what was answered, under an id of its own."""

import json
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.cache.sizes import size_of
from nextcall.ranking.cold_start import ColdStartLevel
from nextcall.serve.answers import Answer, FullAnswer
from nextcall.serve.caching.kept_answer import Asking, KeptAnswer, KeptAnswerCodec, new_id
from nextcall.serve.predictor import Predictor
from nextcall.serve.safety.safety import Noted
from nextcall.serve.schemas import PredictRequest

NOTED = Noted(outcome="flagged", families=("sqli", "xss"), pii=("email",))
ASKED = PredictRequest(prompt="create a bucket", max_predictions=2)


def test_an_answer_is_written_as_it_was(predictor: Predictor) -> None:
    answer = predictor.predict(ASKED)
    kept = KeptAnswer.of(answer, NOTED)
    written = kept.written(new_id(), milliseconds=1.23456)
    read = Answer.model_validate_json(written)
    given = {"prediction_id": read.prediction_id, "processing_time_ms": 1.235}
    assert read == answer.model_copy(update=given)
    assert list(json.loads(written)) == list(answer.model_dump())
    named = UUID(read.prediction_id)
    assert (str(named), named.version, named.variant) == (read.prediction_id, 4, RFC_4122)
    other = Answer.model_validate_json(kept.written(new_id(), milliseconds=1))
    assert other.prediction_id != read.prediction_id
    assert (kept.level, kept.confidence) == (
        answer.metadata.fallback_method,
        answer.predictions[0].confidence,
    )
    assert kept.operations == tuple(one.operation_id for one in answer.predictions)
    assert list(kept.confidences) == answer.confidence_scores


def test_a_full_answer_tells_how_this_request_fared(predictor: Predictor) -> None:
    answer = predictor.predict_fully(ASKED)
    performance = answer.metadata.performance_metrics.model_copy(
        update={"cache_hit": True, "ml_scoring_latency_ms": None}
    )
    written = KeptAnswer.of(answer, NOTED).written(
        new_id(), milliseconds=2.0, performance=performance
    )
    read = FullAnswer.model_validate_json(written)
    metadata = answer.metadata.model_copy(update={"performance_metrics": performance})
    given = {"prediction_id": read.prediction_id, "processing_time_ms": 2.0, "metadata": metadata}
    assert read == answer.model_copy(update=given)


@given(
    rest=st.binary(max_size=200),
    is_full=st.booleans(),
    level=st.sampled_from(list(ColdStartLevel)),
    confidences=st.lists(st.none() | st.floats(0, 1), max_size=3),
    prompt=st.none() | st.text(),
    words=st.lists(st.text(), max_size=3),
)
def test_what_is_encoded_comes_back(
    *,
    rest: bytes,
    is_full: bool,
    level: ColdStartLevel,
    confidences: list[float | None],
    prompt: str | None,
    words: list[str],
) -> None:
    kept = KeptAnswer(
        rest=rest,
        is_full=is_full,
        noted=Noted(outcome="observed", families=tuple(words), pii=tuple(words)),
        level=level,
        operations=tuple(words),
        confidences=tuple(confidences),
        asking=Asking(history=tuple(words), prompt=prompt),
    )
    assert KeptAnswerCodec().decode(KeptAnswerCodec().encode(kept)) == kept


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no JSON\nrest",
        b"[1]\nrest",
        b"3\nrest",
        b'[true, "none", ["shot", [], []], [], [], [[], null]]\nrest',
        b'[true, "nowhere", ["passed", [], []], [], [], [[], null]]\nrest',
        b'[true, "none", ["passed", [], []], [], ["much"], [[], null]]\nrest',
        b'[true, "none", [[], [], []], [], [], [[], null]]\nrest',
        b'[true, "none", ["passed", null, []], [], [], [[], null]]\nrest',
        b'[true, "none", 3, [], [], [[], null]]\nrest',
    ],
)
def test_what_nobody_encoded_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"must|JSON|Expecting|valid|convert|unpack"):
        KeptAnswerCodec().decode(data)


@pytest.mark.parametrize("prompt", [None, "list the queues"])
@pytest.mark.parametrize(("predictions", "calls"), [(1, 0), (3, 0), (20, 0), (3, 100)])
def test_it_takes_what_its_parts_take(predictions: int, calls: int, prompt: str | None) -> None:
    kept = KeptAnswer(
        rest=b"x" * 300 * predictions,
        is_full=False,
        noted=NOTED,
        level=ColdStartLevel.PROMPT_ONLY,
        operations=tuple(f"service:Operation{number}" for number in range(predictions)),
        confidences=tuple(1 / (2 + number) for number in range(predictions)),
        asking=Asking(
            history=tuple(f"service:Call{number}" for number in range(calls)), prompt=prompt
        ),
    )
    assert kept.nbytes == pytest.approx(size_of([kept]) - size_of([]), rel=0.2)
    assert size_of(kept) == kept.nbytes
