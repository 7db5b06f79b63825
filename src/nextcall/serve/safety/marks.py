"""What an answer says of its checks."""

from typing import Any, TypeVar

from nextcall.serve.answers import Answer, FullAnswer, FullMetadata, SafetyValidation
from nextcall.serve.safety.answer_filter import Filtered
from nextcall.serve.safety.input_checks import Findings

_AnswerT = TypeVar("_AnswerT", Answer, FullAnswer)


def marked_answer(
    answer: _AnswerT,
    findings: Findings,
    filtered: Filtered | None,
    *,
    seconds: float,
    version: str,
) -> _AnswerT:
    """Put what was noticed into an answer, and the predictions that may leave.

    Parameters
    ----------
    answer : Answer or FullAnswer
        As the predictor made it.
    findings : Findings
        Of its request.
    filtered : Filtered or None
        Its predictions; None where answers are not filtered.
    seconds : float
        That all checks took.
    version : str
        Of the guard's model.
    """
    changed: dict[str, Any] = {}
    told: dict[str, Any] = {
        "safety_flags": [one.reason for one in findings.noticed if one.action == "flag"]
    }
    milliseconds = round(1000 * seconds, 3)
    if filtered is not None:
        changed["predictions"] = filtered.predictions
        changed["confidence_scores"] = [one.confidence for one in filtered.predictions]
    if isinstance(answer, FullAnswer):
        told |= _told_fully(answer.metadata, findings, filtered, milliseconds, version)
        if filtered is None:
            unseen = {"safety_validated": False, "safety_flags": []}
            changed["predictions"] = [one.model_copy(update=unseen) for one in answer.predictions]
        elif filtered.first_was_blocked:
            told["cold_start_analysis"] = _analysis(answer.metadata, filtered)
    changed["metadata"] = answer.metadata.model_copy(update=told)
    changed["processing_time_ms"] = round(answer.processing_time_ms + milliseconds, 3)
    return answer.model_copy(update=changed)


def _told_fully(
    metadata: FullMetadata,
    findings: Findings,
    filtered: Filtered | None,
    milliseconds: float,
    version: str,
) -> dict[str, Any]:
    failed = bool(findings.failed) or (filtered is not None and filtered.failed)
    validation = SafetyValidation(
        input_validated=not findings.failed,
        output_filtered=filtered is not None and not filtered.failed,
        blocked_predictions=0 if filtered is None else filtered.blocked,
        filtered_by_safety=0 if filtered is None else filtered.filtered,
        security_checks_passed=not (findings.noticed or failed),
        guardrails_version=version,
        flags=[one.reason for one in findings.noticed],
        risk=max((one.risk for one in findings.noticed), default=None),
    )
    spent = {"safety_filtering_latency_ms": milliseconds}
    return {
        "safety_validation": validation,
        "performance_metrics": metadata.performance_metrics.model_copy(update=spent),
    }


def _analysis(metadata: FullMetadata, filtered: Filtered) -> Any:
    """Say of another first answer whether it is sure; what came before it is not known."""
    analysis = metadata.cold_start_analysis
    sure = filtered.predictions[0].confidence if filtered.predictions else None
    return analysis.model_copy(
        update={
            "is_confident": None if sure is None else sure >= analysis.confidence_threshold,
            "pattern_recognition_confidence": None,
        }
    )
