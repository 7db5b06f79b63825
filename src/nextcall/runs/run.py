"""Runs an experiment and leaves a report folder that is whole or absent."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from nextcall.files import sha256_file
from nextcall.progress import Progress, silent
from nextcall.runs.experiment import Experiment
from nextcall.runs.manifest import MANIFEST, Manifest, read_manifest, write_manifest
from nextcall.runs.notebook import NotebookError, declared_parameters
from nextcall.runs.parameters import bind
from nextcall.runs.provenance import data_sha256, git_state, machine, package_sha256, versions
from nextcall.runs.result import RESULT, read_result

REPORT = "report.html"
SMOKE = "-smoke"
FAILED = ".failed"
_INPUTS = (  # what decides whether a run would give the same report
    "question",
    "notebook",
    "notebook_sha256",
    "package_sha256",
    "data",
    "parameters",
    "smoke",
    "figures",
    "versions",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """A report folder and what it says."""

    folder: Path
    result: Mapping[str, float]
    manifest: Manifest
    executed: bool
    """False where the report that was there is what a run would give."""

    @property
    def report(self) -> Path:
        """The page to read."""
        return self.folder / REPORT


def run_experiment(
    experiment: Experiment,
    *,
    output: Path,
    overrides: Mapping[str, object] | None = None,
    smoke: bool = False,
    if_changed: bool = False,
    progress: Progress = silent,
) -> RunResult:
    """Execute the notebook of an experiment and write its report.

    Parameters
    ----------
    experiment : Experiment
        What to run.
    output : Path
        Folder of all reports; this one goes to ``output/NAME``, of a small run to
        ``output/NAME-smoke``. It replaces the one that was there, in one step.
    overrides : mapping, optional
        Parameters laid over those of the experiment.
    smoke : bool
        Run small, with the experiment's `smoke` parameters; data that is not there is left out.
    if_changed : bool
        Execute nothing where the report that is there was made from the same notebook, package,
        data, parameters and versions, and is whole.
    progress : Progress
        Counts code cells.

    Returns
    -------
    RunResult
        The folder holds ``NAME.ipynb`` (executed), ``report.html``, ``result.json``,
        ``manifest.json`` and what else the notebook wrote to `out`.

    Raises
    ------
    FileNotFoundError
        Where data of the experiment is missing, or the notebook wrote no ``result.json``.
    ValueError
        Where a parameter is not declared or of another type, or where ``result.json`` or the
        report is refused.
    NotebookError
        Where a cell raised. As with every error after the start, what there is of the report is
        kept in ``output/NAME.failed``.
    """
    plan = _plan(experiment, output=output, overrides=overrides or {}, smoke=smoke)
    folder = output / (experiment.name + SMOKE * smoke)
    if if_changed and (kept := _kept(folder, plan)):
        return RunResult(
            folder=folder, result=read_result(folder / RESULT), manifest=kept, executed=False
        )
    output.mkdir(parents=True, exist_ok=True)
    temporary = Path(mkdtemp(dir=output, prefix=f".{folder.name}-"))
    failed = output / (folder.name + FAILED)
    try:
        result, manifest = _execute(experiment, plan, temporary, folder, progress=progress)
    except NotebookError as error:
        _move(temporary, failed)
        reached = failed / f"{experiment.name}.ipynb"
        raise NotebookError(f"{error}. The notebook up to there: {reached}") from error
    except ValueError as error:
        _move(temporary, failed)
        raise ValueError(str(error).replace(str(temporary), str(failed))) from error
    except Exception:
        _move(temporary, failed)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # after an interrupt
    shutil.rmtree(failed, ignore_errors=True)
    return RunResult(folder=folder, result=result, manifest=manifest, executed=True)


def _plan(
    experiment: Experiment, *, output: Path, overrides: Mapping[str, object], smoke: bool
) -> Manifest:
    """Check what is given and write down what the run will be made of, before it starts."""
    root = experiment.root
    given = {**experiment.parameters, **(experiment.smoke if smoke else {}), **overrides}
    if "out" in given:
        raise ValueError(f"out must be left to the run, which sets it; got {given['out']!r}.")
    declared = declared_parameters(experiment.notebook_path)
    try:
        parameters = bind(declared, given)
    except ValueError as error:
        raise ValueError(f"{experiment.path}: {error}") from error
    del parameters["out"]
    data = data_sha256(root, experiment.data)
    missing = [path for path, digest in data.items() if digest is None]
    if missing and not smoke:
        raise FileNotFoundError(f"{experiment.path}: data must exist, got {', '.join(missing)}.")
    commit, dirty = git_state(root, exclude=output)
    kind, cores = machine()
    seed = parameters["seed"]
    return Manifest(
        name=experiment.name,
        question=experiment.question,
        experiment=experiment.path.resolve().relative_to(root).as_posix(),
        notebook=experiment.notebook,
        notebook_sha256=sha256_file(experiment.notebook_path),
        package_sha256=package_sha256(),
        data=data,
        parameters=parameters,
        smoke=smoke,
        seed=seed if isinstance(seed, int) else 0,
        figures=dict(experiment.figures),
        commit=commit,
        dirty=dirty,
        versions=versions(),
        machine=kind,
        cores=cores,
        started="",
        finished="",
        duration_s=0.0,
        outputs={},
    )


def _kept(folder: Path, plan: Manifest) -> Manifest | None:
    """Return the manifest of a whole report that was made from what `plan` names."""
    try:
        manifest = read_manifest(folder / MANIFEST)
    except (FileNotFoundError, ValueError):
        return None
    same = all(getattr(manifest, key) == getattr(plan, key) for key in _INPUTS)
    whole = all(
        (folder / name).is_file() and sha256_file(folder / name) == digest
        for name, digest in manifest.outputs.items()
    )
    return manifest if same and whole else None


def _execute(
    experiment: Experiment, plan: Manifest, temporary: Path, folder: Path, *, progress: Progress
) -> tuple[dict[str, float], Manifest]:
    from nextcall.runs.execute import execute_notebook  # noqa: PLC0415  # Jupyter: 1 s
    from nextcall.runs.render import render_report  # noqa: PLC0415  # as above

    notebook = experiment.notebook_path
    started = datetime.now(UTC)
    executed_path = temporary / f"{experiment.name}.ipynb"
    out = _relative(temporary, notebook.parent)
    shown = {temporary.name: folder.name}
    if experiment.root.name:
        shown[f"{experiment.root}{os.sep}"] = ""
    try:
        execute_notebook(
            notebook, executed_path, parameters={**plan.parameters, "out": out}, progress=progress
        )
    except NotebookError:
        _settle(executed_path, shown)
        raise
    executed = _settle(executed_path, shown)
    finished = datetime.now(UTC)
    if not (temporary / RESULT).is_file():
        raise FileNotFoundError(f"{experiment.notebook}: the notebook must write {RESULT} to out.")
    result = read_result(temporary / RESULT)
    for name in experiment.figures:
        if name not in result:
            raise ValueError(f"{experiment.path}: figures must be results, got {name!r}.")
    manifest = replace(
        plan,
        started=started.isoformat(timespec="seconds"),
        finished=finished.isoformat(timespec="seconds"),
        duration_s=round((finished - started).total_seconds(), 1),
    )
    page = render_report(executed, manifest, result=result, folder=notebook.parent)
    (temporary / REPORT).write_text(page, encoding="utf-8")
    outputs = {
        path.relative_to(temporary).as_posix(): sha256_file(path)
        for path in sorted(temporary.rglob("*"))
        if path.is_file()
    }
    manifest = replace(manifest, outputs=outputs)
    write_manifest(manifest, temporary / MANIFEST)
    _move(temporary, folder)
    return result, manifest


def _settle(path: Path, texts: Mapping[str, str]) -> Any:
    """Write the executed notebook as if it had run in its final folder; no machine's paths."""
    import nbformat  # noqa: PLC0415  # Jupyter

    raw = path.read_text(encoding="utf-8")
    for old, new in texts.items():
        raw = raw.replace(old, new)
    notebook = nbformat.reads(raw, as_version=4)
    for part in (notebook, *notebook.cells):
        part.metadata.pop("papermill", None)  # times and temporary paths
    nbformat.write(notebook, path)
    return notebook


def _relative(path: Path, start: Path) -> str:
    return Path(os.path.relpath(path.resolve(), start.resolve())).as_posix()


def _move(source: Path, target: Path) -> None:
    """Put a folder in the place of another; the other is gone only when the new one is there."""
    source.chmod(0o755)  # mkdtemp keeps others out
    if not target.exists():
        source.rename(target)
        return
    aside = Path(mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
    target.rename(aside / "old")
    source.rename(target)
    shutil.rmtree(aside)
