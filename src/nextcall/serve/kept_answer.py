"""An answer as it is kept: written already, with what the guard said of its request."""

import json
import os
from dataclasses import dataclass
from typing import Any, Final, Self, cast, get_args

from nextcall.ranking.cold_start import ColdStartLevel
from nextcall.serve.answers import Answer, FullAnswer, PerformanceMetrics
from nextcall.serve.safety import Noted
from nextcall.serve.safety_counts import Outcome

_OUTCOMES: Final = frozenset(get_args(Outcome))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """What of an answer is the same each time that it is given."""

    rest: bytes
    """JSON of all fields but the first and the last, without the braces around them; of a full
    answer without the end of its metadata, too, which tells how this request fared."""
    is_full: bool
    noted: Noted
    """Is counted each time, as the next two."""
    level: ColdStartLevel
    """Who answered."""
    confidence: float | None
    """Of the first prediction."""

    @classmethod
    def of(cls, answer: Answer | FullAnswer, noted: Noted) -> Self:
        """Take what stays of an answer."""
        is_full = isinstance(answer, FullAnswer)
        once: dict[str, Any] = {"prediction_id": True, "processing_time_ms": True}
        if is_full:
            once["metadata"] = {"performance_metrics"}
        text = answer.model_dump_json(exclude=once)
        return cls(
            rest=text[1 : -2 if is_full else -1].encode(),
            is_full=is_full,
            noted=noted,
            level=answer.metadata.fallback_method,
            confidence=answer.confidence_scores[0] if answer.confidence_scores else None,
        )

    def written(
        self, *, milliseconds: float, performance: PerformanceMetrics | None = None
    ) -> bytes:
        """Write the answer to one request, under an id that no other has.

        Parameters
        ----------
        milliseconds : float
            That it took.
        performance : PerformanceMetrics, optional
            How it fared; of a full answer.
        """
        end = b""
        if self.is_full and performance is not None:
            end = b',"performance_metrics":%b}' % performance.model_dump_json().encode()
        return b'{"prediction_id":"%b",%b%b,"processing_time_ms":%b}' % (
            _new_id(),
            self.rest,
            end,
            repr(round(milliseconds, 3)).encode(),
        )


def _new_id() -> bytes:
    """Make a random UUID (version 4) as a text, in a third of the time that `uuid4` takes."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return (
        f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
    ).encode()


class KeptAnswerCodec:
    """Writes kept answers as bytes that another worker can read.

    Examples
    --------
    >>> noted = Noted(outcome="passed", families=(), pii=("email",))
    >>> kept = KeptAnswer(
    ...     rest=b'"predictions":[]', is_full=False, noted=noted, level=ColdStartLevel.NONE,
    ...     confidence=0.5)
    >>> KeptAnswerCodec().decode(KeptAnswerCodec().encode(kept)) == kept
    True
    """

    def encode(self, value: KeptAnswer) -> bytes:
        """Write an answer."""
        noted = value.noted
        head = [
            value.is_full,
            value.level,
            value.confidence,
            noted.outcome,
            noted.families,
            noted.pii,
        ]
        return json.dumps(head).encode() + b"\n" + value.rest

    def decode(self, data: bytes) -> KeptAnswer:
        """Read what `encode` wrote.

        Raises
        ------
        ValueError
            For anything else.
        """
        head, _, rest = data.partition(b"\n")
        try:
            is_full, level, confidence, outcome, families, pii = json.loads(head)
            if outcome not in _OUTCOMES:
                raise ValueError(f"outcome must be one of {sorted(_OUTCOMES)}, got {outcome!r}.")
            return KeptAnswer(
                rest=rest,
                is_full=bool(is_full),
                noted=Noted(
                    outcome=cast("Outcome", outcome),
                    families=tuple(map(str, families)),
                    pii=tuple(map(str, pii)),
                ),
                level=ColdStartLevel(level),
                confidence=None if confidence is None else float(confidence),
            )
        except TypeError as error:
            raise ValueError("data must be a kept answer.") from error
