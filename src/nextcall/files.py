"""Files that are whole or absent, what they contain, and who may change them; own folders."""

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from tempfile import mkdtemp

_BLOCK = 1 << 20  # bytes read at once
_FIRST_WAIT, _LONGEST_WAIT = 0.001, 0.05  # seconds between two looks at a lock


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; move it into place when the block succeeds.

    Missing parent folders are made. When the block raises, nothing is left behind and an older
    file at `path` stays as it was.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with atomic_path(Path(folder, "a.txt")) as temporary:
    ...         _ = temporary.write_text("whole")
    ...     Path(folder, "a.txt").read_text()
    'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}-{token_hex(4)}{path.suffix}")
    # With the mode that `open` gives. To ask for the mask is to change it, for all threads.
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def locked(path: Path, *, seconds: float) -> Iterator[None]:
    """Let no other process, and no other thread, into a block with the same file.

    The kernel lets go of the lock when its holder ends, however it ends. On a network volume that
    knows locks (NFS does) it holds for all machines.

    Parameters
    ----------
    path : Path
        Of a file for this alone, best beside what it guards. It is made where it is absent, with
        its folders, and stays.
    seconds : float
        How long another one is waited for.

    Raises
    ------
    TimeoutError
        Where another one holds it all that time; the message names the file, not its folder.
    OSError
        Where the file cannot be made.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with locked(Path(folder, "lock"), seconds=1):
    ...         with locked(Path(folder, "lock"), seconds=0):
    ...             pass
    Traceback (most recent call last):
    TimeoutError: lock must be free within 0 seconds, another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)  # to write: NFS asks for it
    try:
        _wait_for(handle, path.name, seconds)
        yield
    finally:
        os.close(handle)


def _wait_for(handle: int, name: str, seconds: float) -> None:
    until, wait = time.monotonic() + seconds, _FIRST_WAIT
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError(
                    f"{name} must be free within {seconds:g} seconds, another process holds it."
                ) from error
            time.sleep(min(wait, left))
            wait = min(2 * wait, _LONGEST_WAIT)
        else:
            return


@contextmanager
def own_folder(parent: Path, *, prefix: str) -> Iterator[Path]:
    """Make a folder that is this process's own while the block lasts, and is removed then.

    The kernel keeps it locked for as long, and lets it go however the process ends: what is left
    then is nobody's, see `remove_abandoned`.

    Parameters
    ----------
    parent : Path
        Is there.
    prefix : str
        Of its name.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as parent, own_folder(Path(parent), prefix=".new-") as folder:
    ...     remove_abandoned(Path(parent), prefix=".new-"), folder.exists()
    (0, True)
    """
    with ExitStack() as opened:
        folder = Path(mkdtemp(dir=parent, prefix=prefix))
        while not _is_locked(folder, opened):  # somebody took it for an abandoned one
            folder = Path(mkdtemp(dir=parent, prefix=prefix))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned(parent: Path, *, prefix: str) -> int:
    """Remove the folders of `own_folder` whose processes have ended, and say how many.

    Several processes may do so at once, while others make new ones.
    """
    removed = 0
    for folder in parent.glob(f"{prefix}*"):
        with ExitStack() as opened:
            if folder.is_dir() and _is_locked(folder, opened, is_mine=False):
                shutil.rmtree(folder, ignore_errors=True)
                removed += 1
    return removed


def _is_locked(folder: Path, opened: ExitStack, *, is_mine: bool = True) -> bool:
    """Lock a folder until a stack is closed; whether that was so, and it is there still."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        opened.callback(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):  # another has it, or had it
        return False
    except OSError:  # the file system has no locks, and nothing is removed
        return is_mine
    with suppress(OSError):
        return folder.stat().st_ino == os.fstat(descriptor).st_ino
    return False


def sha256_file(path: Path) -> str:
    """Hash a file's bytes, as hexadecimal digits.

    Raises
    ------
    OSError
        Where the file cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
