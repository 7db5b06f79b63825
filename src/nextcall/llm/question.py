"""What a language model is asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a conversation."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A conversation that a model is to continue.

    Parameters
    ----------
    messages : tuple of Message
        The last one is the user's.
    most_tokens : int
        Longest answer; at least 1.
    temperature : float
        From 0 to 1. It is left out for a model that takes none.
    schema : mapping, optional
        JSON Schema that the answer's text obeys; plain text without.

    Raises
    ------
    ValueError
        Where a rule is broken.

    Examples
    --------
    >>> Question(messages=(Message(role="user", text="hello"),)).most_tokens
    512
    """

    messages: tuple[Message, ...]
    most_tokens: int = 512
    temperature: float = 0.7
    schema: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if not self.messages or self.messages[-1].role != "user":
            raise ValueError("messages must end with one of the user.")
        if self.most_tokens < 1:
            raise ValueError(f"most_tokens must be at least 1, got {self.most_tokens}.")
        if not 0 <= self.temperature <= 1:
            raise ValueError(f"temperature must be from 0 to 1, got {self.temperature}.")
