"""An experiment: a YAML file that names a notebook, its parameters and the question asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import yaml

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultTable:
    """A table for the README: systems down, sets across, one metric of ``result.json``.

    The cell of a system and a set is the result named ``SET.SYSTEM.METRIC``; its interval, where
    there is one, is the same name followed by ``.low`` and ``.high``.
    """

    metric: str
    systems: Mapping[str, str]
    """Name in the results to label; one row each, in this order."""
    sets: Mapping[str, str]
    """Name in the results to label; one column each, in this order."""
    caption: str = ""
    picture: str = ""
    """A file of the report folder, shown under the table; none where empty."""
    alt: str = ""
    """What the picture shows, for those who do not see it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One question, the notebook that answers it, and with what."""

    path: Path
    """The YAML file."""
    notebook: str
    """The ``.py`` of the notebook, relative to `root`."""
    question: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    smoke: Mapping[str, object] = field(default_factory=dict)
    """Laid over `parameters` for a small run."""
    data: tuple[str, ...] = ()
    """Files and folders that are read, relative to `root`; their hashes go to the manifest."""
    figures: Mapping[str, str] = field(default_factory=dict)
    """Result to label: what the head of the report and the index show."""
    table: ResultTable | None = None

    @property
    def name(self) -> str:
        """The YAML file's name without its suffix; also that of the report folder."""
        return self.path.stem

    @property
    def root(self) -> Path:
        """The project: the folder that holds the folder of the YAML file."""
        return self.path.resolve().parent.parent

    @property
    def notebook_path(self) -> Path:
        """Where the notebook lies."""
        return self.root / self.notebook


def load_experiment(path: Path) -> Experiment:
    """Read and check one experiment.

    Parameters
    ----------
    path : Path
        ``experiments/NAME.yaml``. Paths inside it are relative to the folder above
        ``experiments/``.

    Returns
    -------
    Experiment
        What the file says; the notebook exists, the data need not.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ValueError
        Where the file is no such description: names the file, the key and the rule.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "count.py").write_text("# %%")
    ...     file = Path(folder, "experiments", "count.yaml")
    ...     file.parent.mkdir()
    ...     _ = file.write_text("{notebook: count.py, question: What counts}")
    ...     load_experiment(file).question
    'What counts'
    """
    if path.suffix != ".yaml":
        raise ValueError(f"{path}: an experiment must be a .yaml file.")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: must be YAML: {' '.join(str(error).split())}.") from error
    read = _Reader(path, raw, place="")
    table = read.mapping("table")
    experiment = Experiment(
        path=path,
        notebook=read.text("notebook"),
        question=" ".join(read.text("question").split()),
        parameters=read.mapping("parameters"),
        smoke=read.mapping("smoke"),
        data=read.texts("data"),
        figures=read.labels("figures"),
        table=_table(_Reader(path, table, place="table.")) if table else None,
    )
    read.finish()
    if experiment.notebook_path.suffix != ".py":
        raise ValueError(f"{path}: notebook must be a .py file, got {experiment.notebook!r}.")
    if not experiment.notebook_path.is_file():
        raise ValueError(f"{path}: notebook must exist, got {experiment.notebook!r}.")
    for key, given in (("parameters", experiment.parameters), ("smoke", experiment.smoke)):
        if "out" in given:
            raise ValueError(f"{path}: {key} must leave `out` to the run, which sets it.")
    return experiment


def _table(read: "_Reader") -> ResultTable:
    table = ResultTable(
        metric=read.text("metric"),
        systems=read.labels("systems", required=True),
        sets=read.labels("sets", required=True),
        caption=read.text("caption", default=""),
        picture=read.text("picture", default=""),
        alt=read.text("alt", default=""),
    )
    read.finish()
    return table


class _Reader:
    """Takes keys out of a mapping one by one, with their types; at the end none may be left."""

    def __init__(self, path: Path, raw: object, *, place: str) -> None:
        if not isinstance(raw, dict):
            raise ValueError(  # noqa: TRY004  # bad data, not a bad argument
                f"{path}: must be a mapping of keys, got {type(raw).__name__}."
            )
        self._path = path
        self._place = place
        self._left: dict[object, object] = dict(raw)

    def text(self, key: str, *, default: str | None = None) -> str:
        value = self._take(key, str, "a text", default)
        if not value.strip() and default is None:
            raise self._wrong(key, "a text that is not empty", value)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value: list[object] = self._take(key, list, "a list of texts", [])
        if not all(isinstance(item, str) for item in value):
            raise self._wrong(key, "a list of texts", value)
        return tuple(str(item) for item in value)

    def mapping(self, key: str) -> dict[str, object]:
        value: dict[object, object] = self._take(key, dict, "a mapping of names", {})
        if not all(isinstance(name, str) for name in value):
            raise self._wrong(key, "a mapping of names", value)
        return {str(name): item for name, item in value.items()}

    def labels(self, key: str, *, required: bool = False) -> dict[str, str]:
        value = self.mapping(key)
        if required and not value:
            raise ValueError(f"{self._path}: {self._place}{key} must be given.")
        if not all(isinstance(label, str) for label in value.values()):
            raise self._wrong(key, "a mapping of result names to labels", value)
        return {name: str(label) for name, label in value.items()}

    def finish(self) -> None:
        if self._left:
            unknown = ", ".join(f"{self._place}{key}" for key in self._left)
            raise ValueError(f"{self._path}: must have no other keys, got {unknown}.")

    def _take(self, key: str, kind: type[T], rule: str, default: T | None) -> T:
        if key not in self._left and default is None:
            raise ValueError(f"{self._path}: {self._place}{key} must be given.")
        value = self._left.pop(key, default)
        if not isinstance(value, kind):
            raise self._wrong(key, rule, value)
        return value

    def _wrong(self, key: str, rule: str, value: object) -> ValueError:
        return ValueError(f"{self._path}: {self._place}{key} must be {rule}, got {value!r}.")
