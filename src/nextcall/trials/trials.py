"""All that can be asked of the tests of a database."""

from collections.abc import Callable, Mapping
from typing import Self

from sqlalchemy import Connection, func, select, update

from nextcall.storage.database import Backend, Database
from nextcall.storage.group_writer import GroupWriter
from nextcall.trials import life
from nextcall.trials.definition import Definition, Variant
from nextcall.trials.known_trials import KnownTrials
from nextcall.trials.life import Action, Change, Status, Trial
from nextcall.trials.recording import sums_of, write_sightings
from nextcall.trials.results import TrialResult
from nextcall.trials.sighting import Recorded, Sighting
from nextcall.trials.tables import ARM, TRIAL

Also = Callable[[Connection, Trial], object]
"""Does more in the transaction that changes a test."""


class Trials:
    """The tests of a database: their life, their units, their results.

    Threads and tasks may share one. Units are assigned by hash alone; the first time, that is
    written down. What is recorded is on disk when the call returns. A test that another process
    stops takes no more records at once; its assignments end within a second.

    Parameters
    ----------
    database : Database
        Migrated.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from nextcall.storage.migrations import migrate
    >>> from nextcall.trials.definition import Definition, Variant
    >>> halves = [
    ...     Variant(variant_id=each, variant_name=each, traffic_percentage=50) for each in "AB"
    ... ]
    >>> plan = Definition(
    ...     test_name="ranker", test_type="model", variants=halves, control_variant_id="A",
    ...     primary_metric="taken",
    ... )
    >>> with TemporaryDirectory() as folder, Database(f"sqlite:///{folder}/a.db") as database:
    ...     migrate(database)
    ...     with Trials(database) as trials:
    ...         test_id = trials.create(plan).test_id
    ...         _ = trials.start(test_id)
    ...         seen = trials.assign(test_id, "user-1")
    ...         trials.record(test_id, "user-1", seen.variant_id, {"taken": 1}, event_id="answer-1")
    Recorded(recorded=1, repeated=0)
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer: GroupWriter[Sighting, Recorded] = GroupWriter(database, write_sightings)
        self._known = KnownTrials(self.get)

    def close(self) -> None:
        """Write what waits; the database stays open."""
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def backend(self) -> Backend:
        """Which database keeps them."""
        return self._database.backend

    def count(self, status: Status) -> int:
        """Give how many tests there are of a status."""
        asked = select(func.count()).select_from(TRIAL).where(TRIAL.c.status == status)
        with self._database.reading() as connection:
            return connection.execute(asked).scalar_one()

    def create(self, definition: Definition, *, also: Also | None = None) -> Trial:
        """Keep a new test, as a draft.

        Parameters
        ----------
        definition
        also : callable, optional
            Takes the connection and the test, to do more in the same transaction.
        """
        return self._written(lambda connection: life.create(connection, definition), also)

    def get(self, test_id: str) -> Trial:
        """Give a test.

        Raises
        ------
        UnknownTrialError
        """
        with self._database.reading() as connection:
            return life.load(connection, test_id)

    def find(
        self,
        *,
        status: Status | None = None,
        test_type: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> list[Trial]:
        """Give tests, the newest first."""
        with self._database.reading() as connection:
            return life.find(
                connection, status=status, test_type=test_type, limit=limit, offset=offset
            )

    def history(self, test_id: str) -> list[Change]:
        """Give every change of a test, oldest first.

        Raises
        ------
        UnknownTrialError
        """
        with self._database.reading() as connection:
            return life.history(connection, test_id)

    def change(
        self,
        test_id: str,
        definition: Definition,
        *,
        version: int | None = None,
        also: Also | None = None,
    ) -> Trial:
        """Give a draft another definition.

        Parameters
        ----------
        version : int, optional
            That the caller saw; a test that has changed since is left as it is.
        also : callable, optional
            As of `create`.

        Raises
        ------
        UnknownTrialError, StatusError, StaleError
        """
        return self._step(test_id, "change", version, also, definition)

    def start(self, test_id: str, *, version: int | None = None, also: Also | None = None) -> Trial:
        """Run a draft; errors as of `change`."""
        return self._step(test_id, "start", version, also)

    def stop(self, test_id: str, *, version: int | None = None, also: Also | None = None) -> Trial:
        """End a running test for good; errors as of `change`."""
        try:
            return self._step(test_id, "stop", version, also)
        finally:
            self._known.forget(test_id)

    def archive(
        self, test_id: str, *, version: int | None = None, also: Also | None = None
    ) -> Trial:
        """Put a draft or a stopped test away; errors as of `change`."""
        return self._step(test_id, "archive", version, also)

    def _step(
        self,
        test_id: str,
        action: Action,
        version: int | None,
        also: Also | None,
        definition: Definition | None = None,
    ) -> Trial:
        def step(connection: Connection) -> Trial:
            return life.change(connection, test_id, action, version=version, definition=definition)

        return self._written(step, also)

    def _written(self, change: Callable[[Connection], Trial], also: Also | None) -> Trial:
        with self._database.writing() as connection:
            trial = change(connection)
            if also is not None:
                also(connection, trial)
            return trial

    def assign(self, test_id: str, unit: str) -> Variant:
        """Give the variant that a unit sees; the first time, it is written down.

        Raises
        ------
        UnknownTrialError, StatusError
        ValueError
            Where the unit is blank, or longer than 256 characters.
        """
        running = self._known.running(test_id)
        sighting = running.assigned(unit)
        if not self._known.is_written(sighting.trial, unit):
            self._writer.write(sighting)
            self._known.remember(sighting)
        return running.variant(sighting)

    async def assign_async(self, test_id: str, unit: str) -> Variant:
        """Assign as `assign` does, from a task of asyncio."""
        running = await self._known.running_async(test_id)
        sighting = running.assigned(unit)
        if not self._known.is_written(sighting.trial, unit):
            await self._writer.write_async(sighting)
            self._known.remember(sighting)
        return running.variant(sighting)

    def record(
        self,
        test_id: str,
        unit: str,
        variant_id: str,
        metrics: Mapping[str, float],
        *,
        event_id: str | None = None,
    ) -> Recorded:
        """Keep what a unit did; on disk when this returns.

        Parameters
        ----------
        variant_id : str
            That the unit saw.
        metrics : mapping of str to float
            1 to 32 values. A unit may record a metric many times; see `Definition.mean_over`.
        event_id : str, optional
            Of what happened. The same unit, metric and event are counted once, however often they
            come; without an id each call is an event of its own.

        Raises
        ------
        UnknownTrialError, StatusError, WrongVariantError, EventConflictError
            Nothing is kept.
        ValueError
            Where a value, name or id cannot be.
        """
        running = self._known.running(test_id)
        known = self._known.is_written(running.number, unit)
        sighting = running.recorded(unit, variant_id, metrics, event_id, known=known)
        recorded = self._writer.write(sighting)
        self._known.remember(sighting)
        return recorded

    async def record_async(
        self,
        test_id: str,
        unit: str,
        variant_id: str,
        metrics: Mapping[str, float],
        *,
        event_id: str | None = None,
    ) -> Recorded:
        """Record as `record` does, from a task of asyncio."""
        running = await self._known.running_async(test_id)
        known = self._known.is_written(running.number, unit)
        sighting = running.recorded(unit, variant_id, metrics, event_id, known=known)
        recorded = await self._writer.write_async(sighting)
        self._known.remember(sighting)
        return recorded

    def analyze(self, test_id: str) -> TrialResult:
        """Say what a test says now, from its sums alone.

        The first look at a running test is written down: a test that was looked at is read by
        intervals that hold at every look, after its end too.

        Raises
        ------
        UnknownTrialError
        """
        with self._database.reading() as connection:
            trial = life.load(connection, test_id)
            asked = select(ARM.c.variant_id, ARM.c.units).where(ARM.c.trial == trial.number)
            units = {row.variant_id: row.units for row in connection.execute(asked)}
            sums = sums_of(connection, trial.number)
        unseen = TRIAL.c.units_at_first_look.is_(None)
        if trial.status == "running" and trial.units_at_first_look is None and any(units.values()):
            with self._database.writing() as connection:
                this = update(TRIAL).where(TRIAL.c.number == trial.number, unseen)
                connection.execute(this.values(units_at_first_look=units))
        # Loaded where a test is first analysed: half a second and 80 MB, of pandas and scipy.
        from nextcall.trials.conclusion import conclude_trial  # noqa: PLC0415

        return conclude_trial(trial, units, sums)
