"""A short answer, put together of parts that are written once; says what `Answer` describes."""

from collections.abc import Sequence

from pydantic_core import to_json

from nextcall.serve.caching.kept_answer import NOTHING, Asking, KeptAnswer
from nextcall.serve.found import AnyFound
from nextcall.serve.outcome import Told
from nextcall.serve.safety.safety import Noted


def short_answer(
    found: Sequence[AnyFound],
    heads: Sequence[bytes | None],
    told: Told,
    noted: Noted,
    *,
    asking: Asking = NOTHING,
) -> KeptAnswer:
    """Write a short answer, as `KeptAnswer.of` writes an `Answer`, in a tenth of the time.

    Parameters
    ----------
    found : sequence of AnyFound
        Best first.
    heads : sequence of bytes or None
        Of each operation as `head_of` writes it; None of one that may not be shown.
    told : Told
        How it came about.
    noted : Noted
        What is counted of the request.
    asking : Asking
        Of the request.
    """
    shown = [(each, head) for each, head in zip(found, heads, strict=True) if head is not None]
    confidences = tuple([each.confidence for each, _ in shown])
    written = to_json(confidences, inf_nan_mode="null")
    scores = written[1:-1].split(b",")
    predictions = b",".join(
        [
            b'%b,"confidence":%b,"rank":%d}' % (head, score, place + 1)
            for place, ((_, head), score) in enumerate(zip(shown, scores, strict=False))
        ]
    )
    return KeptAnswer(
        rest=b'"predictions":[%b],"confidence_scores":%b,"metadata":%b'
        % (predictions, written, told.written),
        is_full=False,
        noted=noted,
        level=told.fallback_method,
        operations=tuple([each.operation.operation_id for each, _ in shown]),
        confidences=confidences,
        asking=asking,
        model_version=told.model_version,
    )
