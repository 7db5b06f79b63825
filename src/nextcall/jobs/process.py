"""A job's process: started apart from the service, watched, and ended with all that it started."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from nextcall.jobs.child import FOLDER_VARIABLE, NICE_VARIABLE, PROGRESS
from nextcall.jobs.job import Stage
from nextcall.jobs.progress_file import read_stage

_PATIENCE: Final = 5.0  # seconds between asking a process to end, and ending it
_LOOK: Final = 0.02  # seconds between two looks at one that is to end
_SEES_ENDED: Final = hasattr(os, "waitid")  # without reaping; macOS from Python 3.13 on
_LOG: Final = "output.txt"
_TAIL: Final = 4_000  # bytes of its output that are looked at
_SAID: Final = "error: "  # how a command of ours says why its input cannot be used


class JobProcess:
    """A process in a session of its own, so that a signal to the service does not reach it.

    It has the environment of the service but for its settings, which hold secrets.

    Parameters
    ----------
    command : sequence of str
    folder : Path
        Where it runs, and leaves what it says.
    nice : int
        By how much it stands back: 0 to 19.
    environment : mapping of str to str, optional
        What it is told besides.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        nice: int,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = folder
        own = {name: v for name, v in os.environ.items() if not name.startswith("NEXTCALL_")}
        own |= {FOLDER_VARIABLE: str(folder), NICE_VARIABLE: str(nice), **(environment or {})}
        with (folder / _LOG).open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  # the command is ours, no shell reads it
                list(command),
                stdin=subprocess.PIPE,  # is closed when this process ends, however it ends
                stdout=log,
                stderr=log,
                cwd=folder,
                env=own,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Exit code, below 0 that of a signal; None while it runs."""
        if self._process.returncode is not None or not _SEES_ENDED:
            return self._process.poll()
        # It is not reaped before `stop`: so long nobody else has its number, nor that of its group.
        how = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if how is None:
            return None
        return how.si_status if how.si_code == os.CLD_EXITED else -how.si_status

    def stage(self) -> Stage | None:
        """Read how far it is; None where it did not say."""
        return read_stage(self._folder / PROGRESS)

    def stop(self) -> None:
        """End it, and what it started: politely, then not.

        What it started and left behind when it ended is ended at once.
        """
        if self._process.returncode is not None:
            return
        if self.code is None:
            self._signal(signal.SIGTERM)
            self._await_end()
        self._signal(signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE)

    def _await_end(self) -> None:
        until = time.monotonic() + _PATIENCE
        while self.code is None and time.monotonic() < until:
            time.sleep(_LOOK)

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is not None:  # the number may be another's
            return
        with suppress(ProcessLookupError, PermissionError):  # nobody is left of the group
            os.killpg(self.pid, number)

    def failure(self) -> str:
        """Say why it failed: its own last sentence, or how it ended."""
        code = self.code
        if code is not None and code < 0:
            return f"The job's process was ended by signal {-code} ({_name(-code)})."
        tail = (self._folder / _LOG).read_bytes()[-_TAIL:].decode(errors="replace")
        said = [line for line in tail.splitlines() if line.startswith(_SAID)]
        if said:
            return said[-1].removeprefix(_SAID)
        return f"The job's process failed with exit code {code}."

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()
        if self._process.stdin is not None:
            self._process.stdin.close()


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # one without a name
        return "unknown"
