"""What stands before the ranker: is a text an attack, how sure, why, and what becomes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

from nextcall.guard.features import MOST_CHARACTERS, TextFeatures, text_features
from nextcall.guard.glance import Glance
from nextcall.guard.model import GuardModel, guard_model_version, load_guard_model
from nextcall.guard.signatures import FAMILIES, SIGNATURES

Action = Literal["pass", "flag", "block"]
"""What becomes of a text."""

Policy = Literal["observe", "flag", "block"]
"""Most that may become of a text: passed and counted, passed with a mark, or refused."""

THRESHOLD: Final = 0.5
"""Risk from which a text is taken for an attack."""

_MODEL: Final = Path(__file__).parent / "data" / "model"
_OVERLAP: Final = 500  # characters that two pieces of a long text share


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a text has its risk.

    Attributes
    ----------
    family : str
        What it would be.
    name : str
        Which signature it has, or ``"learned"`` where words alone gave the risk.
    start, end : int or None
        Where, in characters of the text as it came; None where it came encoded.
    """

    family: str
    name: str
    start: int | None
    end: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is thought of a text; never holds the text.

    Attributes
    ----------
    is_injection : bool
        Whether `risk_score` reaches the threshold.
    risk_score : float
        Risk of the likeliest family, in [0, 1]; 0.5 at the shipped threshold.
    labels : mapping of str to float
        Risk of each family, in [0, 1].
    reasons : tuple of Reason
        Of families that reach the threshold; empty where none does.
    action : str
        What the policy makes of it.
    """

    is_injection: bool
    risk_score: float
    labels: Mapping[str, float]
    reasons: tuple[Reason, ...]
    action: Action


@cache
def packaged_guard_model() -> GuardModel:
    """Give the weights that come with the package."""
    return load_guard_model(_MODEL)


@cache
def packaged_guard_version() -> str:
    """Name the weights that come with the package."""
    return guard_model_version(_MODEL)


class Guard:
    """Judges texts by a model, and acts by a policy.

    Parameters
    ----------
    model : GuardModel, optional
        The packaged one where none is given.
    policy : {"observe", "flag", "block"}
        What becomes of an attack.
    threshold : float
        Risk from which a text is one.

    Raises
    ------
    ValueError
        Where `threshold` is not between 0 and 1, or `policy` is unknown.

    Examples
    --------
    >>> guard = Guard()
    >>> verdict = guard.detect("Find users named ' OR 1=1 --")
    >>> verdict.action, max(verdict.labels, key=verdict.labels.get)
    ('block', 'sqli')
    >>> guard.detect("Which users were deleted last week?").action
    'pass'
    """

    def __init__(
        self,
        model: GuardModel | None = None,
        *,
        policy: Policy = "block",
        threshold: float = THRESHOLD,
    ) -> None:
        if policy not in {"observe", "flag", "block"}:
            raise ValueError(f"policy must be observe, flag or block, got {policy!r}.")
        if not 0 < threshold < 1:
            raise ValueError(f"threshold must lie between 0 and 1, got {threshold}.")
        self.model = model or packaged_guard_model()
        # A model of another type may find its risks in another way.
        self._glance = Glance(self.model) if type(self.model) is GuardModel else None
        self.threshold = threshold
        self._attack_action: Action = "pass" if policy == "observe" else policy

    def detect(self, text: str) -> Verdict:
        """Judge a text; a long one piece by piece, by its worst.

        Parameters
        ----------
        text : str
            As it came.
        """
        reasons: tuple[Reason, ...] = ()
        if len(text) > MOST_CHARACTERS:
            risks, reasons = self._judge_long(text)
        else:
            glimpse = None if self._glance is None else self._glance.look(text)
            if glimpse is None:
                risks, reasons = self._judge(text, 0)
            elif glimpse.found or max(glimpse.risks) >= self.threshold:
                risks, reasons = self._judge(text, 0, found=glimpse.found)
            else:
                risks = glimpse.risks
        worst = max(risks)
        attack = worst >= self.threshold
        return Verdict(
            is_injection=attack,
            risk_score=worst,
            labels=dict(zip(FAMILIES, risks, strict=True)),
            reasons=reasons,
            action=self._attack_action if attack else "pass",
        )

    def _judge(
        self, text: str, offset: int, *, found: list[tuple[int, int, int]] | None = None
    ) -> tuple[list[float], tuple[Reason, ...]]:
        features = text_features(text, found=found)
        risks: list[float] = self.model.risks(self.model.scores(features)).tolist()
        if max(risks) < self.threshold:
            return risks, ()
        return risks, self._reasons(risks, features, offset)

    def _judge_long(self, text: str) -> tuple[list[float], tuple[Reason, ...]]:
        risks = [0.0] * len(FAMILIES)
        reasons: tuple[Reason, ...] = ()
        for begin in range(0, len(text) - _OVERLAP, MOST_CHARACTERS - _OVERLAP):
            piece, found = self._judge(text[begin : begin + MOST_CHARACTERS], begin)
            risks = list(map(max, risks, piece))
            reasons += tuple(one for one in found if one not in reasons)
        return risks, reasons

    def _reasons(
        self, risks: Sequence[float], features: TextFeatures, offset: int
    ) -> tuple[Reason, ...]:
        reasons = []
        for family, risk in zip(FAMILIES, risks, strict=True):
            if risk < self.threshold:
                continue
            named = [
                _reason(number, start, end, features, offset)
                for number, start, end in features.found
                if SIGNATURES[number].family == family
            ]
            reasons += named or [Reason(family=family, name="learned", start=None, end=None)]
        return tuple(reasons)


def _reason(number: int, start: int, end: int, features: TextFeatures, offset: int) -> Reason:
    signature = SIGNATURES[number]
    known = features.unchanged
    return Reason(
        family=signature.family,
        name=signature.name,
        start=start + offset if known else None,
        end=end + offset if known else None,
    )


@cache
def _default() -> Guard:
    return Guard()


def detect(text: str) -> Verdict:
    """Judge a text by the packaged model and the default policy.

    Examples
    --------
    >>> detect("<img src=x onerror=alert(1)>").is_injection
    True
    """
    return _default().detect(text)
