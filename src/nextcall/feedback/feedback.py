"""Takes what became of predictions: on disk before it is acknowledged."""

from datetime import datetime
from typing import Self

from nextcall.feedback.elsewhere import ShownElsewhere
from nextcall.feedback.shown import Shown, ShownPredictions
from nextcall.feedback.writing import Given, Told, write_answers
from nextcall.storage.database import Database
from nextcall.storage.group_writer import GroupWriter


class Feedback:
    """What users say of predictions that were shown to them.

    Threads and tasks may share one. An answer is written with all that is known of what was shown,
    in one transaction with those that come at the same time, and is on disk when the call returns.
    What was shown is known to the process that showed it, and to others through `elsewhere`.

    Parameters
    ----------
    database : Database
        Migrated.
    shown : ShownPredictions
        In which whoever shows a prediction leaves it.
    elsewhere : ShownElsewhere, optional
        Asked by `give_async` where `shown` does not know a prediction.

    Examples
    --------
    >>> from datetime import UTC
    >>> from tempfile import TemporaryDirectory
    >>> from nextcall.feedback.shown import Shown
    >>> from nextcall.storage.migrations import migrate
    >>> shown, now = ShownPredictions(), datetime(2026, 5, 1, tzinfo=UTC)
    >>> one = Shown(
    ...     at=now, user="u", model_version=None, catalog_hash="c", operations=("list", "get"),
    ...     confidences=(0.5, 0.2),
    ... )
    >>> shown.remember("p", one)
    >>> with TemporaryDirectory() as folder, Database(f"sqlite:///{folder}/a.db") as database:
    ...     migrate(database)
    ...     with Feedback(database, shown) as feedback:
    ...         given = feedback.give("p", "get", at=now, user="u")
    ...         again = feedback.give("p", "get", at=now, user="u")
    >>> given.rank, given.repeated, again.repeated
    (2, False, True)
    """

    def __init__(
        self,
        database: Database,
        shown: ShownPredictions,
        *,
        elsewhere: ShownElsewhere | None = None,
    ) -> None:
        self.database, self.shown, self.elsewhere = database, shown, elsewhere
        self._writer: GroupWriter[Told, Given] = GroupWriter(database, write_answers)

    def close(self) -> None:
        """Write what waits; the database stays open."""
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def give(
        self, prediction_id: str, chosen: str | None, *, at: datetime, user: str | None = None
    ) -> Given:
        """Keep which operation was called after a prediction.

        The same answer again changes nothing; another one takes its place, and what was said before
        is kept beside it.

        Parameters
        ----------
        prediction_id : str
        chosen : str or None
            Operation of the catalogue, which need not have been shown; None where none was called.
        at : datetime
            Now, with a zone.
        user : str, optional
            Who says so: the one who asked.

        Raises
        ------
        UnknownPredictionError
            Where no such prediction was shown to this user, or too long ago, and none was answered
            for before.
        sqlalchemy.exc.OperationalError, WriterClosedError
            Where the database is out of reach, or the program is about to end.
        """
        shown = self.shown.find(prediction_id, at=at)
        return self._writer.write(_told(prediction_id, chosen, at, user, shown))

    async def give_async(
        self, prediction_id: str, chosen: str | None, *, at: datetime, user: str | None = None
    ) -> Given:
        """Keep an answer as `give` does, from a task of asyncio."""
        shown = self.shown.find(prediction_id, at=at)
        if shown is None and self.elsewhere is not None:
            shown = await self.elsewhere.find(prediction_id)
        return await self._writer.write_async(_told(prediction_id, chosen, at, user, shown))


def _told(
    prediction_id: str, chosen: str | None, at: datetime, user: str | None, shown: Shown | None
) -> Told:
    return Told(prediction_id=prediction_id, chosen=chosen, at=at, user=user, shown=shown)
