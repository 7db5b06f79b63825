"""What a process does that was started for a job: it stands back, and ends with who started it."""

import os
import threading
from pathlib import Path
from typing import Final

from nextcall.jobs.progress_file import ProgressFile

FOLDER_VARIABLE: Final = "NEXTCALL_JOB_FOLDER"
"""Names the folder of its job to a process; others have none."""

NICE_VARIABLE: Final = "NEXTCALL_JOB_NICE"
"""By how much the process stands back."""

PROGRESS: Final = "progress.json"
LEFT_ALONE: Final = 75
"""Exit code where whoever started it is gone: that of a passing failure."""


def attach() -> None:
    """Behave as the process of a job: low priority, and an end with whoever started it.

    Its standard input is a pipe that only the parent holds. However that one ends, the pipe is
    closed then, and this process ends at once.
    """
    os.nice(int(os.environ.get(NICE_VARIABLE, "0")))
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()


def job_progress() -> ProgressFile | None:
    """Give what tells how far this job is; None where this process is of none.

    Examples
    --------
    >>> job_progress() is None
    True
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    return None if folder is None else ProgressFile(Path(folder, PROGRESS))


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os._exit(LEFT_ALONE)
