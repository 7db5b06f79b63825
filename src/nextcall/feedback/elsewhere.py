"""What other workers of a service have shown: each tells it of its own, at a socket in a folder."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from nextcall.feedback.draft import Draft
from nextcall.feedback.shown import Shown, ShownPredictions

_SECONDS: Final = 1.0  # that another worker may take
_MOST_ID: Final = 200  # bytes
_LISTS: Final = ("operations", "confidences", "history")


class ShownElsewhere:
    """Finds what another worker has shown, and tells others what this one has.

    Nothing is copied while predictions are made: who is told of one that it does not know asks the
    others. What a worker showed is gone when it ends.

    Parameters
    ----------
    folder : Path
        In which all workers have their sockets; only their user may enter it.
    number : int
        Of this worker; no other one has it.
    shown : ShownPredictions
        Of this worker.
    """

    def __init__(self, folder: Path, number: int, shown: ShownPredictions) -> None:
        self._folder, self._own, self._shown = folder, folder / f"{number}.socket", shown

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """Tell others while the block runs.

        Raises
        ------
        OSError
            Where there can be no socket.
        """
        self._own.unlink(missing_ok=True)  # of the one before, who was killed
        server = await asyncio.start_unix_server(self._answer, self._own, limit=_MOST_ID)
        async with server:
            yield
        self._own.unlink(missing_ok=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError, TimeoutError):
            async with asyncio.timeout(_SECONDS):
                asked = (await reader.readline()).decode().strip()
                found = self._shown.find(asked, at=datetime.now(UTC))
                if found is not None:
                    writer.write(_written(found))
                    await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def find(self, prediction_id: str) -> Shown | None:
        """Ask all others at once; None where none of them knows it."""
        asked = prediction_id.encode()
        if len(asked) >= _MOST_ID or b"\n" in asked:
            return None
        others = [path for path in self._folder.glob("*.socket") if path != self._own]
        found = await asyncio.gather(*(_ask(path, asked) for path in others))
        return next((each for each in found if each is not None), None)


async def _ask(path: Path, asked: bytes) -> Shown | None:
    with suppress(OSError, ValueError, TimeoutError):
        async with asyncio.timeout(_SECONDS):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                writer.write(asked + b"\n")
                told = await reader.read()
            finally:
                writer.close()
            return _read(told) if told else None
    return None


def _written(shown: Shown) -> bytes:
    return json.dumps(asdict(shown) | {"at": shown.at.isoformat()}).encode()


def _read(told: bytes) -> Shown:
    fields = json.loads(told)
    fields["at"] = datetime.fromisoformat(fields["at"])
    if fields["draft"] is not None:
        fields["draft"] = Draft.read(fields["draft"]["challenger"], fields["draft"])
    return Shown(**fields | {name: tuple(fields[name]) for name in _LISTS})
