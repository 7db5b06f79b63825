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
    """

    text: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    written_tokens: int = 0
    ended: Literal["stop", "length", "refused"] = "stop"


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
