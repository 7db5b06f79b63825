"""What an answer says of its checks."""

from typing import Any

import pytest

from nextcall.catalog import Catalog, describe_operation
from nextcall.serve.answers import FullAnswer, FullPrediction
from nextcall.serve.predictor import Predictor
from nextcall.serve.safety.answer_filter import Filtered
from nextcall.serve.safety.input_checks import Findings, Noticed
from nextcall.serve.safety.marks import marked_answer
from nextcall.serve.schemas import PredictRequest
from nextcall.training.opening import open_index

_NOTHING = Findings(noticed=(), pii=(), failed=frozenset())
_NOTICED = Noticed(place="prompt", rule="Should", family="sqli", action="flag", risk=0.75)


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> FullAnswer:
    """Give two predictions, of confidence 0.9 and 0.7."""
    both = [describe_operation(operation_id=name, summary=name) for name in ("one", "other")]
    index = open_index(Catalog("two", tuple(both)), cache=tmp_path_factory.mktemp("vectors"))
    asked = PredictRequest.model_validate({"prompt": "one"})
    given = Predictor(index).predict_fully(asked)
    sure = zip(given.predictions, (0.9, 0.7), strict=True)
    analysis = given.metadata.cold_start_analysis.model_copy(
        update={"pattern_recognition_confidence": 0.5, "is_confident": True}
    )
    metadata = given.metadata.model_copy(update={"cold_start_analysis": analysis})
    predictions = [one.model_copy(update={"confidence": value}) for one, value in sure]
    return given.model_copy(update={"predictions": predictions, "metadata": metadata})


def _marked(
    answer: FullAnswer, predictions: list[FullPrediction], *, findings: Findings = _NOTHING
) -> FullAnswer:
    filtered = Filtered(
        predictions=[*predictions],
        blocked=len(answer.predictions) - len(predictions),
        filtered=0,
        first_was_blocked=predictions[:1] != answer.predictions[:1],
        failed=False,
    )
    return marked_answer(answer, findings, filtered, seconds=0.002, version="v")


def test_scores_and_predictions_agree(answer: FullAnswer) -> None:
    assert _marked(answer, answer.predictions).confidence_scores == [0.9, 0.7]
    assert _marked(answer, answer.predictions[1:]).confidence_scores == [0.7]


@pytest.mark.parametrize(
    ("kept", "threshold", "told"),
    [
        (slice(0, 1), 0.6, {"is_confident": True, "pattern_recognition_confidence": 0.5}),
        (slice(1, 2), 0.6, {"is_confident": True, "pattern_recognition_confidence": None}),
        (slice(1, 2), 0.8, {"is_confident": False, "pattern_recognition_confidence": None}),
        (slice(0, 0), 0.6, {"is_confident": None, "pattern_recognition_confidence": None}),
    ],
)
def test_what_is_said_of_the_first_is_said_of_who_is_first_now(
    answer: FullAnswer, kept: slice, threshold: float, told: dict[str, Any]
) -> None:
    analysis = answer.metadata.cold_start_analysis
    stricter = analysis.model_copy(update={"confidence_threshold": threshold})
    metadata = answer.metadata.model_copy(update={"cold_start_analysis": stricter})
    changed = answer.model_copy(update={"metadata": metadata})
    said = _marked(changed, answer.predictions[kept]).metadata.cold_start_analysis
    assert said == stricter.model_copy(update=told)


def test_the_time_of_the_checks_is_part_of_the_whole(answer: FullAnswer) -> None:
    marked = _marked(answer, answer.predictions)
    assert marked.metadata.performance_metrics.safety_filtering_latency_ms == 2
    assert marked.processing_time_ms == pytest.approx(answer.processing_time_ms + 2)


def test_what_was_noticed_is_told(answer: FullAnswer) -> None:
    findings = Findings(noticed=(_NOTICED,), pii=(), failed=frozenset({"pii"}))
    marked = _marked(answer, answer.predictions, findings=findings).metadata
    assert marked.safety_flags == marked.safety_validation.flags == ["prompt: Should"]
    assert marked.safety_validation.risk == 0.75
    assert marked.safety_validation.input_validated is False
    assert marked.safety_validation.security_checks_passed is False
