"""What tests of a database that does not answer in time have in common."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, Protocol

WITHIN: Final = 60
"""Seconds: far more than any of the limits here, far less than for ever."""


class Server(Protocol):
    """A server of the test's own."""

    url: str

    def hanging(self) -> AbstractContextManager[None]:
        """Stop it for as long as a block lasts."""


def error_of(work: Callable[[], object]) -> Exception | None:
    """Give what some work fails with, in a thread that is waited for as long as can be needed."""
    found = list[Exception | None]()

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  # whatever it is, the test looks at it
            found.append(error)
        else:
            found.append(None)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(WITHIN)
    assert found, "it still waits"
    return found[0]
