from pathlib import Path

import numpy as np

from nextcall.catalog import Catalog, describe_operation
from nextcall.catalog.term_files import load_tables, save_tables
from nextcall.catalog.terms import TermTables


def test_tables_come_back_and_what_is_damaged_does_not(tmp_path: Path) -> None:
    paths = ("/search/person", "/person/{person_id}/credits")
    operations = (describe_operation(operation_id=f"GET {p}", method="GET", path=p) for p in paths)
    tables = TermTables.build(Catalog("films", tuple(operations)))
    assert tables.terms
    path = tmp_path / "kept.npz"
    assert load_tables(path) is None
    save_tables(path, tables)
    kept = load_tables(path)
    assert kept is not None
    assert kept.terms == tables.terms
    for name in TermTables.__slots__:
        if name != "terms":
            found, expected = getattr(kept, name), getattr(tables, name)
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole.replace(b"yield_terms", b"yield_turns")):
        path.write_bytes(damaged)
        assert load_tables(path) is None
