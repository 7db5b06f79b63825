"""Whether a database has the schema of this version, told without the library that changes it."""

import re
from pathlib import Path
from typing import Final

from sqlalchemy import inspect, text

from nextcall.storage.database import Database

REVISIONS: Final = Path(__file__).parent / "revisions"
"""Folder of this package's own revisions."""

_TABLE: Final = "alembic_version"
_NAMED: Final = re.compile(r'^(down_)?revision\b[^=\n]*= "([^"]*)"$', re.MULTILINE)


def newest_revisions(folder: Path = REVISIONS) -> frozenset[str]:
    """Name the revisions of a folder that no other one follows.

    Examples
    --------
    >>> len(newest_revisions())
    1
    """
    named = [
        match
        for path in folder.glob("*.py")
        if path.name != "__init__.py"
        for match in _NAMED.findall(path.read_text(encoding="utf-8"))
    ]
    followed = {name for down, name in named if down}
    return frozenset(name for down, name in named if not down) - followed


def is_current(database: Database) -> bool:
    """Say whether a database has seen all of this package's revisions, and no others.

    Raises
    ------
    sqlalchemy.exc.DBAPIError
        Where it cannot be read.
    """
    with database.reading() as connection:
        if not inspect(connection).has_table(_TABLE):
            return False
        seen = connection.scalars(text(f"SELECT version_num FROM {_TABLE}"))  # noqa: S608  # ours
        return frozenset(seen) == newest_revisions()
