"""A catalogue: every operation of one or more APIs, as one value, one frame and one file."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from nextcall.catalog.operation import Operation, Parameter
from nextcall.files import atomic_path

if TYPE_CHECKING:
    import pandas as pd

_PARAMETER: Final = pa.struct(
    [
        ("name", pa.string()),
        ("location", pa.string()),
        ("type", pa.string()),
        ("required", pa.bool_()),
    ]
)
SCHEMA: Final = pa.schema(
    [
        pa.field("operation_id", pa.string(), nullable=False),
        pa.field("method", pa.string()),
        pa.field("path", pa.string()),
        pa.field("service", pa.string(), nullable=False),
        pa.field("tags", pa.list_(pa.string()), nullable=False),
        pa.field("summary", pa.string(), nullable=False),
        pa.field("description", pa.string(), nullable=False),
        pa.field("parameters", pa.list_(_PARAMETER), nullable=False),
        pa.field("action", pa.string(), nullable=False),
        pa.field("resource", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
    ]
)
"""Columns of a catalogue's frame and Parquet file, one row an operation."""

_PARAMETER_VALUES: Final = attrgetter(*_PARAMETER.names)
_OPERATION_VALUES: Final = attrgetter(*SCHEMA.names)
_PARAMETER_ITEMS: Final = itemgetter(*_PARAMETER.names)
_REPEATED: Final = ("method", "path", "service", "summary", "action", "resource", "source")
_ROWS: Final = 1_024  # that are Arrow's and Python's at a time
_FORMAT: Final = b"nextcall.catalog.1"


class CatalogError(ValueError):
    """A description or file is no catalogue; the message names the file, the place and the rule."""


@dataclass(frozen=True)
class Catalog:
    """Operations in a fixed order, with unique ids."""

    name: str
    operations: tuple[Operation, ...]

    def __post_init__(self) -> None:
        if not self.operations:
            raise CatalogError(
                f"catalogue {self.name!r} must hold at least one operation, got none."
            )
        if len(self.positions) != len(self.operations):
            counts = Counter(operation.operation_id for operation in self.operations)
            twice = counts.most_common(1)[0][0]
            raise CatalogError(
                f"catalogue {self.name!r}: operation ids must be unique, {twice!r} stands twice."
            )

    def __len__(self) -> int:
        return len(self.operations)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    def __contains__(self, operation_id: object) -> bool:
        return operation_id in self.positions

    def __getitem__(self, operation_id: str) -> Operation:
        return self.operations[self.positions[operation_id]]

    @cached_property
    def positions(self) -> dict[str, int]:
        """Row of each operation id."""
        return {operation.operation_id: row for row, operation in enumerate(self.operations)}

    @cached_property
    def services(self) -> tuple[str, ...]:
        """Names of the services, sorted."""
        return tuple(sorted({operation.service for operation in self.operations}))

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over every field of every operation, as hexadecimal digits; not over the name."""
        digest = hashlib.sha256()
        for operation in self.operations:
            digest.update(json.dumps(_values(operation)).encode())
            digest.update(b"\n")
        return digest.hexdigest()

    def subset(self, operation_ids: Sequence[str], *, name: str) -> "Catalog":
        """Take some operations, in the order given.

        Raises
        ------
        KeyError
            Where an id is not in the catalogue.
        """
        return Catalog(name, tuple(self[operation_id] for operation_id in operation_ids))

    def to_frame(self) -> "pd.DataFrame":
        """Give one row an operation, with the columns of `SCHEMA`."""
        frame: pd.DataFrame = self._to_table().to_pandas()  # loads pandas, which serving does not
        return frame

    def save(self, path: Path) -> None:
        """Write a Parquet file; an older one is replaced only when the new one is whole."""
        with atomic_path(path) as temporary:
            pq.write_table(self._to_table(), temporary, compression="zstd")

    @classmethod
    def load(cls, path: Path) -> "Catalog":
        """Read a file that `save` wrote.

        Raises
        ------
        CatalogError
            Where the file is no Parquet file or not one of ours.
        OSError
            Where it cannot be read.
        """
        rule = "must be a catalogue that nextcall wrote"
        try:
            with path.open("rb") as file:
                # read_table would load pandas; each thread would keep memory of its own.
                table = pq.ParquetFile(file).read(use_threads=False)
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the file cannot be read; Arrow's own OSError is about its content
            raise CatalogError(f"{path}: {rule}, but is no whole Parquet file: {error}") from error
        metadata = table.schema.metadata or {}
        if metadata.get(b"format") != _FORMAT:
            raise CatalogError(f"{path}: {rule}; its format is {metadata.get(b'format')!r}.")
        if not table.schema.equals(SCHEMA):
            raise CatalogError(f"{path}: {rule}; its columns are {', '.join(table.column_names)}.")
        operations = tuple(_operations(table))
        del table
        pa.default_memory_pool().release_unused()  # 30 MB of a catalogue of 18,000 operations
        return cls(metadata[b"name"].decode(), operations)

    def _to_table(self) -> pa.Table:
        schema = SCHEMA.with_metadata({"format": _FORMAT, "name": self.name})
        columns: list[list[Any]] = [
            [getattr(operation, field) for operation in self.operations] for field in SCHEMA.names
        ]
        place = SCHEMA.names.index("parameters")
        columns[place] = [
            [_PARAMETER_VALUES(parameter) for parameter in row] for row in columns[place]
        ]
        return pa.table(columns, schema=schema)


def _values(operation: Operation) -> list[Any]:
    """Give the values of all fields, in the order of `SCHEMA`."""
    return [
        [_PARAMETER_VALUES(parameter) for parameter in value] if field == "parameters" else value
        for field, value in zip(SCHEMA.names, _OPERATION_VALUES(operation), strict=True)
    ]


def _operations(table: pa.Table) -> Iterator[Operation]:
    """Build operations, some rows at a time; what is said twice is held once."""
    words: dict[str, str] = {}
    parameters: dict[tuple[Any, ...], Parameter] = {}

    def word(value: str) -> str:
        return words.setdefault(value, value)

    def shared(values: dict[str, Any]) -> Parameter:
        key = _PARAMETER_ITEMS(values)
        if key not in parameters:
            name, location, kind, required = key
            parameters[key] = Parameter(
                name=name, location=word(location), type=word(kind), required=required
            )
        return parameters[key]

    for batch in table.to_batches(max_chunksize=_ROWS):
        columns = batch.to_pydict()
        for field in _REPEATED:
            columns[field] = [value and word(value) for value in columns[field]]
        for values in zip(*(columns[field] for field in SCHEMA.names), strict=True):
            fields = dict(zip(SCHEMA.names, values, strict=True))
            fields["tags"] = tuple(word(tag) for tag in fields["tags"])
            fields["parameters"] = tuple(shared(values) for values in fields["parameters"])
            yield Operation(**fields)
