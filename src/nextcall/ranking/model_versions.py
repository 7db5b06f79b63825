"""Trained models side by side in a folder, and which of them is in use.

Each version lies in a folder that is named after the hash of its files, and never changes. A small
file says which is in use, and which were before; it is replaced as a whole, by one process at a
time.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from nextcall.files import atomic_path, locked, own_folder, remove_abandoned, sha256_file
from nextcall.ranking.model_files import ModelError

Version: TypeAlias = str | None
"""Name of a version; None for the model that was there before the first."""

KEPT: Final = 5
"""Versions that stay on disk, besides the one in use."""

WAIT_SECONDS: Final = 30.0
"""How long another process that changes which version is in use is waited for."""

_YOUNG: Final = 3600.0  # seconds; who published it may not have put it into use yet
_CURRENT: Final = "current.json"
_LOCK: Final = "lock"
_REFUSED: Final = "refused.txt"
_MANIFEST: Final = "manifest.json"
_NEW: Final = ".new-"  # begin of the name of one that is being copied
_DIGITS: Final = 16  # of a hash: enough for all models that anyone trains


class UnreadableModelError(ModelError):
    """Files cannot be read, or are not all there: lost, or not to be seen from here just now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InUse:
    """Which version is in use, and which were before it."""

    current: Version = None
    before: tuple[Version, ...] = ()
    """The latest last."""

    def to(self, version: Version) -> "InUse":
        """Go on to another version; the same changes nothing.

        Examples
        --------
        >>> InUse().to("a").to("b").to("b")
        InUse(current='b', before=(None, 'a'))
        """
        if version == self.current:
            return self
        return InUse(current=version, before=(*self.before, self.current))

    def back(self) -> "InUse":
        """Go back to the version before.

        Raises
        ------
        ValueError
            Where there was none.
        """
        if not self.before:
            raise ValueError("There is no model before the one in use.")
        return InUse(current=self.before[-1], before=self.before[:-1])

    def order(self) -> tuple[Version, ...]:
        """Give all of them, the one in use first, then the latest."""
        return (self.current, *reversed(self.before))


class ModelVersions:
    """A folder of versions.

    Parameters
    ----------
    folder : Path
        Need not be there yet.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     trained = Path(folder, "trained")
    ...     trained.mkdir()
    ...     _ = (trained / "ranker.json").write_text("{}")
    ...     versions = ModelVersions(Path(folder, "versions"))
    ...     version = versions.publish(trained)
    ...     with versions.changing():
    ...         versions.use(versions.in_use().to(version))
    ...     versions.in_use() == InUse(current=version, before=(None,))
    True
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pointer = folder / _CURRENT
        """Says which is in use; another file each time that it changes."""

    def path(self, version: str) -> Path:
        """Give the folder of a version."""
        return self.folder / version

    def publish(self, trained: Path) -> str:
        """Copy a trained model among the versions; what was there already stays as it is.

        Returns
        -------
        str
            Its name, after the hash of its files.

        Raises
        ------
        TimeoutError
            Where it was there already, and another process holds the folder as for `changing`.
        OSError
            Where it cannot be copied.
        """
        files = _hashes(trained)
        version = _name(files)
        self.folder.mkdir(parents=True, exist_ok=True)
        with own_folder(self.folder, prefix=_NEW) as made:
            copied = made / version
            shutil.copytree(trained, copied)
            text = json.dumps({"files": files}, indent=1, sort_keys=True)
            (copied / _MANIFEST).write_text(f"{text}\n", encoding="utf-8")
            os.utime(copied)  # nobody removes it for a while
            try:
                copied.replace(self.path(version))
            except OSError:  # it is there; if by another fault, that is told below
                with self.changing():  # nobody removes or mends it meanwhile
                    if copied.exists() and self._is_damaged(version):
                        self._mend(version, copied)
                    os.utime(self.path(version))
        return version

    def clear(self) -> None:
        """Remove what those left who were killed while they published; others may publish now."""
        remove_abandoned(self.folder, prefix=_NEW)

    def verify(self, version: str) -> Path:
        """Give the folder of a version whose files are those of its manifest, and it of its name.

        Raises
        ------
        UnreadableModelError
            Where files are missing or cannot be read, and nothing else is wrong.
        ModelError
            Where a file was changed, or came later.
        """
        folder = self.path(version)
        try:
            stated = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))["files"]
            found = _hashes(folder)
        except OSError as error:
            raise UnreadableModelError(f"{version}: cannot be read: {error!r}.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{version}/{_MANIFEST}: cannot be read: {error!r}.") from error
        if found != stated:
            names = found.keys() | (stated.keys() if isinstance(stated, dict) else set())
            wrong = sorted(name for name in names if found.get(name) != _of(stated, name))
            lost = isinstance(stated, dict) and not set(wrong) & found.keys()
            kind = UnreadableModelError if lost else ModelError
            raise kind(f"{version}: files must match {_MANIFEST}, got others: {wrong}.")
        if _name(found) != version:
            raise ModelError(f"{version}: must be named after its files, which are {_name(found)}.")
        return folder

    def in_use(self) -> InUse:
        """Read which version is in use; where nothing was said, the model from before the first.

        Raises
        ------
        UnreadableModelError
            Where the file that says it is there, and cannot be read.
        ModelError
            Where it is damaged.
        """
        try:
            said = json.loads(self.pointer.read_text(encoding="utf-8"))
            read = InUse(current=said["current"], before=tuple(said["before"]))
        except FileNotFoundError:
            return InUse()
        except OSError as error:
            raise UnreadableModelError(f"{_CURRENT}: cannot be read: {error!r}.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{_CURRENT}: cannot be read: {error!r}.") from error
        if not all(each is None or _is_name(each) for each in read.order()):
            raise ModelError(f"{_CURRENT}: must name versions, got {read.order()}.")
        return read

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Keep all others from changing which version is in use: from its reading to `use`.

        Raises
        ------
        TimeoutError
            Where another process holds it for `WAIT_SECONDS`.
        OSError
            Where the folder cannot be written to.
        """
        with locked(self.folder / _LOCK, seconds=WAIT_SECONDS):
            yield

    def use(self, chosen: InUse) -> None:
        """Say which version is in use, in one step; old ones that nobody needs are removed.

        What was read before, and `chosen` made of, may be another's by now but within `changing`.
        """
        with atomic_path(self.pointer) as temporary:
            told = {"current": chosen.current, "before": list(chosen.before)}
            temporary.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        with suppress(OSError):  # there is none; or it stays, and tells of an earlier day
            (self.folder / _REFUSED).unlink()
        with suppress(OSError):  # it is in use; what is left goes another time
            self._remove_old({chosen.current, *chosen.before[-KEPT:]})

    def refuse(self, reason: str) -> None:
        """Keep why a model was not taken, until another is in use; for all who share the folder."""
        with atomic_path(self.folder / _REFUSED) as temporary:
            temporary.write_text(reason, encoding="utf-8")

    def refused(self) -> str | None:
        """Tell why the last model was not taken; None where it was, or it cannot be read."""
        try:
            return (self.folder / _REFUSED).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None

    def names(self) -> list[str]:
        """Give the versions that are there, the newest first."""
        if not self.folder.is_dir():
            return []
        found = [each for each in self.folder.iterdir() if _is_name(each.name) and each.is_dir()]
        return [each.name for each in sorted(found, key=_age, reverse=True)]

    def _remove_old(self, needed: set[Version]) -> None:
        for version in self.names()[KEPT:]:
            if version not in needed and not self._is_young(version):
                shutil.rmtree(self.path(version), ignore_errors=True)

    def _mend(self, version: str, copied: Path) -> None:
        """Put a copy in the place of a damaged version, which stays where that does not succeed."""
        path, aside = (
            self.path(version),
            copied.with_name("aside"),
        )  # it goes with the copy's folder
        with suppress(FileNotFoundError):
            path.replace(aside)
        try:
            copied.replace(path)
        except OSError:
            with suppress(OSError):
                aside.replace(path)
            raise

    def _is_young(self, version: str) -> bool:
        return time.time() - _age(self.path(version))[0] / 1e9 < _YOUNG

    def _is_damaged(self, version: str) -> bool:
        try:
            self.verify(version)
        except ModelError:
            return True
        return False


def _age(folder: Path) -> tuple[int, str]:
    return folder.stat().st_mtime_ns, folder.name


def _of(stated: object, name: str) -> object:
    return stated.get(name) if isinstance(stated, dict) else None


def _is_name(text: object) -> bool:
    return isinstance(text, str) and len(text) == _DIGITS and set(text) <= set("0123456789abcdef")


def _hashes(folder: Path) -> dict[str, str]:
    """Hash all files but the manifest, by their names."""
    files = sorted(each for each in folder.rglob("*") if each.is_file())
    named = {each.relative_to(folder).as_posix(): each for each in files}
    return {name: sha256_file(path) for name, path in named.items() if name != _MANIFEST}


def _name(files: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:_DIGITS]
