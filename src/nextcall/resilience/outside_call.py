"""Calls that leave the process: what is known of each."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideCall:
    """What is known of a call that leaves the process.

    Parameters
    ----------
    name : str
        Of the side that is asked; calls of the same name share a breaker.
    purpose : str
        What it is asked for.
    fallback : str
        What happens without an answer.
    seconds : float
        That one try may take. Less than the time of whoever waits: a side that hangs until the
        waiting are gone is never held to be down.
    tries : int
        At most. Above 1 only where it does no harm to ask twice.
    first_wait, longest_wait : float
        Seconds between tries, as for a `Retry`; its jitter is `first_wait`.
    open_seconds : float, optional
        How long nobody asks a side that is down; as long as the breakers say where none is given.

    Examples
    --------
    >>> OutsideCall(
    ...     name="prices", purpose="today's", fallback="yesterday's", seconds=2, tries=2,
    ...     longest_wait=5,
    ... ).longest_seconds
    9
    """

    name: str
    purpose: str
    fallback: str
    seconds: float
    tries: int = 1
    first_wait: float = 1.0
    longest_wait: float = 60.0
    open_seconds: float | None = None

    @property
    def longest_seconds(self) -> float:
        """All tries and waits together, where each is as long as it may be."""
        return self.tries * self.seconds + (self.tries - 1) * self.longest_wait


def outside_table(calls: Iterable[OutsideCall]) -> str:
    """Write outside calls as a table in Markdown.

    Examples
    --------
    >>> prices = OutsideCall(name="prices", purpose="prices", fallback="the last", seconds=2)
    >>> print(outside_table([prices]))
    | asked | for | one try | tries | at most | without an answer |
    | --- | --- | --- | --- | --- | --- |
    | prices | prices | 2 s | 1 | 2 s | the last |
    """
    rows = [
        ("asked", "for", "one try", "tries", "at most", "without an answer"),
        ("---",) * 6,
        *(
            (
                call.name,
                call.purpose,
                f"{call.seconds:g} s",
                str(call.tries),
                f"{call.longest_seconds:g} s",
                call.fallback,
            )
            for call in calls
        ),
    ]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows
    )
