"""All runs on one page: what each asked, what it found, and where it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from nextcall.files import atomic_path
from nextcall.runs.manifest import MANIFEST, Manifest, read_manifest
from nextcall.runs.page import environment
from nextcall.runs.provenance import package_sha256
from nextcall.runs.result import RESULT, format_result, read_result

INDEX = "index.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One report folder."""

    folder: Path
    manifest: Manifest
    result: Mapping[str, float]
    older: bool
    """Whether the package has changed since."""

    @property
    def figures(self) -> dict[str, str]:
        """Label to value, for those results that the experiment calls its figures."""
        return {
            label: format_result(self.result, name) for name, label in self.manifest.figures.items()
        }

    @property
    def flags(self) -> tuple[str, ...]:
        """What a reader must know before believing the figures; most often nothing."""
        return tuple(
            text
            for text, holds in (
                ("small run: its figures are no findings", self.manifest.smoke),
                ("uncommitted changes", self.manifest.dirty),
                ("the package has changed since", self.older),
            )
            if holds
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The runs of a reports folder, newest first."""

    runs: tuple[Run, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a run; `figures` is one text."""
        return pd.DataFrame(
            [
                {
                    "name": run.folder.name,
                    "question": run.manifest.question,
                    "figures": "; ".join(f"{label} {text}" for label, text in run.figures.items()),
                    "finished": run.manifest.finished,
                    "duration_s": run.manifest.duration_s,
                    "commit": run.manifest.commit,
                    "dirty": run.manifest.dirty,
                    "smoke": run.manifest.smoke,
                    "older": run.older,
                }
                for run in self.runs
            ],
            columns=[
                "name", "question", "figures", "finished", "duration_s", "commit", "dirty", "smoke",
                "older",
            ],
        )  # fmt: skip

    def _repr_html_(self) -> str:
        return str(self.to_frame().to_html(index=False))


def read_index(reports: Path) -> Index:
    """Read every run of a reports folder; folders without a manifest are no runs.

    Raises
    ------
    ValueError
        Where a manifest or a result is damaged: names the file.
    """
    package = package_sha256()
    runs = []
    for path in reports.glob(f"[!.]*/{MANIFEST}"):
        manifest = read_manifest(path)
        runs.append(
            Run(
                folder=path.parent,
                manifest=manifest,
                result=read_result(path.with_name(RESULT)),
                older=manifest.package_sha256 != package,
            )
        )
    runs.sort(key=lambda run: run.folder.name)
    runs.sort(key=lambda run: run.manifest.finished, reverse=True)
    return Index(runs=tuple(runs))


def write_index(reports: Path) -> Path:
    """Write ``index.html`` over all runs of a reports folder.

    Returns
    -------
    Path
        The page.
    """
    page = environment().get_template("index.html.j2").render(runs=read_index(reports).runs)
    path = reports / INDEX
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path
