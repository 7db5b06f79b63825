"""A guard that goes on where its model fails: two signatures of one family still tell an attack."""

from collections import Counter
from collections.abc import Callable
from typing import Final

from nextcall.guard.features import MOST_CHARACTERS, text_features
from nextcall.guard.guard import Guard, Reason, Verdict
from nextcall.guard.signatures import FAMILIES, SIGNATURES

_ENOUGH: Final = 2  # signatures of a family; of one alone, harmless prompts have some


class SteadyGuard:
    """Judges as a guard does, and by signatures where that fails; where those fail too, not at all.

    Parameters
    ----------
    guard : Guard
        Judges.
    told : callable
        Hears after each text what went wrong, None where nothing did.

    Examples
    --------
    >>> SteadyGuard(Guard(), told=print).detect("Which users are there?").action
    None
    'pass'
    """

    __slots__ = ("_guard", "_told")  # one is made for each request

    def __init__(self, guard: Guard, *, told: Callable[[Exception | None], None]) -> None:
        self._guard = guard
        self._told = told

    def detect(self, text: str) -> Verdict:
        """Judge a text.

        Parameters
        ----------
        text : str
            As it came.
        """
        try:
            verdict = self._guard.detect(text)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is told
            self._told(error)
            return self._without_model(text)
        self._told(None)
        return verdict

    def _without_model(self, text: str) -> Verdict:
        try:
            return signature_verdict(text)
        except Exception as error:  # noqa: BLE001  # as above
            self._told(error)
            return _verdict(())


class SignatureGuard:
    """Judges by signatures alone; see `signature_verdict`."""

    def detect(self, text: str) -> Verdict:
        """Judge a text."""
        return signature_verdict(text)


def signature_verdict(text: str) -> Verdict:
    """Judge a text by its signatures alone: an attack has two of one family; its risk is then 1.

    Of 300 harmless prompts full of suspicious words one has two, and 18 more have one.

    Parameters
    ----------
    text : str
        As it came.

    Examples
    --------
    >>> signature_verdict("; rm -rf /").action, signature_verdict("Who?").risk_score
    ('block', 0.0)
    """
    found: set[int] = set()
    for begin in range(0, max(len(text), 1), MOST_CHARACTERS):
        features = text_features(text[begin : begin + MOST_CHARACTERS])
        found.update(number for number, _, _ in features.found)
    families = Counter(SIGNATURES[number].family for number in found)
    return _verdict(
        tuple(
            Reason(family=signature.family, name=signature.name, start=None, end=None)
            for signature in (SIGNATURES[number] for number in sorted(found))
            if families[signature.family] >= _ENOUGH
        )
    )


def _verdict(reasons: tuple[Reason, ...]) -> Verdict:
    met = {reason.family for reason in reasons}
    return Verdict(
        is_injection=bool(met),
        risk_score=float(bool(met)),
        labels={family: float(family in met) for family in FAMILIES},
        reasons=reasons,
        action="block" if met else "pass",
    )
