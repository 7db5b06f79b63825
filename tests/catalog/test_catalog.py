"""A catalogue survives its frame and its file, and refuses what is none."""

import string
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.catalog import Catalog, CatalogError, Operation, Parameter, describe_operation
from nextcall.catalog.catalog import SCHEMA

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ids = st.text(string.ascii_letters + "é. :/{}", min_size=1, max_size=12)
parameters = st.builds(
    Parameter,
    name=texts,
    location=st.sampled_from(["path", "query", "body", "argument"]),
    type=st.sampled_from(["", "string", "object"]),
    required=st.booleans(),
)
operations = st.builds(
    Operation,
    operation_id=ids,
    method=st.none() | st.sampled_from(["GET", "POST"]),
    path=st.none() | texts,
    service=texts,
    tags=st.lists(texts, max_size=3).map(tuple),
    summary=texts,
    description=texts,
    parameters=st.lists(parameters, max_size=3).map(tuple),
    action=texts,
    resource=texts,
    source=texts,
)
catalogs = st.builds(
    Catalog,
    texts,
    st.lists(operations, min_size=1, max_size=5, unique_by=lambda one: one.operation_id).map(tuple),
)


def small(*names: str) -> Catalog:
    return Catalog("small", tuple(describe_operation(operation_id=name) for name in names))


@given(catalogs)
def test_parquet_gives_back_what_it_was_given(
    tmp_path_factory: pytest.TempPathFactory, catalog: Catalog
) -> None:
    path = tmp_path_factory.mktemp("catalog") / "a.parquet"
    catalog.save(path)
    assert Catalog.load(path) == catalog


@given(catalogs)
def test_frame_has_every_field_of_every_operation(catalog: Catalog) -> None:
    frame = catalog.to_frame()
    assert list(frame.columns) == SCHEMA.names
    for row, operation in zip(frame.to_dict("records"), catalog, strict=True):
        for name in SCHEMA.names:
            value = getattr(operation, name)
            if name == "parameters":
                assert [Parameter(**one) for one in row[name]] == list(value)
            elif name == "tags":
                assert list(row[name]) == list(value)
            else:
                assert pd.isna(row[name]) if value is None else row[name] == value


@given(catalogs, st.data())
def test_content_hash_tells_contents_apart_and_nothing_else(
    catalog: Catalog, data: st.DataObject
) -> None:
    assert Catalog("other name", catalog.operations).content_hash == catalog.content_hash
    field = data.draw(st.sampled_from(["summary", "service", "resource", "source"]))
    first, *rest = catalog.operations
    changed = replace(first, **{field: getattr(first, field) + "x"})
    assert Catalog(catalog.name, (changed, *rest)).content_hash != catalog.content_hash


def test_content_hash_does_not_depend_on_the_file(tmp_path: Path) -> None:
    catalog = small("getUser", "listUsers")
    for name in ("a.parquet", "sub/b.parquet"):
        catalog.save(tmp_path / name)
        assert Catalog.load(tmp_path / name).content_hash == catalog.content_hash


def test_look_up_by_id() -> None:
    catalog = small("getUser", "listOrders")
    assert len(catalog) == 2
    assert "getUser" in catalog
    assert "nobody" not in catalog
    assert catalog["listOrders"] is catalog.operations[1]
    assert catalog.subset(["listOrders"], name="one").operations == (catalog["listOrders"],)
    assert catalog.services == ("",)
    with pytest.raises(KeyError):
        catalog.subset(["nobody"], name="none")


def test_an_id_may_stand_only_once() -> None:
    with pytest.raises(CatalogError, match="'b' stands twice"):
        small("a", "b", "b")


def test_a_catalogue_is_not_empty() -> None:
    with pytest.raises(CatalogError, match="at least one operation"):
        small()


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    small("a").save(path)
    whole = path.read_bytes()
    for content in (b"", b"PAR1", whole[:-20], whole[: len(whole) // 2], b"x" * 200):
        path.write_bytes(content)
        with pytest.raises(CatalogError, match=r"a\.parquet: must be a catalogue that nextcall"):
            Catalog.load(path)


def test_a_foreign_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(path)
    with pytest.raises(CatalogError, match="its format is None"):
        Catalog.load(path)


def test_our_format_with_other_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    table = pa.table({"operation_id": ["a"]})
    pq.write_table(table.replace_schema_metadata({"format": "nextcall.catalog.1"}), path)
    with pytest.raises(CatalogError, match="its columns are operation_id"):
        Catalog.load(path)


def test_a_missing_file_is_no_catalogue_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Catalog.load(tmp_path / "absent.parquet")
