"""Text of an API description, from a file or over HTTP, with a copy kept for a while."""

import codecs
import hashlib
import time
from pathlib import Path
from typing import Final

from nextcall.catalog.catalog import CatalogError
from nextcall.files import atomic_path

_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "UTF-32"), (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16"),
)  # fmt: skip
_TIMEOUT: Final = 60.0  # seconds, for the whole answer
_CONNECT_TIMEOUT: Final = 10.0  # seconds


def is_url(location: str | Path) -> bool:
    """Tell an http or https address from a path.

    Raises
    ------
    CatalogError
        Where it is an address of another kind.

    Examples
    --------
    >>> is_url("https://example.org/openapi.json"), is_url("openapi.json")
    (True, False)
    """
    scheme, separator, _ = str(location).partition("://")
    if isinstance(location, Path) or not separator or not scheme.isalnum():
        return False
    if scheme.lower() not in {"http", "https"}:
        raise CatalogError(f"{location}: an address must begin with http:// or https://.")
    return True


def fetch(
    location: str | Path,
    *,
    cache_dir: Path | None = None,
    max_age_seconds: float = 3600,
    max_bytes: int = 64 << 20,
    timeout_seconds: float = _TIMEOUT,
) -> str:
    """Read a text from a file or an http(s) address.

    Parameters
    ----------
    location : str or Path
        Path of a file, or an address.
    cache_dir : Path, optional
        Folder where a copy of what an address gave is kept; none is kept without it.
    max_age_seconds : float, default 3600
        Age up to which the copy answers in place of the network; an older one never does.
    max_bytes : int, default 64 MiB
        Size that a text may have, unpacked.
    timeout_seconds : float, default 60
        Time that the network may take for the whole text.

    Returns
    -------
    str
        The text, without a byte order mark. It must be UTF-8, or UTF-16 or UTF-32 with such a
        mark, as some shells write.

    Raises
    ------
    CatalogError
        Where the text is too large or not in its encoding, or the server's answer is no success.
    OSError
        Where the file cannot be read or the server cannot be reached (`ConnectionError`).
    """
    if is_url(location):
        content = _download(
            str(location),
            copy=_copy_path(str(location), cache_dir) if cache_dir else None,
            max_age_seconds=max_age_seconds,
            max_bytes=max_bytes,
            timeout_seconds=timeout_seconds,
        )
    else:
        with Path(location).open("rb") as file:
            content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise CatalogError(_too_large(location, max_bytes))
    return _decoded(content, location)


def _decoded(content: bytes, location: str | Path) -> str:
    """Decode a text by its byte order mark; UTF-8 where it has none."""
    name = next((name for mark, name in _MARKS if content.startswith(mark)), "UTF-8")
    try:
        return content.decode(name).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode(name, errors="replace").removeprefix("\ufeff")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise CatalogError(
            f"{location}:{line}:{column}: must be {name} text, byte {error.start} is "
            f"0x{content[error.start]:02x}."
        ) from error


def _copy_path(address: str, cache_dir: Path) -> Path:
    return cache_dir / f"{hashlib.sha256(address.encode()).hexdigest()}.txt"


def _download(
    address: str,
    *,
    copy: Path | None,
    max_age_seconds: float,
    max_bytes: int,
    timeout_seconds: float,
) -> bytes:
    if copy is not None and copy.is_file():
        age = time.time() - copy.stat().st_mtime
        if 0 <= age < max_age_seconds:
            return copy.read_bytes()
    content = _get(address, max_bytes=max_bytes, timeout_seconds=timeout_seconds)
    if copy is not None:
        with atomic_path(copy) as temporary:
            temporary.write_bytes(content)
    return content


def _get(address: str, *, max_bytes: int, timeout_seconds: float) -> bytes:
    import httpx  # noqa: PLC0415  # a tenth of a second, which a catalogue on disk does not need

    deadline = time.monotonic() + timeout_seconds
    timeout = httpx.Timeout(timeout_seconds, connect=min(_CONNECT_TIMEOUT, timeout_seconds))
    content = bytearray()
    try:
        with httpx.stream("GET", address, follow_redirects=True, timeout=timeout) as answer:
            if not answer.is_success:
                raise CatalogError(
                    f"{address}: must answer with a success, got {answer.status_code} "
                    f"{answer.reason_phrase}.".replace(" .", ".")
                )
            for block in answer.iter_bytes():
                content += block
                if len(content) > max_bytes:
                    raise CatalogError(_too_large(address, max_bytes))
                if time.monotonic() > deadline:
                    raise ConnectionError(
                        f"{address}: must answer within {timeout_seconds:g} seconds."
                    )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        raise ConnectionError(f"{address}: cannot be fetched: {reason}.") from error
    return bytes(content)


def _too_large(location: str | Path, max_bytes: int) -> str:
    return f"{location}: must be at most {max_bytes:,} bytes."
