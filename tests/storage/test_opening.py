"""A database that is opened is ready; one that cannot be is told in a sentence."""

from pathlib import Path

import pytest
from sqlalchemy import text

from nextcall.storage.database import Database
from nextcall.storage.migrations import revision_of
from nextcall.storage.opening import open_database


def test_what_is_opened_is_up_to_date(url: str) -> None:
    for _ in range(2):
        with open_database(url) as database:
            assert revision_of(database) is not None


def test_what_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"no database, but longer than its header would be " * 100)
    opening = open_database(f"sqlite:///{tmp_path}/a.db")
    with pytest.raises(ValueError, match=r"got Database\('sqlite:.*a.db'\): file is not a"):
        opening.__enter__()


def test_a_server_that_is_not_there_is_told_without_its_password() -> None:
    opening = open_database("postgresql://who:secret@127.0.0.1:1/none")
    with pytest.raises(ValueError, match=r"127\.0\.0\.1") as told:
        opening.__enter__()
    assert "secret" not in str(told.value)
    assert "who:***@" in str(told.value)


def test_a_database_of_a_newer_version_is_told(url: str) -> None:
    with open_database(url) as database, database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'later'"))
    with pytest.raises(ValueError, match=r"Database\(.*known revision.*got .*later"):
        open_database(url).__enter__()


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        Database(f"sqlite:///{tmp_path}/file/below/a.db")
