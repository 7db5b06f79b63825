"""Runs the cells of a notebook by papermill, in a kernel of this very interpreter."""

import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
import papermill
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from nextcall.locations import cache_dir, data_dir, shared_dir
from nextcall.progress import Progress
from nextcall.runs.notebook import NotebookError, read_notebook

_ENGINE = "nextcall"
_STARTUP_SECONDS = 300  # a machine may have other work


class _Engine(NBClientEngine):  # type: ignore[misc]  # papermill has no types
    """Papermill's own engine, but in this interpreter whatever kernel specs lie around."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        kernel_cwd: Path,
        on_cell_executed: Callable[..., None],
        **_: object,
    ) -> None:
        from ipykernel.kernelspec import make_ipkernel_cmd  # noqa: PLC0415  # only to run

        client = PapermillNotebookClient(
            nb_man,
            kernel_name=kernel_name,
            timeout=None,
            startup_timeout=_STARTUP_SECONDS,
            on_cell_executed=on_cell_executed,
        )
        manager = client.create_kernel_manager()
        manager.kernel_spec.argv = make_ipkernel_cmd(python_arguments=["-Xfrozen_modules=off"])
        manager.transport_encryption = "auto"  # others on the machine cannot listen
        # Ports would be looked for before the kernel takes them, and others take them meanwhile.
        with TemporaryDirectory(prefix="nextcall-") as folder:
            manager.transport, manager.ip = "ipc", f"{folder}/k"
            client.execute(cwd=str(kernel_cwd), env=_environment())


papermill_engines.register(_ENGINE, _Engine)


def execute_notebook(
    path: Path, output: Path, *, parameters: Mapping[str, object], progress: Progress
) -> Any:
    """Run every cell, in the notebook's own folder, as JupyterLab does.

    Parameters
    ----------
    path : Path
        The ``.py``.
    output : Path
        Where the executed ``.ipynb`` goes, as far as it came.
    parameters : mapping
        Injected after the cell tagged ``parameters``.
    progress : Progress
        Counts code cells.

    Returns
    -------
    nbformat.NotebookNode
        The executed notebook.

    Raises
    ------
    NotebookError
        Where a cell raised, or the kernel died.
    """
    notebook = read_notebook(path)
    total = sum(cell.cell_type == "code" for cell in notebook.cells) + 1  # and the injected one
    ticks = _ticks(progress, description=path.stem, total=total)
    next(ticks)

    def advance(**_: object) -> None:
        next(ticks, None)

    with TemporaryDirectory() as folder:
        source = Path(folder, "source.ipynb")
        nbformat.write(notebook, source)
        try:
            executed = papermill.execute_notebook(
                source,
                output,
                parameters=dict(parameters),
                engine_name=_ENGINE,
                progress_bar=False,
                on_cell_executed=advance,
                kernel_cwd=path.parent,
            )
        except PapermillExecutionError as error:
            raise NotebookError(_explain(path, error)) from error
        except RuntimeError as error:
            raise NotebookError(f"{path.name}: the kernel stopped: {error}") from error
        else:
            deque(ticks, maxlen=0)  # empty cells are not executed; the bar must end all the same
        finally:
            ticks.close()
    return executed


def _ticks(progress: Progress, *, description: str, total: int) -> Generator[int, None, None]:
    yield from progress(range(total), description=description, total=total)


def _explain(path: Path, error: PapermillExecutionError) -> str:
    lines = (line for line in error.source.splitlines() if line.strip())
    first = next((line for line in lines if not line.lstrip().startswith("#")), "")
    return (
        f"{path.name}: cell In [{error.exec_count}], which begins {first!r}, "
        f"raised {error.ename}: {error.evalue}"
    )


def _environment() -> dict[str, str]:
    """Give the kernel's: ours, with folders that do not depend on where a notebook lies."""
    return {
        **os.environ,
        "NEXTCALL_CACHE_DIR": str(cache_dir().resolve()),
        "NEXTCALL_DATA_DIR": str(data_dir().resolve()),
        "NEXTCALL_SHARED": str(shared_dir().resolve()),
        "OMP_WAIT_POLICY": "PASSIVE",  # idle threads spin otherwise: 5x the time on shared cores
        "PYTHONHASHSEED": "0",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }
