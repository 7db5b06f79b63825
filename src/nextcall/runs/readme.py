"""The README's table of results and its picture, written from report folders, never typed."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from nextcall.files import atomic_path
from nextcall.runs.experiment import Experiment, ResultTable
from nextcall.runs.manifest import MANIFEST, read_manifest
from nextcall.runs.result import RESULT, read_result
from nextcall.runs.table import markdown_table

BEGIN: Final = "<!-- results:begin -->"
END: Final = "<!-- results:end -->"


def update_readme(
    readme: Path, experiments: Iterable[Experiment], *, reports: Path, check: bool = False
) -> bool:
    """Write what lies between the two markers anew.

    Parameters
    ----------
    readme : Path
        Holds `BEGIN` and, below it, `END`, once each, on lines of their own.
    experiments : iterable of Experiment
        Those with a `table` are shown, in the order given.
    reports : Path
        Folder of the report folders.
    check : bool
        Write nothing.

    Returns
    -------
    bool
        Whether the README was up to date.

    Raises
    ------
    FileNotFoundError
        Where the README, a report or its picture is missing.
    ValueError
        Where the markers are not there once each, a report is of a small run, or a table names
        no result at all for a row or a column.
    """
    text = readme.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(END) < text.index(BEGIN):
        raise ValueError(f"{readme}: must hold {BEGIN} and below it {END}, once each.")
    blocks = [
        _block(experiment.table, folder=reports / experiment.name, readme=readme)
        for experiment in experiments
        if experiment.table
    ]
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    new = "\n\n".join([head + BEGIN, *blocks, END + tail])
    if new == text:
        return True
    if not check:
        with atomic_path(readme) as temporary:
            temporary.write_text(new, encoding="utf-8")
    return False


def _block(table: ResultTable, *, folder: Path, readme: Path) -> str:
    manifest = read_manifest(folder / MANIFEST)
    if manifest.smoke:
        raise ValueError(f"{folder}: a small run must not be shown in {readme.name}.")
    here = readme.parent.resolve()
    link = folder.resolve().relative_to(here).as_posix()
    source = f"From [{link}]({link}/{RESULT}), written by `nextcall run {manifest.experiment}`."
    parts = [
        markdown_table(table, read_result(folder / RESULT)),
        " ".join(part for part in (table.caption.strip(), source) if part),
    ]
    if table.picture:
        if not (folder / table.picture).is_file():
            raise FileNotFoundError(f"{folder / table.picture}: table.picture must exist.")
        parts.append(f"![{table.alt}]({link}/{table.picture})")
    return "\n\n".join(parts)
