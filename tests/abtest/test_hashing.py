"""Buckets agree with other tools' SHA-256, whatever a column is made of, and are even."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from nextcall.abtest.hashing import BUCKETS, BucketHash

GOLDEN = Path(__file__).parent / "golden" / "buckets.json"
SPREAD = BucketHash(kind="test", name="checkout", salt="2026")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


def plain_bucket(kind: str, name: str, salt: str, unit: str) -> int:
    """Give what the docstring of BucketHash says."""
    prefix = b"".join(
        str(len(part.encode())).encode() + b":" + part.encode() + b","
        for part in (kind, name, salt)
    )
    while len(prefix) % 64:
        prefix += b"\0"
    return int(hashlib.sha256(prefix + unit.encode()).hexdigest()[:15], 16) % 10_000


def test_buckets_are_those_of_the_golden_file() -> None:
    """Its buckets were computed by another language."""
    rows = json.loads(GOLDEN.read_text(encoding="utf-8"))["rows"]
    spreads: dict[tuple[str, str, str], list[tuple[str, int]]] = {}
    for kind, name, salt, unit, times, bucket in rows:
        spreads.setdefault((kind, name, salt), []).append((unit * times, bucket))
    assert len(spreads) == 9
    for (kind, name, salt), pairs in spreads.items():
        units, buckets = zip(*pairs, strict=True)
        spread = BucketHash(kind=kind, name=name, salt=salt)
        assert [spread.bucket(unit) for unit in units] == list(buckets)
        assert spread.buckets(units).tolist() == list(buckets)


@given(texts, texts, texts, st.lists(texts, max_size=300))
def test_buckets_are_the_plain_definition(
    kind: str, name: str, salt: str, units: list[str]
) -> None:
    spread = BucketHash(kind=kind, name=name, salt=salt)
    plain = [plain_bucket(kind, name, salt, unit) for unit in units]
    assert [spread.bucket(unit) for unit in units] == plain
    assert spread.buckets(units).tolist() == plain


def test_every_length_to_the_fifth_block_is_hashed_right() -> None:
    units = ["ü" * (n // 2) + "a" * (n % 2) for n in range(300)]
    rng = np.random.default_rng(0)
    rng.shuffle(units)
    plain = [plain_bucket("test", "checkout", "2026", unit) for unit in units]
    assert SPREAD.buckets(units).tolist() == plain


@given(st.lists(st.integers(-(10**30), 10**30), max_size=20))
def test_an_integer_is_its_digits(units: list[int]) -> None:
    as_text = SPREAD.buckets([str(unit) for unit in units]).tolist()
    assert SPREAD.buckets(units).tolist() == as_text
    assert [SPREAD.bucket(unit) for unit in units] == as_text


@pytest.mark.parametrize(
    "dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
)
def test_integers_of_every_width_are_their_digits(dtype: str) -> None:
    limits = np.iinfo(dtype)
    units = np.array([limits.min, 0, 7, limits.max], dtype)
    expected = [SPREAD.bucket(str(unit)) for unit in units.tolist()]
    assert SPREAD.buckets(units).tolist() == expected
    assert [SPREAD.bucket(unit) for unit in units] == expected


def test_what_a_column_is_made_of_makes_no_difference() -> None:
    units = [f"user-{n % 17}-é" for n in range(100)]
    expected = [SPREAD.bucket(unit) for unit in units]
    arrow = pa.array(units)
    columns: list[Any] = [
        units,
        tuple(units),
        np.array(units),
        np.array(units, dtype=object),
        np.array(units, dtype=np.dtypes.StringDType()),
        pd.Series(units),
        pd.Series(units, index=range(7, 107)),
        pd.Series(units, dtype="object"),
        pd.Series(units, dtype="category"),
        pd.Series(units, dtype=pd.ArrowDtype(pa.string())),
        pd.Series(units, dtype=pd.StringDtype("python")),
        pd.Index(units),
        arrow,
        arrow.cast(pa.large_string()),
        arrow.cast(pa.string_view()),
        arrow.dictionary_encode(),
        pa.chunked_array([units[:3], [], units[3:]]),
        pa.array(["before", *units, "after"])[1:-1],
        pa.array(["before", *units, "after"], pa.large_string())[1:-1],
    ]
    for column in columns:
        assert SPREAD.buckets(column).tolist() == expected, type(column)


def test_integers_and_texts_may_stand_in_one_column() -> None:
    mixed: list[str | int] = [1, "1", "a", 2**70]
    assert SPREAD.buckets(mixed).tolist() == [SPREAD.bucket(unit) for unit in mixed]
    column = pd.Series(mixed, dtype=object)
    assert SPREAD.buckets(column).tolist() == SPREAD.buckets(mixed).tolist()


@pytest.mark.parametrize("column", [[], np.array([]), pd.Series([], dtype=str), pa.array([])])
def test_no_units_have_no_buckets(column: Any) -> None:
    assert SPREAD.buckets(column).tolist() == []


@pytest.mark.parametrize(
    "column",
    [
        ["a", None],
        pd.Series(["a", None]),
        pd.Series(["a", None], dtype="category"),
        pd.Series([1, None], dtype="Int64"),
        pa.DictionaryArray.from_arrays([0, 1], pa.array(["a", None])),
        pa.chunked_array([["a"], [None]]),
    ],
)
def test_a_missing_unit_is_refused_with_its_row(column: Any) -> None:
    with pytest.raises(ValueError, match=r"^units must not be missing, but row 1 is\.$"):
        SPREAD.buckets(column)


@pytest.mark.parametrize(
    "column", [[1.0, 2.0], [True, False], np.array(["2026-01-01"], "datetime64[D]"), [b"a"]]
)
def test_a_column_of_anything_else_is_refused(column: Any) -> None:
    with pytest.raises(TypeError, match=r"units must be texts or integers, got a column of "):
        SPREAD.buckets(column)


@pytest.mark.parametrize("unit", [None, 1.0, True, np.True_, b"a", ("a",)])
def test_a_unit_of_anything_else_is_refused(unit: Any) -> None:
    with pytest.raises(TypeError, match=r"unit must be a text or an integer, got "):
        SPREAD.bucket(unit)
    with pytest.raises(TypeError, match=r"units? must be "):
        SPREAD.buckets(["a", 1, unit])


@pytest.mark.parametrize("find", [SPREAD.bucket, lambda unit: SPREAD.buckets([unit, "a"])])
def test_half_a_surrogate_pair_is_refused(find: Callable[[str], object]) -> None:
    with pytest.raises(ValueError, match=r"unit must be text that UTF-8 can hold, got '\\ud800'"):
        find("\ud800")


def test_another_process_gives_the_same_buckets() -> None:
    script = (
        "from nextcall.abtest.hashing import BucketHash\n"
        "spread = BucketHash(kind='test', name='checkout', salt='2026')\n"
        "print([spread.bucket(unit) for unit in range(20)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [SPREAD.bucket(unit) for unit in range(20)]


@pytest.mark.parametrize("form", ["{}", "user-{}", "{:08x}-0000-4000-8000-000000000000"])
def test_a_million_units_are_spread_evenly(form: str) -> None:
    """A chi-square over all buckets; the bound lets 1 in 2,000 even hashes fail."""
    units = np.arange(1_000_000) if form == "{}" else [form.format(n) for n in range(1_000_000)]
    counts = np.bincount(SPREAD.buckets(units), minlength=BUCKETS)
    assert len(counts) == BUCKETS
    assert 0.0005 < stats.chisquare(counts).pvalue < 0.9995


@pytest.fixture(scope="module")
def million() -> NDArray[np.int16]:
    return SPREAD.buckets(np.arange(1_000_000))


@pytest.mark.parametrize(
    "other",
    [
        BucketHash(kind="test", name="checkout", salt="2027"),
        BucketHash(kind="test", name="checkouts", salt="2026"),
        BucketHash(kind="layer", name="checkout", salt="2026"),
        BucketHash(kind="hold-out", name="checkout", salt="2026"),
        BucketHash(kind="test", name="checkout2", salt="026"),
    ],
    ids=str,
)
def test_tests_are_independent_of_one_another(
    other: BucketHash, million: NDArray[np.int16]
) -> None:
    """A contingency table of 50 x 50 groups of 1,000,000 units."""
    rows, columns = million // 200, other.buckets(np.arange(1_000_000)) // 200
    table = np.bincount(rows.astype(int) * 50 + columns, minlength=2_500).reshape(50, 50)
    assert 0.0005 < stats.chi2_contingency(table).pvalue < 0.9995
