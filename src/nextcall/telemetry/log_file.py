"""A file of lines that several processes write, which makes room for itself."""

import os
import re
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from nextcall.files import locked

DAY: Final = 86_400
"""Seconds."""

_PATIENCE: Final = 0.25  # seconds that another process may take to put the file aside


class LogFile:
    """Lines at the end of a file, which is put aside when it is full and when a day (UTC) ends.

    A line is one write at the end of the file (``O_APPEND``), which the kernel does not mix with
    those of other processes. Who finds the file full, or of another day, takes a lock, looks
    again, and renames it; others go on in the renamed file until they find it full, and then open
    the new one. So no line is lost, cut or written twice (the handlers of the standard library
    rename the file under the others). A process that hangs while it has the lock holds nobody up:
    it is waited for once, then lines go where they went before, until the lock is free. A line
    that the disk does not take is counted as lost, and nothing is raised.

    Parameters
    ----------
    path : path
        Its folder must be there. What is put aside has the moment in its name.
    most_bytes : int
        Size from which it is full; each process may write a line more.
    keep_days : float
        Files put aside are deleted when their last line is older.
    clock : callable
        Seconds since 1970.
    """

    def __init__(
        self,
        path: Path,
        *,
        most_bytes: int = 100_000_000,
        keep_days: float = 30,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if most_bytes < 1:
            raise ValueError(f"most_bytes must be at least 1, got {most_bytes}.")
        if not keep_days > 0:
            raise ValueError(f"keep_days must be above 0, got {keep_days}.")
        self._path, self._most, self._keep = path, most_bytes, keep_days * DAY
        self._clock, self._lock = clock, threading.Lock()
        self._handle, self._day = -1, 0
        self._is_full = self._is_torn = self._is_held_up = False
        self.lost = 0
        """Lines that the disk did not take."""

    def write(self, line: bytes) -> None:
        """Add a line, which ends with a line feed."""
        with self._lock:
            try:
                now = self._clock()
                if self._is_full or self._day != now // DAY or self._handle < 0:
                    self._renew(now)
                # After a line that was cut, the next begins on a new one.
                text = b"\n" + line if self._is_torn else line
                self._is_torn = os.write(self._handle, text) < len(text)
                self._is_full = os.lseek(self._handle, 0, os.SEEK_CUR) >= self._most
            except OSError:
                self._is_torn = True
            self.lost += self._is_torn

    def close(self) -> None:
        """Close the file; another line opens it again."""
        with self._lock:
            if self._handle >= 0:
                os.close(self._handle)
                self._handle = -1

    def _renew(self, now: float) -> None:
        """Open the file that lines go to now; put the one aside that is full or of another day."""
        self._path.parent.stat()  # the lock would make a folder in place of a disk that is away
        lock = self._path.with_name(f".{self._path.name}.lock")
        with ExitStack() as held:
            try:
                held.enter_context(locked(lock, seconds=0 if self._is_held_up else _PATIENCE))
            except TimeoutError:
                self._is_held_up = True
                if self._handle < 0:
                    self._handle = self._opened()
                return  # the next line looks again
            self._is_held_up = False
            with suppress(OSError):  # where it cannot be put aside, it goes on
                self._put_aside(now)
            handle = self._opened()
        before, self._handle = self._handle, handle
        self._day, self._is_full = int(now // DAY), False
        if before >= 0:
            os.close(before)

    def _opened(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)

    def _put_aside(self, now: float) -> None:
        for path in self._aside():
            if path.stat().st_mtime < now - self._keep:
                path.unlink()
        found = self._path.stat() if self._path.exists() else None
        if found is None or not stat.S_ISREG(found.st_mode) or not found.st_size:
            return
        if found.st_size >= self._most or found.st_mtime // DAY < now // DAY:
            moment, number = f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S}", 0
            while (aside := self._named(f"{moment}-{number}")).exists():
                number += 1
            self._path.rename(aside)

    def _aside(self) -> Iterator[Path]:
        name = re.compile(rf"{re.escape(self._path.stem)}-\d{{8}}T\d{{6}}-\d+")
        for path in self._path.parent.glob(f"*{self._path.suffix}"):
            if name.fullmatch(path.stem):
                yield path

    def _named(self, moment: str) -> Path:
        return self._path.with_name(f"{self._path.stem}-{moment}{self._path.suffix}")


class LogStream:
    """Lines to a stream of the process, such as standard error; a `LogFile` without a file.

    Parameters
    ----------
    handle : int
        Of the operating system; it stays open.
    """

    def __init__(self, handle: int) -> None:
        self._handle, self._lock = handle, threading.Lock()
        self.lost = 0

    def write(self, line: bytes) -> None:
        """Write a line."""
        with self._lock:
            try:
                self.lost += os.write(self._handle, line) < len(line)
            except OSError:
                self.lost += 1

    def close(self) -> None:
        """Do nothing: the stream is the process's."""
