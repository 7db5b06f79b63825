"""Bring a database to the schema of this version."""

from pathlib import Path
from typing import Any, Final

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData, text

from nextcall.storage.database import LONG, Database
from nextcall.storage.schema_state import REVISIONS

_LOCK: Final = int.from_bytes(b"nextcall")  # of PostgreSQL: any number that no one else takes


def migrate(database: Database, *, revisions: Path = REVISIONS) -> None:
    """Apply the revisions that a database has not seen, all of them or none.

    Several processes may do so at once: one does, and the others wait.

    Parameters
    ----------
    database : Database
    revisions : Path
        Folder of Alembic's scripts; this package's own where none is given.

    Raises
    ------
    RuntimeError
        Where the database is at a revision that the folder does not hold: a newer version of this
        package has changed it.
    """
    scripts = ScriptDirectory(str(revisions), version_locations=[str(revisions)])

    def steps(at: Any, _: MigrationContext) -> Any:
        try:
            return scripts._upgrade_revs("heads", at)  # noqa: SLF001  # as Alembic's own command
        except CommandError as error:
            raise RuntimeError(
                f"database must be at a known revision to be brought up to date, got {at!r}: a "
                "newer version has changed it."
            ) from error

    with database.writing(seconds=LONG) as connection:
        if database.backend == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        with EnvironmentContext(Config(), scripts, fn=steps) as environment:
            environment.configure(connection=connection, transactional_ddl=True)
            environment.run_migrations()


def revision_of(database: Database) -> str | None:
    """Give the revision that a database is at; none where it was never migrated."""
    with database.reading() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def differences(database: Database, tables: MetaData) -> list[str]:
    """Say where a database differs from declared tables; nothing where its revisions made them.

    Tables that are not declared there belong to other rooms and are left out.
    """

    def of_these(name: str | None, kind: str, _: object) -> bool:
        return kind != "table" or name in tables.tables

    with database.reading() as connection:
        context = _compared(connection, of_these)
        return [repr(each) for each in compare_metadata(context, tables)]


def _compared(connection: Connection, include_name: Any) -> MigrationContext:
    options = {"include_name": include_name, "compare_type": True}
    return MigrationContext.configure(connection, opts=options)
