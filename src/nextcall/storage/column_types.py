"""Types of columns that both databases keep alike."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, to the microsecond; read as UTC, whatever zone it was written in.

    SQLite knows no zones: there it is the text of the moment in UTC, which sorts as moments do.

    Raises
    ------
    ValueError
        Where a moment without a zone is written.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse what has no zone, and take SQLite's away."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"time must have a zone, got {value.isoformat()}.")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if dialect.name == "sqlite" else moment.astimezone(UTC)
