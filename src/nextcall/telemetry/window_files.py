"""Memory of windows that other processes may read: a file for each worker, in one folder."""

import fcntl
import json
import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from typing import Final

from nextcall.telemetry.window_ring import Memory
from nextcall.telemetry.workers import entering

_HEADER: Final = 64 * 1024  # bytes; what the windows are, as JSON
_MARK: Final = b"\1" * 8  # before a window that was asked for
_SUFFIX: Final = ".windows"
_NEW: Final = ".begun"


class WindowFile:
    """The windows of this worker, and those of the others in its folder.

    A window takes room once it is asked for: before that its bytes are a hole in the file. Where
    there is no room it is of this process alone. The file stays when the worker ends, as long as it
    tells something; the next worker deletes it after that, unless another one holds the folder.

    Parameters
    ----------
    folder : path
        The same for all workers of a service; made where it is absent. Open it after the fork.
    names : sequence of str
        Of the windows.
    size : int
        Bytes of a window, a multiple of 8.
    layout : str
        What the bytes mean: files of another layout are not read.
    is_over : callable
        Tells of the memory of a window whether nobody needs it any more.

    Raises
    ------
    OSError
        Where the file cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        *,
        size: int,
        layout: str,
        is_over: Callable[[Memory], bool],
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._size, self._layout = folder, size, layout
        step = len(_MARK) + size
        self._places = {name: _HEADER + place * step for place, name in enumerate(names)}
        header = json.dumps({"layout": layout, "names": list(names)}).encode()
        if len(header) > _HEADER:
            raise ValueError(f"names must take at most {_HEADER:,} bytes, got {len(header):,}.")
        with entering(folder) as is_alone:
            if is_alone:
                self._delete_dead(is_over)
            while not self._is_made(header.ljust(_HEADER), _HEADER + len(names) * step):
                pass

    def _is_made(self, header: bytes, length: int) -> bool:
        """Make the file; false where another worker took it for one that was left."""
        self._handle, name = mkstemp(dir=self._folder, suffix=_NEW)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._handle, length)
            os.pwrite(self._handle, header, 0)
            self._whole = memoryview(mmap.mmap(self._handle, 0))
            self._path = Path(name).rename(name.removesuffix(_NEW) + _SUFFIX)
        except OSError as error:
            os.close(self._handle)
            Path(name).unlink(missing_ok=True)
            if not isinstance(error, (BlockingIOError, FileNotFoundError)):
                raise
            return False
        return True

    def memory(self, name: str) -> Memory:
        """Give the bytes of a window, all zero."""
        begin, content = self._places[name], _MARK + bytes(self._size)
        with suppress(OSError):
            # Its blocks are taken now: a store into a hole of a full disk would end the process.
            if self._handle >= 0 and os.pwrite(self._handle, content, begin) == len(content):
                return self._whole[begin + len(_MARK) : begin + len(content)]
        return memoryview(bytearray(self._size))

    def others(self) -> Iterator[dict[str, Memory]]:
        """Give the windows of each other worker, by name; those that were ever asked for."""
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            if path != self._path:
                with suppress(FileNotFoundError):  # a worker came, and it was of no use
                    yield self._read(path)

    def close(self) -> None:
        """Leave; what is observed later may be lost."""
        if self._handle >= 0:
            fcntl.flock(self._handle, fcntl.LOCK_UN)  # the mapping has a handle of its own
            os.close(self._handle)
            self._handle = -1

    def _read(self, path: Path) -> dict[str, Memory]:
        """Read a file; nothing where it is not what this writes, or of another layout."""
        with path.open("rb") as file:
            try:
                header = json.loads(os.pread(file.fileno(), _HEADER, 0))
                names, is_ours = header["names"], header["layout"] == self._layout
            except (ValueError, KeyError, TypeError):
                return {}
            step, length = len(_MARK) + self._size, os.fstat(file.fileno()).st_size
            if not is_ours or length != _HEADER + len(names) * step:
                return {}
            # What is read of it stays mapped as long as it is looked at; holes are not looked at.
            whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            return {
                name: whole[begin + len(_MARK) : begin + step]
                for name, begin in zip(names, range(_HEADER, length, step), strict=True)
                if whole[begin : begin + len(_MARK)] == _MARK
            }

    def _delete_dead(self, is_over: Callable[[Memory], bool]) -> None:
        """Delete the files of workers that ended, where they tell nothing any more."""
        for path in (*self._folder.glob(f"*{_SUFFIX}"), *self._folder.glob(f"*{_NEW}")):
            # A file that is begun may go on under its other name meanwhile.
            with suppress(FileNotFoundError), path.open("rb") as file:
                try:
                    fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                if all(map(is_over, self._read(path).values())):
                    path.unlink()
