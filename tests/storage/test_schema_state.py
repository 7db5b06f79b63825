"""What a database lacks, beside what Alembic says of the same revisions."""

import subprocess
import sys
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import text

from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate
from nextcall.storage.opening import open_database
from nextcall.storage.schema_state import REVISIONS, is_current, newest_revisions


def test_the_newest_revisions_are_alembics(tmp_path: Path) -> None:
    scripts = ScriptDirectory(str(REVISIONS), version_locations=[str(REVISIONS)])
    assert newest_revisions() == set(scripts.get_heads())
    (tmp_path / "a.py").write_text('revision = "a"\ndown_revision = None\n')
    (tmp_path / "b.py").write_text('revision: str = "b"\ndown_revision: str = "a"\n')
    (tmp_path / "c.py").write_text('revision = "c"\ndown_revision = "a"\n')
    forked = ScriptDirectory(str(tmp_path), version_locations=[str(tmp_path)])
    assert newest_revisions(tmp_path) == set(forked.get_heads()) == {"b", "c"}


def test_a_database_is_current_once_it_was_migrated(url: str) -> None:
    with Database(url) as database:
        assert not is_current(database)
        migrate(database)
        assert is_current(database)
        with database.writing() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = 'trials'"))
        assert not is_current(database)


def test_a_current_database_is_opened_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    with open_database(url):
        pass
    code = (
        "import sys; from nextcall.storage.opening import open_database\n"
        f"with open_database({url!r}) as database:\n"
        "    assert 'alembic' not in sys.modules, 'alembic loaded'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
