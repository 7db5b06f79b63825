"""What an assistant is asked: a prompt, the calls so far, and what it may propose."""

from dataclasses import dataclass
from typing import Final

from nextcall.catalog.operation import Operation
from nextcall.llm.model import TIERS, Tier

MOST_SHOWN: Final = 20
"""Operations that a model is shown at most."""

MOST_CALLS: Final = 5
"""Calls that it may propose at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One thing to do.

    Parameters
    ----------
    prompt : str
        What is wanted, in words; whatever is personal in it was masked before. Not blank.
    shown : tuple of Operation
        That may be proposed, the likeliest first; 1 to 20, each once. The model reads their texts.
    history : tuple of Operation
        That were called before, oldest first.
    most_calls : int
        That may be proposed; 1 to 5.
    tier : str
        How hard it is.
    temperature : float
        Of the model, from 0 to 1.

    Raises
    ------
    ValueError
        Where a rule is broken.

    Examples
    --------
    >>> from nextcall.catalog import describe_operation
    >>> Task(prompt="all users", shown=(describe_operation(operation_id="list"),)).most_calls
    3
    """

    prompt: str
    shown: tuple[Operation, ...]
    history: tuple[Operation, ...] = ()
    most_calls: int = 3
    tier: Tier = "low"
    temperature: float = 0.7

    def __post_init__(self) -> None:
        if not self.prompt.strip():
            raise ValueError("prompt must not be blank.")
        if not 1 <= len(self.shown) <= MOST_SHOWN:
            raise ValueError(
                f"shown must hold 1 to {MOST_SHOWN} operations, has {len(self.shown)}."
            )
        if len({one.operation_id for one in self.shown}) != len(self.shown):
            raise ValueError("shown must hold each operation once.")
        if not 1 <= self.most_calls <= MOST_CALLS:
            raise ValueError(f"most_calls must be from 1 to {MOST_CALLS}, got {self.most_calls}.")
        if self.tier not in TIERS:
            raise ValueError(f"tier must be one of {', '.join(TIERS)}, got {self.tier!r}.")
        if not 0 <= self.temperature <= 1:
            raise ValueError(f"temperature must be from 0 to 1, got {self.temperature}.")
