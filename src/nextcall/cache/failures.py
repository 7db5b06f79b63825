"""How a computation that failed is told to those who wait for it."""

from typing import Final, Protocol

_LONGEST_TOLD: Final = 1000  # characters of a failure


class SharedFailureError(RuntimeError):
    """The computation that was waited for failed in another worker; its message tells how."""


class Failures(Protocol):
    """Tells failures of computations, and knows whose they are."""

    def told(self, error: Exception) -> str | None:
        """Write a failure for other workers.

        Returns
        -------
        str or None
            Not empty; None where it is of the one who computed alone, such as the end of its time:
            nobody else fails by it, and another computes.
        """
        ...

    def heard(self, told: str) -> Exception:
        """Make of what another worker told the error that is raised here."""
        ...


class TextFailures:
    """Tells each failure by its kind and its text; for values whose errors may be read by all.

    Examples
    --------
    >>> failures = TextFailures()
    >>> failures.heard(failures.told(LookupError("no such model")))
    SharedFailureError('Another worker failed to compute it: LookupError: no such model')
    """

    def told(self, error: Exception) -> str | None:
        """Write a failure for other workers."""
        return f"{type(error).__name__}: {error}"[:_LONGEST_TOLD]

    def heard(self, told: str) -> Exception:
        """Make an error that tells it."""
        return SharedFailureError(f"Another worker failed to compute it: {told}")
