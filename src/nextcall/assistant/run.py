"""What an assistant proposes, and why it proposes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from nextcall.assistant.asking import Told
from nextcall.catalog.operation import Operation

Fault = Literal["cut_off", "refused", "not_json", "other_form"]
"""Why a model's answer is of no use."""

_FAULTS: Final[Mapping[Fault, str]] = {
    "cut_off": "was cut off",
    "refused": "was refused by the model",
    "not_json": "must be JSON, and is none",
    "other_form": "must have the form that was asked for, and has another",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """One call that a model proposes.

    Attributes
    ----------
    operation : Operation
        One of those that were shown.
    arguments : mapping of str to object
        By names of its parameters; what JSON can say. The values are the model's.
    missing : tuple of str
        Parameters that must be given and are not, in the order of the catalogue.
    unknown : tuple of str
        Names that the model gave and the operation does not have; they are left out.
    reason : str
        Why, in the model's words; may be empty.
    """

    operation: Operation
    arguments: Mapping[str, object]
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a model made of a task.

    Attributes
    ----------
    answer : str
        In the model's words; may be empty.
    calls : tuple of Proposed
        In the order in which they should be made; none where nothing fits.
    dropped : int
        Calls that were proposed and left out: of operations that were not shown, of no form, or
        more than may be.
    told : Told
        The model's answer as it came, and what it cost.
    """

    answer: str
    calls: tuple[Proposed, ...]
    dropped: int
    told: Told = field(repr=False)


class UnusableAnswerError(RuntimeError):
    """A model answered, and its answer is of no use.

    Attributes
    ----------
    fault : str
        Why.
    told : Told
        The answer, which costs what it costs.
    """

    def __init__(self, fault: Fault, told: Told) -> None:
        super().__init__(f"the answer of {told.model.name!r} {_FAULTS[fault]}.")
        self.fault: Fault = fault
        self.told = told
