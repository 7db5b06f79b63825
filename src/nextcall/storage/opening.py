"""Open a database that is ready to be used, or say why not."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from nextcall.resilience.breaker import Breaker
from nextcall.storage.database import PATIENCE, Database
from nextcall.storage.schema_state import is_current


@contextmanager
def open_database(
    url: str, *, patience: float = PATIENCE, breaker: Breaker | None = None
) -> Iterator[Database]:
    """Open a database, bring it up to date, and close it when the block ends.

    Parameters
    ----------
    url, patience, breaker
        As of `Database`.

    Raises
    ------
    ValueError
        Where there is no such database, it cannot be read, or a newer version has changed it; the
        message holds no password.
    OSError
        Where the folder of a file cannot be made.
    """
    with Database(url, patience=patience, breaker=breaker) as database:
        try:
            if not is_current(database):
                # Loaded where there is something to do: 12 MB, and a quarter of a second.
                from nextcall.storage.migrations import migrate  # noqa: PLC0415

                migrate(database)
        except DBAPIError as error:
            reason = " ".join(str(error.orig).split())
            raise ValueError(
                f"database must be one that can be opened, got {database!r}: {reason}."
            ) from error
        except RuntimeError as error:
            raise ValueError(f"{database!r}: {error}") from error
        yield database
