"""What the calls of language models cost is told to, and who says whether there is money left."""

from typing import Literal, Protocol

from nextcall.llm.model import Model, Tier

Outcome = Literal["ok", "cut_off", "refused", "failed", "timeout", "cancelled"]
"""How a call ended: with an answer, with part of one, without one, or with nobody waiting."""


class OverBudgetError(RuntimeError):
    """The call would cost more than is left of the day's budget."""


class CallLedger(Protocol):
    """Keeps what calls cost; threads share it. Its methods may block: a database answers them."""

    def reserve(self, model: Model, *, tier: Tier, purpose: str, most: int) -> str:
        """Set money aside for a call that is about to be made.

        Parameters
        ----------
        model : Model
        tier : str
            Of the question.
        purpose : str
            What the answer is for, in a word.
        most : int
            Billionths of a US dollar that the call costs at most.

        Returns
        -------
        str
            The call's id, for `settle`.

        Raises
        ------
        OverBudgetError
            Where less than that is left; nothing is set aside then.
        """
        ...

    def settle(
        self,
        call_id: str,
        *,
        outcome: Outcome,
        cost: int,
        seconds: float,
        input_tokens: int = 0,
        output_tokens: int = 0,
        cached_tokens: int = 0,
    ) -> None:
        """Put what a call cost in the place of what was set aside for it; once.

        Parameters
        ----------
        call_id : str
            What `reserve` gave.
        outcome : str
        cost : int
            Billionths of a US dollar.
        seconds : float
            That the call took.
        input_tokens, output_tokens, cached_tokens : int
            As the provider counted them; the cached ones are among the input.
        """
        ...

    def is_emergency(self) -> bool:
        """Say whether so little is left that only the cheapest models should be asked."""
        ...
