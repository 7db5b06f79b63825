"""An answer as it is kept: written already, with what the guard said of its request."""

import json
import os
from dataclasses import dataclass
from typing import Any, Final, Self, cast, get_args

from nextcall.ranking.cold_start import ColdStartLevel
from nextcall.serve.answers import Answer, FullAnswer, PerformanceMetrics
from nextcall.serve.safety.counts import Outcome
from nextcall.serve.safety.safety import Noted

_OUTCOMES: Final = frozenset(get_args(Outcome))

# Bytes of CPython 3.11 on 64 bits.
_OF_ITSELF: Final = 700  # with what it holds of the guard and of who asked
_OF_A_TEXT: Final = 57  # with its place in a tuple
_OF_A_NUMBER: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What feedback may know of a request."""

    history: tuple[str, ...] = ()
    """Operations of the catalogue that were called before."""
    prompt: str | None = None
    """Masked; None where prompts are not remembered."""


NOTHING: Final = Asking()


@dataclass(slots=True, kw_only=True)
class KeptAnswer:
    """What of an answer is the same each time that it is given; not to be changed.

    It is no frozen dataclass, for one is made in three times the time, and every answer makes one.
    """

    rest: bytes
    """JSON of all fields but the first and the last, without the braces around them; of a full
    answer without the end of its metadata, too, which tells how this request fared."""
    is_full: bool
    noted: Noted
    """Is counted each time, as the next two."""
    level: ColdStartLevel
    """Who answered."""
    operations: tuple[str, ...]
    """That are shown, in their order."""
    confidences: tuple[float | None, ...]
    asking: Asking
    """Of the request that was answered first."""
    model_version: str | None = None
    """Who answered it; None without a trained ranker."""

    @property
    def nbytes(self) -> int:
        """What it takes in memory, about; to look at each part takes twenty times as long."""
        asking = self.asking
        texts = len(self.rest) + (0 if asking.prompt is None else len(asking.prompt))
        names = (*self.operations, *asking.history)
        texts += sum(map(len, names)) + _OF_A_TEXT * len(names)
        return _OF_ITSELF + texts + _OF_A_NUMBER * len(self.confidences)

    @property
    def confidence(self) -> float | None:
        """Of the first prediction; None where there is none."""
        return self.confidences[0] if self.confidences else None

    @classmethod
    def of(cls, answer: Answer | FullAnswer, noted: Noted, *, asking: Asking = NOTHING) -> Self:
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
            operations=tuple([each.operation_id for each in answer.predictions]),
            confidences=tuple([each.confidence for each in answer.predictions]),
            asking=asking,
            model_version=answer.metadata.model_version,
        )

    def written(
        self,
        prediction_id: str,
        *,
        milliseconds: float,
        performance: PerformanceMetrics | None = None,
    ) -> bytes:
        """Write the answer to one request.

        Parameters
        ----------
        prediction_id : str
            As `new_id` makes it.
        milliseconds : float
            That it took.
        performance : PerformanceMetrics, optional
            How it fared; of a full answer.
        """
        end = b""
        if self.is_full and performance is not None:
            end = b',"performance_metrics":%b}' % performance.model_dump_json().encode()
        return b'{"prediction_id":"%b",%b%b,"processing_time_ms":%b}' % (
            prediction_id.encode(),
            self.rest,
            end,
            repr(round(milliseconds, 3)).encode(),
        )


def new_id() -> str:
    """Make a random UUID (version 4) as a text, in a third of the time that `uuid4` takes.

    Examples
    --------
    >>> len(new_id()), new_id() == new_id()
    (36, False)
    """
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


class KeptAnswerCodec:
    """Writes kept answers as bytes that another worker can read.

    Examples
    --------
    >>> noted = Noted(outcome="passed", families=(), pii=("email",))
    >>> kept = KeptAnswer(
    ...     rest=b'"predictions":[]', is_full=False, noted=noted, level=ColdStartLevel.NONE,
    ...     operations=("getUser",), confidences=(0.5,), asking=Asking(history=("listUsers",)))
    >>> KeptAnswerCodec().decode(KeptAnswerCodec().encode(kept)) == kept
    True
    """

    def encode(self, value: KeptAnswer) -> bytes:
        """Write an answer."""
        noted = value.noted
        head = [
            value.is_full,
            value.level,
            [noted.outcome, noted.families, noted.pii],
            value.operations,
            value.confidences,
            [value.asking.history, value.asking.prompt],
            value.model_version,
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
            is_full, level, noted, operations, confidences, asking, model = json.loads(head)
            outcome, families, pii = noted
            history, prompt = asking
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
                operations=tuple(map(str, operations)),
                confidences=tuple([None if each is None else float(each) for each in confidences]),
                asking=Asking(
                    history=tuple(map(str, history)), prompt=None if prompt is None else str(prompt)
                ),
                model_version=None if model is None else str(model),
            )
        except TypeError as error:
            raise ValueError("data must be a kept answer.") from error
