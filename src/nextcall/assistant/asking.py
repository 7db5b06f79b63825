"""Who an assistant asks, as far as it need know."""

from typing import Protocol

from nextcall.llm.completion import Completion
from nextcall.llm.model import Model, Tier
from nextcall.llm.question import Question


class Told(Protocol):
    """What a language model told, and what that cost."""

    @property
    def completion(self) -> Completion:
        """Its answer."""
        ...

    @property
    def model(self) -> Model:
        """Who answered."""
        ...

    @property
    def tier(self) -> Tier:
        """How hard the question was said to be."""
        ...

    @property
    def cost_usd(self) -> float:
        """US dollars that the answer cost."""
        ...

    @property
    def seconds(self) -> float:
        """That the answer took."""
        ...


class Asking(Protocol):
    """Asks language models; coroutines share it."""

    async def ask(self, question: Question, *, tier: Tier, purpose: str) -> Told:
        """Ask the first model of a tier that answers.

        Parameters
        ----------
        question : Question
        tier : str
        purpose : str
            What the answer is for, in a word.
        """
        ...
