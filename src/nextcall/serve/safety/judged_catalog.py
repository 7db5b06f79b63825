"""Which operations of a catalogue are shown as they are: judged once, then kept on disk."""

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall import guard as guard_room
from nextcall.catalog import operation, text
from nextcall.catalog.catalog import Catalog
from nextcall.catalog.operation import Operation
from nextcall.files import atomic_path
from nextcall.guard.guard import Guard
from nextcall.guard.output import OutputFilter
from nextcall.guard.payload import Judge
from nextcall.progress import Progress, silent
from nextcall.serve import found
from nextcall.serve.found import usual_prediction
from nextcall.serve.safety import answer_filter
from nextcall.serve.safety.answer_filter import MOST_SHOWN, Flags, showable

_FLAGS: Final[tuple[Flags, ...]] = ((), ("powerful operation",))
"""Of operations that are shown as they are; their codes are these places, from 1."""

_WRITTEN: Final = {".json", ".jsonl", ".npz", ".py", ".txt"}  # what the guard is made of
_DIGEST: Final = 32  # bytes of a file before the codes: they tell a damaged one


class JudgedCatalog:
    """Tells of an operation, without judging it again, whether all its texts may be shown.

    Parameters
    ----------
    catalog : Catalog
    codes : NDArray of uint8 of shape (n_operations,)
        As `judge` gives them.
    """

    def __init__(self, catalog: Catalog, codes: NDArray[np.uint8]) -> None:
        self._positions, self._codes = catalog.positions, codes

    def flags(self, operation_id: str) -> Flags | None:
        """Give what an operation that is shown as it is is marked with; None of all others."""
        row = self._positions.get(operation_id)
        code = 0 if row is None else int(self._codes[row])
        return _FLAGS[code - 1] if code else None


def judge(catalog: Catalog, by: Judge, *, progress: Progress = silent) -> NDArray[np.uint8]:
    """Judge the texts of all operations, a third of a millisecond each.

    Returns
    -------
    NDArray of uint8 of shape (n_operations,)
        0 where something of the operation is withheld or changed, so that it is to be looked at
        when it is shown; else 1, and 2 where it is marked as powerful.

    Examples
    --------
    >>> from nextcall.catalog import describe_operation
    >>> operations = (
    ...     describe_operation(operation_id="listUsers", summary="Lists users."),
    ...     describe_operation(operation_id="hide", summary="<script>alert(1)</script>"),
    ...     describe_operation(operation_id="resetSystem", summary="Resets everything."))
    >>> judge(Catalog("users", operations), Guard()).tolist()
    [1, 0, 2]
    """
    output = OutputFilter(catalog, by, most_characters=MOST_SHOWN)
    every = progress(catalog.operations, description="judging texts", total=len(catalog))
    return np.fromiter((_code(one, output) for one in every), np.uint8, len(catalog))


def _code(one: Operation, by: OutputFilter) -> int:
    shown, usual = showable(one, by), usual_prediction(one)
    if shown is None or shown.flags not in _FLAGS:
        return 0
    if (shown.description, shown.parameters) != (usual.description, usual.parameters):
        return 0
    return _FLAGS.index(shown.flags) + 1


def judged_catalog(
    catalog: Catalog, *, threshold: float, folder: Path, progress: Progress = silent
) -> JudgedCatalog:
    """Judge a catalogue by the packaged guard, or read what an earlier call left in `folder`.

    Another catalogue, threshold, or version of what judges and shows is judged anew; so is what a
    damaged file held. Where the folder cannot be written, nothing is kept.

    Parameters
    ----------
    catalog : Catalog
    threshold : float
        Risk from which a text is taken for an attack, in (0, 1).
    folder : Path
        Of one small file a catalogue; made where it is missing.
    progress : Progress
        Shows how far the judging is.
    """
    path = folder / f"{_key(catalog, threshold)}.bin"
    codes = _read(path, len(catalog.operations))
    if codes is None:
        codes = judge(catalog, Guard(threshold=threshold), progress=progress)
        with suppress(OSError), atomic_path(path) as temporary:
            held = codes.tobytes()
            temporary.write_bytes(hashlib.sha256(held).digest() + held)
    return JudgedCatalog(catalog, codes)


def _key(catalog: Catalog, threshold: float) -> str:
    digest = hashlib.sha256(f"{catalog.content_hash} {threshold!r}".encode())
    room = Path(str(guard_room.__file__)).parent
    judging = sorted(path for path in room.rglob("*") if path.suffix in _WRITTEN)
    showing = [Path(str(module.__file__)) for module in (found, answer_filter, operation, text)]
    for path in [*judging, *showing]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def _read(path: Path, size: int) -> NDArray[np.uint8] | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, held = content[:_DIGEST], content[_DIGEST:]
    if len(held) != size or hashlib.sha256(held).digest() != digest:
        return None
    return np.frombuffer(held, np.uint8)
