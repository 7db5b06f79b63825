"""Values of JSON data, checked as they are taken out; what is wrong is named with its place."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Fields:
    """One JSON object and where it stands."""

    place: str
    """File and line, or file and path inside it; begins every error."""
    values: Mapping[str, object]

    def text(self, key: str, default: str | None = None) -> str:
        """Take a text; `default` where the key is missing or null.

        Raises
        ------
        ValueError
            Where the value is no text, or is missing without a default.
        """
        value = self._value(key, default)
        if not isinstance(value, str):
            raise self.error(key, "must be text", value)
        return value

    def identifier(self, key: str, default: str | None = None) -> str:
        """Take a text or a whole number as a text; empty only where `default` is.

        Raises
        ------
        ValueError
            Where the value is neither, is empty, or is missing without a default.
        """
        value = self._value(key, default)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str) or (not value and default != ""):
            raise self.error(key, "must be a text that is not empty, or a whole number", value)
        return value

    def integer(self, key: str, default: int | None = None) -> int:
        """Take a whole number of at least 0; `default` where the key is missing or null.

        Raises
        ------
        ValueError
            Where the value is anything else, or is missing without a default.
        """
        value = self._value(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.error(key, "must be a whole number of at least 0", value)
        return value

    def items(self, key: str) -> list[object]:
        """Take a list; empty where the key is missing or null.

        Raises
        ------
        ValueError
            Where the value is no list.
        """
        value = self._value(key, ())
        if not isinstance(value, (list, tuple)):
            raise self.error(key, "must be a list", value)
        return list(value)

    def texts(self, key: str) -> tuple[str, ...]:
        """Take a list of texts; empty where the key is missing or null.

        Raises
        ------
        ValueError
            Where the value is no list, or holds something else.
        """
        values = self.items(key)
        for position, value in enumerate(values):
            if not isinstance(value, str):
                raise self.error(f"{key}[{position}]", "must be text", value)
        return tuple(str(value) for value in values)

    def child(self, key: str) -> "Fields":
        """Take an object; an empty one where the key is missing or null.

        Raises
        ------
        ValueError
            Where the value is no object.
        """
        return json_object(f"{self.place}: {key!r}", self._value(key, {}))

    def time(self, key: str) -> datetime | None:
        """Take an ISO 8601 time as UTC; None where the key is missing or null.

        Raises
        ------
        ValueError
            Where the value is no such time.
        """
        text = self.text(key, "")
        if not text:
            return None
        try:
            return utc(datetime.fromisoformat(text))
        except (ValueError, OverflowError) as error:
            raise self.error(key, "must be an ISO 8601 time", text) from error

    def error(self, key: str, rule: str, value: object) -> ValueError:
        """Make the error that says where `key` breaks `rule`."""
        came = "nothing" if value is None else repr(value)
        if len(came) > 80:
            came = came[:77] + "..."
        return ValueError(f"{self.place}: {key!r} {rule}, got {came}.")

    def _value(self, key: str, default: object) -> object:
        value = self.values.get(key)
        return default if value is None else value


def json_object(place: str, value: object) -> Fields:
    """Take a JSON value that must be an object.

    Raises
    ------
    ValueError
        Where it is none.

    Examples
    --------
    >>> json_object("a.json:3", {"user": "ann"}).text("user")
    'ann'
    """
    if isinstance(value, dict):
        return Fields(place, value)
    raise ValueError(f"{place}: must be a JSON object, got a {type(value).__name__}.")


def utc(time: datetime) -> datetime:
    """Turn a time into an aware one in UTC; one without a zone is taken to be UTC.

    Examples
    --------
    >>> utc(datetime.fromisoformat("2024-05-01T12:00:00+02:00")).isoformat()
    '2024-05-01T10:00:00+00:00'
    """
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def json_objects(path: Path) -> Iterator[Fields]:
    """Read a file of one JSON object a line; blank lines are passed over.

    Raises
    ------
    ValueError
        Where a line is no JSON object; the message names the file and the line.
    OSError
        Where the file cannot be read.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            place = f"{path}:{number}"
            try:
                value = json.loads(line.decode("utf-8-sig"))
            except ValueError as error:  # a UnicodeDecodeError is one too
                raise ValueError(f"{place}: must be a JSON object in UTF-8: {error}.") from error
            yield json_object(place, value)
