"""The numbers of all workers, by one folder: each holds a file there as long as it lives."""

import fcntl
import json
import logging
import mmap
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from itertools import count
from operator import add
from pathlib import Path
from secrets import randbelow
from tempfile import mkstemp
from typing import Final, TypeAlias

from nextcall import files
from nextcall.files import atomic_path
from nextcall.telemetry.slots import SIZE, Key, Slots, SlotsReader, summed

Totals: TypeAlias = dict[Key, tuple[float, ...]]
_Seen: TypeAlias = tuple[Totals, dict[str, tuple[Totals, bool]]]

WAIT_SECONDS: Final = 0.5
"""How long another worker that reads is waited for: it may be stopped while it does."""

START_SECONDS: Final = 2.0
"""How long a worker that comes waits for the others; then it begins beside them."""

_log: Final = logging.getLogger(__name__)
_DRAWN: Final = 1_000_000  # numbers from there on are drawn
_RETIRED: Final = "retired.json"
_LOCK: Final = "lock"


class Worker:
    """One worker's file in the folder, and the sums over all that are there.

    The kernel lets go of the file's lock when the worker ends, however it ends: from then on its
    counters still count, and its gauges do not. What dead workers left is put into one file when
    a worker comes. Where another one holds the folder and does not go on, it stays where it is
    until the next one comes.

    Parameters
    ----------
    folder : path
        The same for all workers of a service, best in memory (``/dev/shm``); made where it is
        absent. Open it after the worker was forked.

    Raises
    ------
    OSError
        Where the file cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._readers: dict[str, SlotsReader] = {}  # by the name of a file
        self._seen: _Seen = {}, {}  # when all could be read last
        self._is_alone = False
        with entering(folder) as is_alone:
            if is_alone:
                _retire(folder)
            self.number = _free_number(folder) if is_alone else _DRAWN + randbelow(_DRAWN)
            """The least that no other living worker has; a successor has that of the dead one.
            One of seven digits, drawn by chance, where another one held the folder."""
            self._handle, self.slots, self._path = _made(folder, self.number)

    def close(self) -> None:
        """Leave: the gauges go, the counters stay. What is counted later may be lost."""
        if self._handle >= 0:
            fcntl.flock(self._handle, fcntl.LOCK_UN)  # the mapping has a handle of its own
            os.close(self._handle)
            self._handle = -1

    def totals(self) -> tuple[Totals, list[Totals]]:
        """Sum the numbers of all workers, dead ones too; and give those of each that lives.

        Where the others cannot be read, or another one reads and does not end, theirs are as they
        were seen last: no counter falls.
        """
        try:
            retired, found = self._seen = self._read_all()
            self._is_alone = False
        except OSError as error:
            if not self._is_alone:
                _log.warning("numbers of other workers not read", extra={"reason": str(error)})
            self._is_alone = True
            retired, found = self._seen
            if self._handle >= 0:
                found = {**found, self._path.name: (summed(self.slots.numbers()), True)}
        of_all = dict(retired)
        for numbers, _ in found.values():
            _add(of_all, numbers)
        return of_all, [numbers for numbers, lives in found.values() if lives]

    def _read_all(self) -> "_Seen":
        """Give what dead workers left, and of each file its numbers and whether its worker lives.

        Raises
        ------
        OSError
            Where the folder has gone, or another worker holds it for `WAIT_SECONDS`.
        """
        if self._handle >= 0 and not self._path.exists():
            raise FileNotFoundError(f"{self._path.name} has gone.")
        with locked(self._folder):
            names, retired = _read_retired(self._folder)
            paths, known = _paths(self._folder, names), self._readers
            self._readers = {path.name: known.get(path.name) or SlotsReader() for path in paths}
            return retired, {path.name: _read(path, self._readers[path.name]) for path in paths}


def _free_number(folder: Path) -> int:
    taken = {path.name.partition("-")[0] for path in folder.glob("*.slots")}
    return next(number for number in count() if str(number) not in taken)


def _made(folder: Path, number: int) -> tuple[int, Slots, Path]:
    """Make a file; give its handle, by which it is held, its numbers, and where it is."""
    while True:
        handle, name = mkstemp(dir=folder, prefix=f"{number}-", suffix=".new")
        try:
            return handle, _held(handle), Path(name).rename(Path(name).with_suffix(".slots"))
        except OSError as error:
            os.close(handle)
            Path(name).unlink(missing_ok=True)
            # Another one may take a file that is not held yet for one that was left.
            if not isinstance(error, (BlockingIOError, FileNotFoundError)):
                raise


def _held(handle: int) -> Slots:
    """Fill a new file, hold it as long as this process lives, and map it."""
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    # Its blocks are taken now: a store into a hole of a full disk would end the process.
    written = os.write(handle, bytes(SIZE))
    if written != SIZE:
        raise OSError(f"folder must have room for {SIZE:,} bytes, got {written:,}.")
    return Slots(mmap.mmap(handle, SIZE))


def _retire(folder: Path) -> None:
    """Put what dead workers left into one file; where this ends midway, nothing counts twice."""
    names, totals = _read_retired(folder)
    for name in names:  # whose numbers were kept when this ended
        Path(folder, name).unlink(missing_ok=True)
    found = {path: _read(path, SlotsReader()) for path in _paths(folder, names)}
    dead = {path: numbers for path, (numbers, lives) in found.items() if not lives}
    for path in folder.glob("*.new"):  # of a worker that ended before it counted
        with suppress(FileNotFoundError):  # it had not ended, and has gone on
            if not _read(path, SlotsReader())[1]:
                path.unlink()
    if not dead:
        return
    for numbers in dead.values():
        _add(totals, numbers)
    kept = {"files": [path.name for path in dead], "totals": [[*each] for each in totals.items()]}
    with atomic_path(folder / _RETIRED) as temporary:
        temporary.write_text(json.dumps(kept), encoding="utf-8")
    for path in dead:
        path.unlink()


def _read_retired(folder: Path) -> tuple[set[str], Totals]:
    """Give the names of files that are counted already, and the sums of all that ever were."""
    try:
        kept = json.loads((folder / _RETIRED).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):  # none yet, or half of one: power was lost
        return set(), {}
    return set(kept["files"]), {tuple(key): tuple(values) for key, values in kept["totals"]}


def _paths(folder: Path, retired: set[str]) -> list[Path]:
    """Give the files of all workers that are not counted already."""
    return [path for path in sorted(folder.glob("*.slots")) if path.name not in retired]


def _read(path: Path, reader: SlotsReader) -> tuple[Totals, bool]:
    """Read the numbers of a worker, and whether it lives."""
    handle = os.open(path, os.O_RDONLY)
    try:
        numbers: Totals = {}
        lives = _is_held(handle)  # first: what is read of a dead one is all that it counted
        if os.fstat(handle).st_size == SIZE:
            with mmap.mmap(handle, SIZE, access=mmap.ACCESS_READ) as memory:
                numbers = summed(reader.read(memory))
        return numbers, lives
    finally:
        os.close(handle)


def _is_held(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _add(totals: Totals, numbers: Totals) -> None:
    for key, values in numbers.items():
        known = totals.get(key, (0.0,) * len(values))
        if len(known) == len(values):  # else of a release with other buckets
            totals[key] = tuple(map(add, known, values))


def locked(folder: Path, *, seconds: float = WAIT_SECONDS) -> AbstractContextManager[None]:
    """Let no other worker read or put together the files while a block runs.

    Raises
    ------
    TimeoutError
        Where another one does so all that time: it may have been stopped meanwhile.
    """
    return files.locked(folder / _LOCK, seconds=seconds)


@contextmanager
def entering(folder: Path) -> Iterator[bool]:
    """Do as `locked`, but go on where another one does not; give whether this one is alone.

    Who is not must leave all files but its own as they are.
    """
    with ExitStack() as held:
        is_alone = True
        try:
            held.enter_context(locked(folder, seconds=START_SECONDS))
        except TimeoutError as error:
            _log.warning("numbers of dead workers not put together", extra={"reason": str(error)})
            is_alone = False
        yield is_alone
