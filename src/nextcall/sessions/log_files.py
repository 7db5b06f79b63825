"""Log files, gzipped or not."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_GZIP_MAGIC = b"\x1f\x8b"


def log_lines(path: Path) -> Iterator[str]:
    """Read lines of a text log, gzipped or not; bytes that are no UTF-8 become U+FFFD.

    Raises
    ------
    ValueError
        Where a gzipped file is damaged.
    OSError
        Where the file cannot be read.
    """
    for line in _byte_lines(path):
        yield line.decode("utf-8", errors="replace").rstrip("\r\n")


def log_json(path: Path) -> Any:
    """Read a JSON file, gzipped or not, with or without a byte order mark.

    Raises
    ------
    ValueError
        Where it is no JSON in UTF-8, or a gzipped file is damaged; the message names the line.
    OSError
        Where the file cannot be read.
    """
    content = b"".join(_byte_lines(path))
    try:
        return json.loads(content.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}:{error.lineno}: must be JSON: {error.msg}.") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}:{line}: must be UTF-8: {error.reason}.") from error


def _byte_lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        compressed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
        file.seek(0)
        if not compressed:
            yield from file
            return
        try:
            with gzip.open(file) as unpacked:
                yield from unpacked
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{path}: must be a whole gzip file: {error}.") from error
