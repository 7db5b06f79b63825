"""What a language model answers, and the protocol of who asks it."""

from dataclasses import dataclass
from typing import Literal, Protocol

from nextcall.llm.model import Model
from nextcall.llm.question import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One answer.

    Parameters
    ----------
    text : str
        JSON where the question had a schema.
    input_tokens, output_tokens : int
        As the provider counted them.
    cached_tokens, written_tokens : int
        Of the input, that the provider knew from before, and that it keeps for the next time; both
        are among `input_tokens`.
    ended : str
        ``length``: the answer was cut off; ``refused``: the model would not answer.

    Raises
    ------
    ValueError
        Where the text is none, or a count is no whole number of at least 0.
    """

    text: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    written_tokens: int = 0
    ended: Literal["stop", "length", "refused"] = "stop"

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise ValueError(f"text must be one, got {type(self.text).__name__}.")  # noqa: TRY004
        for field in ("input_tokens", "output_tokens", "cached_tokens", "written_tokens"):
            count = getattr(self, field)
            if not isinstance(count, int) or count < 0:  # a provider's word
                raise ValueError(f"{field} must be a whole number of at least 0, got {count!r}.")
        if self.cached_tokens + self.written_tokens > self.input_tokens:
            raise ValueError(
                f"cached_tokens and written_tokens must be among the {self.input_tokens} "
                f"input_tokens, got {self.cached_tokens} and {self.written_tokens}."
            )


class Provider(Protocol):
    """Asks the models of one vendor, or of one server; coroutines share it."""

    async def complete(self, model: Model, question: Question, *, seconds: float) -> Completion:
        """Ask a model.

        Parameters
        ----------
        model : Model
            One of this provider's.
        question : Question
        seconds : float
            That it may take.

        Raises
        ------
        Exception
            The vendor client's own; `nextcall.llm.failures.category_of` says what kind it is.
        """
        ...

    async def close(self) -> None:
        """Let go of its connections."""
        ...
