"""What the service can do as a job: train a model and put it into use, simulate sessions."""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from nextcall.jobs.job import Job
from nextcall.serve.jobs.schemas import GenerateAsked, TrainAsked
from nextcall.serve.models.swap import ModelSwap
from nextcall.serve.settings import Settings

TRAIN: Final = "train"
GENERATE: Final = "generate-data"

_COMMAND: Final = (sys.executable, "-m", "nextcall.cli.main")


def data_file(data: Path, name: str) -> Path:
    """Find a file of the data folder.

    Raises
    ------
    ValueError
        Where there is none of that name, or a link leads out of the folder.
    """
    root = data.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root) or not path.is_file():
        raise ValueError(f"There is no file {name} in the data folder.")
    return path


class Train:
    """Trains a model over the catalogue that is served; it comes into use if it passes its checks.

    Parameters
    ----------
    settings : Settings
    swap : ModelSwap
    """

    def __init__(self, settings: Settings, swap: ModelSwap) -> None:
        self._settings, self._swap = settings, swap

    def command(self, job: Job, output: Path) -> list[str]:
        """Give the command ``nextcall train``, which holds the new model against that in use."""
        asked = TrainAsked.model_validate(dict(job.arguments))
        present = self._swap.folder_in_use()
        keep = "--keep-prompts" if asked.keep_prompts else "--no-keep-prompts"
        given = {
            "catalog": self._settings.catalog.resolve(),
            "output": output,
            **_paths(self._settings.data_dir, asked.files()),
            "seed": asked.seed,
            "trees": asked.trees,
            "simulated": asked.simulated,
            "encoder": asked.encoder,
            "against": None if present is None else present.resolve(),
        }
        return [*_COMMAND, "train", *_options(given), keep]

    def finish(self, job: Job, output: Path) -> Mapping[str, Any]:  # noqa: ARG002  # as of every kind
        """Put what was trained into use."""
        try:
            return asdict(self._swap.take(output))
        except TimeoutError as error:
            raise TimeoutError(f"{error} Ask again.") from error


class Generate:
    """Simulates sessions over the catalogue that is served.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def command(self, job: Job, output: Path) -> list[str]:
        """Give the command ``nextcall synth`` with the arguments of a job."""
        asked = GenerateAsked.model_validate(dict(job.arguments))
        given = {
            "catalog": self._settings.catalog.resolve(),
            "output": output,
            **_paths(self._settings.data_dir, asked.files()),
            "sessions": asked.sessions,
            "seed": asked.seed,
            "days": asked.days,
            "users": asked.users,
            "noise": asked.noise,
            "drift-day": asked.drift_day,
            "format": asked.format,
        }
        return [*_COMMAND, "synth", *_options(given)]

    def finish(self, job: Job, output: Path) -> Mapping[str, Any]:
        """Move what was made to its place in the data folder."""
        asked = GenerateAsked.model_validate(dict(job.arguments))
        place = f"generated/{job.job_id}"
        folder = self._settings.data_dir / place
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():  # of an attempt that was cut off after this
            shutil.rmtree(folder)
        output.replace(folder)
        return {"folder": place, "sessions": f"{place}/sessions.{asked.format}"}


def _paths(data: Path, files: Mapping[str, str | None]) -> dict[str, Path]:
    return {field: data_file(data, name) for field, name in files.items() if name is not None}


def _options(given: Mapping[str, object]) -> list[str]:
    """Write options; each with its value in one word, so that no value is taken for an option."""
    return [f"--{name}={value}" for name, value in given.items() if value is not None]
