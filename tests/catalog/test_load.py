"""Catalogues from whatever file holds them."""

from pathlib import Path

import pytest

from nextcall.catalog import Catalog, CatalogError, describe_operation
from nextcall.catalog.load import load_catalog


def test_a_built_catalogue_is_loaded(tmp_path: Path) -> None:
    catalog = Catalog("a", (describe_operation(operation_id="getUser"),))
    catalog.save(tmp_path / "a.parquet")
    assert load_catalog(tmp_path / "a.parquet") == catalog


@pytest.mark.parametrize("name", ["a.json", "a", "folder"])
def test_anything_else_is_told_how_to_build_one(tmp_path: Path, name: str) -> None:
    with pytest.raises(CatalogError, match=r"\.parquet file or a catalog\.jsonl; build one with"):
        load_catalog(tmp_path / name)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for name in ("a.parquet", "catalog.jsonl"):
        with pytest.raises(FileNotFoundError, match=name):
            load_catalog(tmp_path / name)
