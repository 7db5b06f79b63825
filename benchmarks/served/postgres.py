"""A PostgreSQL of a program's own, that may be made to hang."""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self


def programs() -> Path | None:
    """Find the programs of a server; None where none is installed."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"))  # of Debian: off the path
    path = os.pathsep.join([os.environ["PATH"], *map(str, reversed(versions))])
    found = shutil.which("initdb", path=path)
    return None if found is None else Path(found).resolve().parent


class Postgres:
    """A server on a socket in a folder, whose path must be short; run by nobody where root asks.

    Parameters
    ----------
    programs : Path
        Folder of ``initdb`` and ``pg_ctl``.
    folder : Path
        Is there, and is left to it.
    """

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        self.url = f"postgresql://nextcall@/postgres?host={folder}"
        self._user: dict[str, Any] = {}
        if os.getuid() == 0:  # as whom it refuses to run
            nobody = pwd.getpwnam("nobody")
            self._user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)

    def __enter__(self) -> Self:
        self._run("initdb", "--username=nextcall", "--auth=trust", "--encoding=UTF8")
        options = f"-k {self._folder} -c listen_addresses="
        self._run("pg_ctl", "start", "--wait", f"--options={options}")
        return self

    def __exit__(self, *_: object) -> None:
        self._run("pg_ctl", "stop", "--mode=immediate")

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Stop all of its processes for as long as a block lasts; the kernel alone answers."""
        first = int((self._folder / "data" / "postmaster.pid").read_text().split()[0])
        held = [first]
        try:
            os.kill(first, signal.SIGSTOP)
            children = Path(f"/proc/{first}/task/{first}/children")
            held += map(int, children.read_text().split())
            for pid in held[1:]:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in reversed(held):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _run(self, program: str, *arguments: str) -> None:
        with (self._folder / "log").open("a") as log:  # no pipe: the server would keep it open
            subprocess.run(
                [str(self._programs / program), f"--pgdata={self._folder}/data", *arguments],
                cwd=self._folder,
                stdout=log,
                stderr=log,
                check=True,
                **self._user,
            )
