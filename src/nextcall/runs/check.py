"""Whether a report that is kept still fits the sources that it was made from."""

from pathlib import Path

from nextcall.files import sha256_file
from nextcall.runs.experiment import load_experiment
from nextcall.runs.manifest import MANIFEST, Manifest, read_manifest
from nextcall.runs.notebook import declared_parameters
from nextcall.runs.parameters import bind
from nextcall.runs.provenance import data_sha256, package_sha256


def check_manifest(report: Path, root: Path, *, package: bool = False) -> list[str]:
    """Compare the hashes of a report's manifest with what lies in the tree now.

    Hashes are compared, not commits: to commit a report is itself a commit.

    Parameters
    ----------
    report : Path
        A report folder.
    root : Path
        The project.
    package : bool
        Whether the package's sources must be the same too. Any edit of any module changes them,
        so that by default they do not count.

    Returns
    -------
    list of str
        One sentence a difference; empty where the report fits. The notebook, its parameters, the
        list of data, and the bytes of those data and report files that are there must agree; a
        small run and one from uncommitted changes never do. The words of the experiment (question,
        labels, README table) may change.

    Raises
    ------
    FileNotFoundError
        Where there is no manifest.
    ValueError
        Where the manifest is damaged.
    """
    manifest = read_manifest(report / MANIFEST)
    differences = []
    if manifest.smoke:
        differences.append("The report is of a small run.")
    if manifest.dirty:
        differences.append("The report was made with uncommitted changes.")
    for name, digest in manifest.outputs.items():
        path = report / name
        if path.is_file() and sha256_file(path) != digest:
            differences.append(f"{name} is not the file that the run wrote.")
    if package and manifest.package_sha256 != package_sha256():
        differences.append("The sources of the package have changed.")
    return differences + _source_differences(manifest, root)


def _source_differences(manifest: Manifest, root: Path) -> list[str]:
    if not (root / manifest.experiment).is_file():
        return [f"{manifest.experiment} is gone."]
    try:
        experiment = load_experiment(root / manifest.experiment)
        parameters = bind(declared_parameters(experiment.notebook_path), experiment.parameters)
    except ValueError as error:
        return [str(error)]
    del parameters["out"]
    differences = []
    if experiment.notebook != manifest.notebook:
        differences.append(f"The notebook is {experiment.notebook}, was {manifest.notebook}.")
    elif sha256_file(experiment.notebook_path) != manifest.notebook_sha256:
        differences.append(f"{manifest.notebook} has changed.")
    differences += [
        f"Parameter {name} is {parameters.get(name)!r}, was {manifest.parameters.get(name)!r}."
        for name in sorted(parameters.keys() | manifest.parameters.keys())
        if parameters.get(name) != manifest.parameters.get(name)
    ]
    if set(experiment.data) != set(manifest.data):
        differences.append(f"{manifest.experiment} names other data.")
    differences += [
        f"{name} has changed."
        for name, digest in data_sha256(root, manifest.data).items()
        if digest is not None and digest != manifest.data[name]
    ]
    return differences
