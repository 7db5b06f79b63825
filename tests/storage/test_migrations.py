"""A database is brought up to date once, whole or not at all, by however many at once."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Integer, MetaData, Table, Text, inspect, text

from nextcall.storage.column_types import UtcDateTime
from nextcall.storage.database import Database
from nextcall.storage.migrations import differences, migrate, revision_of

PACKAGED = Path(__file__).parents[2] / "src" / "nextcall" / "storage" / "revisions"

FIRST = """
import sqlalchemy as sa
from alembic import op
from nextcall.storage.column_types import UtcDateTime
revision, down_revision = "first", None
def upgrade() -> None:
    op.create_table(
        "unit", sa.Column("id", sa.Integer, primary_key=True), sa.Column("at", UtcDateTime)
    )
"""
SECOND = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "second", "first"
def upgrade() -> None:
    with op.batch_alter_table("unit") as table:
        table.add_column(sa.Column("name", sa.Text))
        table.create_index("by_name", ["name"])
"""
BROKEN = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "broken", "first"
def upgrade() -> None:
    op.create_table("other", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO unit (id) VALUES (1)")
    op.execute("INSERT INTO nowhere VALUES (1)")
"""


def tables_of(database: Database) -> set[str]:
    with database.reading() as connection:
        return set(inspect(connection).get_table_names())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "revisions"
    made.mkdir()
    (made / "first.py").write_text(FIRST)
    return made


def test_revisions_are_applied_once_and_in_order(database: Database, folder: Path) -> None:
    assert revision_of(database) is None
    migrate(database, revisions=folder)
    assert revision_of(database) == "first"
    with database.writing() as connection:
        connection.execute(text("INSERT INTO unit (id) VALUES (7)"))
    (folder / "second.py").write_text(SECOND)
    for _ in range(2):
        migrate(database, revisions=folder)
        assert revision_of(database) == "second"
    with database.reading() as connection:
        assert connection.execute(text("SELECT id, name FROM unit")).all() == [(7, None)]


def test_a_revision_that_fails_leaves_nothing_behind(database: Database, folder: Path) -> None:
    migrate(database, revisions=folder)
    (folder / "broken.py").write_text(BROKEN)
    with pytest.raises(Exception, match="nowhere"):
        migrate(database, revisions=folder)
    assert revision_of(database) == "first"
    assert tables_of(database) == {"unit", "alembic_version"}
    with database.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM unit")) == 0


def test_a_database_of_a_newer_version_is_refused(database: Database, folder: Path) -> None:
    (folder / "second.py").write_text(SECOND)
    migrate(database, revisions=folder)
    (folder / "second.py").unlink()
    with pytest.raises(RuntimeError, match=r"a newer version has changed it") as caught:
        migrate(database, revisions=folder)
    assert "second" in str(caught.value)


def test_what_revisions_made_is_compared_with_declared_tables(
    database: Database, folder: Path
) -> None:
    (folder / "second.py").write_text(SECOND)
    migrate(database, revisions=folder)
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE of_another_room (id INTEGER)"))
    same = MetaData()
    Table(
        "unit",
        same,
        Column("id", Integer, primary_key=True),
        Column("at", UtcDateTime),
        Column("name", Text, index=False),
    )
    found = differences(database, same)
    assert len(found) == 1  # the index is not declared
    assert "by_name" in found[0]
    more = MetaData()
    Table("unit", more, Column("id", Integer, primary_key=True), Column("size", Integer))
    assert any("size" in each for each in differences(database, more))


def test_several_processes_may_migrate_at_once(
    url: str, folder: Path, start_script: Callable[..., "subprocess.Popen[str]"]
) -> None:
    (folder / "second.py").write_text(SECOND)
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from nextcall.storage.database import Database\n"
        "from nextcall.storage.migrations import migrate\n"
        "with Database(sys.argv[1]) as database:\n"
        "    migrate(database, revisions=Path(sys.argv[2]))\n"
    )
    processes = [start_script(script, url, str(folder)) for _ in range(2)]
    assert [process.wait(120) for process in processes] == [0, 0]
    with Database(url) as database:
        assert revision_of(database) == "second"


def test_the_packages_own_revisions_are_one_line(database: Database) -> None:
    scripts = ScriptDirectory(str(PACKAGED), version_locations=[str(PACKAGED)])
    assert len(scripts.get_heads()) <= 1
    migrate(database)
    assert revision_of(database) == scripts.get_current_head()
