"""How far a process is, in a file that others read: whole at every moment."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from operator import length_hint
from pathlib import Path
from typing import Final, TypeVar

from nextcall.files import atomic_path
from nextcall.jobs.job import Stage

T = TypeVar("T")

_SECONDS: Final = 0.2
"""Between two writes: a loop of a million steps must not wait for the disk."""


class ProgressFile:
    """Tells how far a loop is; a `nextcall.progress.Progress`.

    Parameters
    ----------
    path : Path
        Where it is told.
    seconds : float
        Between two writes, but for the first and the last of a loop.
    clock : callable
        Seconds that never go back.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     progress = ProgressFile(Path(folder, "progress.json"))
    ...     total = sum(progress([1, 2, 3], description="Adding"))
    ...     stage = read_stage(Path(folder, "progress.json"))
    >>> total, stage.name, stage.done, stage.total
    (6, 'Adding', 3, 3)
    """

    def __init__(
        self,
        path: Path,
        *,
        seconds: float = _SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path, self._seconds, self._clock = path, seconds, clock

    def __call__(
        self, iterable: Iterable[T], *, description: str, total: int | None = None
    ) -> Iterator[T]:
        """Yield what `iterable` yields."""
        if total is None:
            total = length_hint(iterable) or None
        begun, done = datetime.now(UTC), 0
        self._write(Stage(name=description, started_at=begun, done=done, total=total))
        told = self._clock()
        for item in iterable:
            yield item
            done += 1
            if self._clock() - told >= self._seconds:
                self._write(Stage(name=description, started_at=begun, done=done, total=total))
                told = self._clock()
        self._write(Stage(name=description, started_at=begun, done=done, total=total))

    def _write(self, stage: Stage) -> None:
        told = {
            "name": stage.name,
            "started_at": stage.started_at.isoformat(),
            "done": stage.done,
            "total": stage.total,
        }
        with atomic_path(self._path) as temporary:
            temporary.write_text(json.dumps(told), encoding="utf-8")


def read_stage(path: Path) -> Stage | None:
    """Read what `ProgressFile` told; None where there is nothing, or something else."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        stage = Stage(
            name=str(told["name"]),
            started_at=datetime.fromisoformat(told["started_at"]).astimezone(UTC),
            done=int(told["done"]),
            total=None if told["total"] is None else int(told["total"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return stage
