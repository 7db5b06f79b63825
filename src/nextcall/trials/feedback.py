"""What became of an answer of a ranker, as metrics of a test and as a prompt to learn from."""

from collections.abc import Sequence
from dataclasses import dataclass

from nextcall.sessions.call import Call, Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """One answer, and which of its operations was taken.

    Parameters
    ----------
    prediction_id : str
        Of the answer. As the event id of what is recorded it makes a repeated report count once.
    prompt : str
    shown : sequence of str
        Operations as they were answered, the first first.
    taken : str, optional
        The operation that came next; None where the person called nothing. It need not have been
        shown.
    history : sequence of Call
        Before the answer.

    Raises
    ------
    ValueError
        Where nothing was shown, or an operation twice.

    Examples
    --------
    >>> told = Feedback(prediction_id="7", prompt="pay", shown=["list", "pay"], taken="pay")
    >>> told.metrics()
    {'taken': 1.0, 'taken_first': 0.0, 'reciprocal_rank': 0.5}
    """

    prediction_id: str
    prompt: str
    shown: Sequence[str]
    taken: str | None
    history: Sequence[Call] = ()

    def __post_init__(self) -> None:
        if not self.shown:
            raise ValueError("shown must hold at least one operation, got none.")
        if len(set(self.shown)) < len(self.shown):
            raise ValueError(f"shown must hold each operation once, got {list(self.shown)}.")

    def metrics(self) -> dict[str, float]:
        """Give what a test records of the answer.

        Returns
        -------
        dict
            ``taken``, 1 where the operation taken was shown; ``taken_first``, 1 where it stood
            first; ``reciprocal_rank``, 1 / its place. All are 0 where nothing shown was taken.
        """
        places = {operation: place for place, operation in enumerate(self.shown, start=1)}
        place = places.get(self.taken) if self.taken is not None else None
        return {
            "taken": float(place is not None),
            "taken_first": float(place == 1),
            "reciprocal_rank": 1.0 / place if place else 0.0,
        }

    def query(self) -> Query | None:
        """Give the prompt with its answer, for training; None where nothing was called."""
        if self.taken is None:
            return None
        return Query(
            query_id=self.prediction_id,
            prompt=self.prompt,
            history=tuple(self.history),
            relevant=(self.taken,),
        )
