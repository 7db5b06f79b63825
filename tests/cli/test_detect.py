"""The verb `detect`: rows in, the same rows out, each with its score."""

import csv
import io
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from nextcall.anomaly import tables
from nextcall.anomaly.block_scorer import BlockScorer
from nextcall.anomaly.detector import StreamDetector
from nextcall.anomaly.explained_scores import DETECTORS, DetectorName
from nextcall.anomaly.fault_detector import FaultDetector
from nextcall.anomaly.monitor import AnomalyMonitor
from nextcall.cli.detect import detect
from nextcall.cli.main import main

T = TypeVar("T")
Told = list[tuple[float, str]]

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
app.command()(detect)


def _run(*arguments: object, stdin: str | None = None) -> str:
    given = [str(argument) for argument in arguments]
    result = CliRunner().invoke(app, given, input=stdin, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def _series(rows: int = 3000) -> pd.DataFrame:
    rng = np.random.default_rng(16)
    values = rng.normal(size=rows)
    values[rows // 2] = 30.0
    times = pd.date_range("2026-01-01", periods=rows, freq="min")
    return pd.DataFrame(
        {
            "timestamp": times.strftime("%Y-%m-%d %H:%M:%S"),
            "host": rng.choice(["a", "b"], size=rows),
            "value": values,
            "note": ['said "so", twice\nin two lines, é'] * rows,
        }
    )


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_BLOCK", 700)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "series.csv"
    _series().to_csv(path, index=False)
    return path


def test_rows_come_out_as_they_went_in_with_score_and_explanation(
    source: Path, tmp_path: Path
) -> None:
    target = tmp_path / "new" / "scores.csv"
    _run("--input", source, "--output", target)
    with source.open(newline="") as before, target.open(newline="") as after:
        rows, scored = list(csv.reader(before)), list(csv.reader(after))
    assert scored[0] == [*rows[0], "anomaly_score", "explanation"]
    assert [row[:-2] for row in scored] == rows
    expected = StreamDetector().score(_series()["value"])["risk"]
    assert [float(row[-2]) for row in scored[1:]] == expected.tolist()
    assert scored[1501][-1].startswith("shape of 6 points, mean of 3 ")
    assert all(row[-1] != "" for row in scored[1:] if float(row[-2]) >= 0.5)
    told = [row for row in scored[1:] if row[-1] != "" and float(row[-2]) < 0.5]
    assert all("resting after an alarm" in row[-1] or "not enough" in row[-1] for row in told)
    assert list(target.parent.iterdir()) == [target]


def test_keys_tell_series_apart(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "scores.csv"
    _run(
        *("--input", source, "--output", target, "--key", "host"),
        *("--timestamp", "timestamp", "--rate", "0.01"),
    )
    series = _series()
    expected = StreamDetector(rate=0.01).score(series["value"], series["host"])["risk"]
    assert pd.read_csv(target)["anomaly_score"].tolist() == expected.tolist()


def test_parquet_gives_the_same_and_keeps_its_types(tmp_path: Path) -> None:
    series = _series().assign(
        timestamp=lambda frame: pd.to_datetime(frame["timestamp"], utc=True),
        count=lambda frame: np.arange(len(frame), dtype=np.int16),
    )
    series.loc[5, "value"] = np.nan
    source, target = tmp_path / "series.parquet", tmp_path / "scores.parquet"
    series.to_parquet(source, index=False)
    _run("--input", source, "--output", target, "--key", "host", "--timestamp", "timestamp")
    written = pd.read_parquet(target)
    pd.testing.assert_frame_equal(written.iloc[:, :-2], series)
    expected = StreamDetector().score(series["value"], series["host"])["risk"]
    assert written["anomaly_score"].tolist() == expected.tolist()
    assert written["anomaly_score"][5] == 0.0
    told = written["explanation"] != ""
    held = written["explanation"].str.contains("resting|not enough data")
    assert ((told & ~held) == (written["anomaly_score"] >= 0.5)).all()


def test_parquet_of_decimals_and_gaps(tmp_path: Path) -> None:
    source, target = tmp_path / "series.parquet", tmp_path / "scores.parquet"
    pd.DataFrame({"value": [Decimal("1.50"), None]}).to_parquet(source)
    _run("--input", source, "--output", target)
    assert pd.read_parquet(target)["anomaly_score"].tolist() == [0.0, 0.0]


def test_standard_input_to_standard_output() -> None:
    shown = _run("--input", "-", "--output", "-", stdin="value\n1\n\n nan \nNA\n2e3\n")
    assert shown == (
        "value,anomaly_score,explanation\n1,0.0,\n,0.0,\n nan ,0.0,\nNA,0.0,\n2e3,0.0,\n"
    )


def test_standard_input_is_read_as_a_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = '\ufeffvalue,note\r\n1,"é\r\nè"\r\n2,\r\n'.encode()
    source, target = tmp_path / "a.csv", tmp_path / "b.csv"
    source.write_bytes(content)
    _run("--input", source, "--output", target)
    expected = target.read_bytes()
    stdout = io.BytesIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="ascii"))
        patch.setattr(sys, "stdout", io.TextIOWrapper(stdout, encoding="ascii"))
        assert tables.score_file(Path("-"), Path("-")) == (2, 0)
        sys.stdout.flush()
        assert stdout.getvalue() == expected
        _series(50).to_parquet(tmp_path / "a.parquet")
        content = (tmp_path / "a.parquet").read_bytes()
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        with pytest.raises(ValueError, match="standard input: must be CSV, it is Parquet"):
            tables.score_file(Path("-"), Path("-"))


def test_a_folder_in_a_folder_out(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "kind").mkdir(parents=True)
    source.rename(folder / "kind" / "a.csv")
    _series(300).to_parquet(folder / "b.parquet")
    (folder / "windows.json").write_text("{}")
    target = tmp_path / "out"
    _run("--input", folder, "--output", target)
    written = sorted(path.relative_to(target) for path in target.rglob("*") if path.is_file())
    assert written == [Path("b.parquet"), Path("kind/a.csv")]
    assert len(pd.read_csv(target / "kind/a.csv")) == 3000
    assert len(pd.read_parquet(target / "b.parquet")) == 300


def test_a_bad_file_of_a_folder_is_named_and_costs_no_other(source: Path, tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    source.rename(folder / "b.csv")
    (folder / "a.csv").write_text("value\nwarm\n")
    (folder / "c.parquet").write_text("none")
    with pytest.raises(ValueError, match="2 of the files could not be scored") as error:
        _run("--input", folder, "--output", target)
    lines = str(error.value).splitlines()
    assert [line.split(":")[0] for line in lines[1:-1]] == [str(folder / "a.csv")]
    assert lines[-1].startswith(f"{folder / 'c.parquet'}: must be a Parquet file")
    assert [path.name for path in target.iterdir()] == ["b.csv"]
    assert len(pd.read_csv(target / "b.csv")) == 3000
    with pytest.raises(ValueError, match="3 of the files") as error:
        _run("--input", folder, "--output", target, "--rate", 2)
    assert str(error.value).count("rate must be") == 1


def test_a_mark_of_byte_order_and_blank_lines_are_no_rows(tmp_path: Path) -> None:
    source, target = tmp_path / "a.csv", tmp_path / "b.csv"
    source.write_bytes(b"\xef\xbb\xbfvalue,unit\r\n1,C\r\n\r\n2,C\r\n\r\n")
    _run("--input", source, "--output", target)
    assert target.read_text() == "value,unit,anomaly_score,explanation\n1,C,0.0,\n2,C,0.0,\n"


def _one_by_one(name: str, series: pd.DataFrame, times: Iterable[datetime | None]) -> Told:
    """Give the scores and texts of a detector that is asked row by row."""
    rows = zip(series["host"], series["value"], times, strict=True)
    if name == "faults":
        faults = FaultDetector(rate=0.01)
        scores = [faults.update(host, value, time) for host, value, time in rows]
        return [(score.risk, score.explanation) for score in scores]
    monitor = AnomalyMonitor(rate=0.01)
    results = [monitor.check("m", value, host, time=time) for host, value, time in rows]
    return [(result.risk_score, result.explanation) for result in results]


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("name", ["faults", "named"])
def test_other_detectors_give_their_own_scores_and_texts(
    tmp_path: Path, name: str, *, timed: bool
) -> None:
    series = _series()
    series.loc[[700, 2000], "value"] = [np.nan, 30.0]
    series.loc[[1999, 2000], "host"] = "a"
    series.loc[2000, "timestamp"] = series["timestamp"][1999]
    times = [datetime.fromisoformat(f"{text}+00:00") for text in series["timestamp"]]
    expected = _one_by_one(name, series, times if timed else [None] * len(times))
    options = ["--detector", name, "--key", "host", "--rate", "0.01"]
    options += ["--timestamp", "timestamp"] if timed else []
    for suffix in ("csv", "parquet"):
        source, target = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
        if suffix == "csv":
            series.to_csv(source, index=False)
            _run("--input", source, "--output", target, *options)
            written = pd.read_csv(target, keep_default_na=False)
        else:
            series.to_parquet(source, index=False)
            _run("--input", source, "--output", target, *options)
            written = pd.read_parquet(target)
        assert written.columns.tolist() == [*series.columns, "anomaly_score", "explanation"]
        assert list(zip(written["anomaly_score"], written["explanation"], strict=True)) == expected
    assert expected[700] == (0.0, "")
    assert (expected[2000] == (0.0, "")) == timed  # a second row of that time is late
    assert any(score >= 0.5 for score, _ in expected)
    assert all(text for score, text in expected if score >= 0.5)


@pytest.mark.parametrize("name", DETECTORS)
def test_rows_that_follow_change_no_score(source: Path, tmp_path: Path, name: str) -> None:
    _series().head(1700).to_csv(tmp_path / "short.csv", index=False)
    written = []
    for each in (source, tmp_path / "short.csv"):
        target = tmp_path / f"{each.stem}-scores.csv"
        _run("--input", each, "--output", target, "--timestamp", "timestamp", "--detector", name)
        written.append(pd.read_csv(target, keep_default_na=False, nrows=1700))
    pd.testing.assert_frame_equal(written[0], written[1])


@pytest.mark.parametrize("name", DETECTORS)
def test_keys_may_be_numbers_or_missing(tmp_path: Path, name: str) -> None:
    source, target = tmp_path / "a.parquet", tmp_path / "b.parquet"
    series = _series().drop(columns="note")
    alone = [series["value"][series["host"] == host].tolist() for host in "ab"]
    series["host"] = series["host"].map({"a": 7, "b": None}).astype("Int64")
    series.to_parquet(source, index=False)
    _run("--input", source, "--output", target, "--key", "host", "--detector", name)
    written = pd.read_parquet(target)
    for values, rows in zip(alone, (series["host"].notna(), series["host"].isna()), strict=True):
        score_rows = DETECTORS[cast("DetectorName", name)](1 / 600)
        scores, texts = score_rows(values, ["x"] * len(values), None)
        assert written["anomaly_score"][rows].tolist() == scores
        assert written["explanation"][rows].tolist() == texts


def test_a_detector_that_is_not_there_is_refused(source: Path) -> None:
    with pytest.raises(ValueError, match=r"one of stream, faults, named, got 'nab'"):
        BlockScorer(
            source,
            value="value",
            timestamp=None,
            key=None,
            rate=0.01,
            detector=cast("DetectorName", "nab"),
        )


HEADER = "timestamp,host,value\n"
FIRST = "2026-01-01 00:00:00,a,1\n"


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a\.csv: must have a header, it is empty"),
        (HEADER, r"a\.csv: must have a row below its header"),
        ("time,x\n1,2\n", r"a\.csv: must have one column 'value', its columns are time, x"),
        ("value,value\n1,2\n", "must have one column 'value'"),
        ("value,timestamp,host,explanation\n", "must not have a column 'explanation'"),
        (HEADER + FIRST + "2026-01-01,a,warm\n", r"row 2, column 'value': .* got 'warm'"),
        (HEADER + "2026-01-01,a,1_000\n", "row 1, column 'value'"),
        (HEADER + "2026-01-01,a,-inf\n", "must be a finite number or empty, got '-inf'"),
        (HEADER + "2026-01-01,a,1e400\n", "must be a finite number or empty, got '1e400'"),
        (HEADER + FIRST + "2026-01-01,a\n", "row 2: must have 3 cells, got 2"),
        (HEADER + FIRST + "soon,a,1\n", "row 2, column 'timestamp': must be a time .* got 'soon'"),
        (HEADER + FIRST + "2025-12-31,a,1\n", "must not run backwards, got '2025-12-31'"),
        (HEADER + "2026-01-01,a," + "9" * 200_000 + "\n", "line 2: field larger"),
        (HEADER + "2026-01-01,\udce9,1\n", "must be UTF-8"),
    ],
)
def test_bad_input_is_named_and_leaves_nothing_behind(
    tmp_path: Path, text: str, message: str, name: str
) -> None:
    source, target = tmp_path / "a.csv", tmp_path / "out" / "b.csv"
    options = ["--timestamp", "timestamp", "--key", "host", "--detector", name]
    source.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(ValueError, match=message):
        _run("--input", source, "--output", target, *options)
    assert not target.exists()
    assert not target.parent.exists() or list(target.parent.iterdir()) == []


def test_times_may_run_apart_by_key_and_in_many_zones(tmp_path: Path) -> None:
    source, target = tmp_path / "a.csv", tmp_path / "b.csv"
    rows = ["2026-01-02 00:00:00,a,1", "2026-01-01T00:00:00Z,b,1", "2026-01-01T02:00:00+01:00,b,1"]
    source.write_text(HEADER + "\n".join(rows) + "\n")
    _run("--input", source, "--output", target, "--timestamp", "timestamp", "--key", "host")
    with pytest.raises(ValueError, match=r"row 2.*must not run backwards"):
        _run("--input", source, "--output", target, "--timestamp", "timestamp")


def test_a_key_of_lists_is_refused(tmp_path: Path) -> None:
    source, target = tmp_path / "a.parquet", tmp_path / "b.parquet"
    pd.DataFrame({"host": [["a"], ["b"]], "value": [1.0, 2.0]}).to_parquet(source)
    with pytest.raises(ValueError, match=r"column 'host' must hold single values, it is list<"):
        _run("--input", source, "--output", target, "--key", "host")
    assert not target.exists()


def test_bad_parquet_is_named(tmp_path: Path) -> None:
    source, target = tmp_path / "a.parquet", tmp_path / "b.parquet"
    for values, message in (
        (["warm"], r"a\.parquet: column 'value' must hold numbers, it is .*string"),
        ([1.0, float("inf")], "row 2, column 'value': must be a finite number or empty, got 'inf'"),
        ([], "must have a row"),
    ):
        pd.DataFrame({"value": values}).to_parquet(source)
        with pytest.raises(ValueError, match=message):
            _run("--input", source, "--output", target)
    source.write_text("value\n1\n")
    with pytest.raises(ValueError, match=r"a\.parquet: must be a Parquet file"):
        _run("--input", source, "--output", target)
    assert not target.exists()


def test_paths_that_do_not_fit_are_refused(source: Path, tmp_path: Path) -> None:
    for target, message in (
        (tmp_path / "a.parquet", r"must be of the format of the input, \.csv"),
        (tmp_path / "a.txt", r"a\.txt: must end in \.csv or \.parquet"),
    ):
        with pytest.raises(ValueError, match=message):
            _run("--input", source, "--output", target)
    for target in (tmp_path, tmp_path / "out", tmp_path.parent):
        with pytest.raises(ValueError, match="must lie apart from the input"):
            _run("--input", tmp_path, "--output", target)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match=r"must hold a \.csv or \.parquet file"):
        _run("--input", empty, "--output", tmp_path / "out")
    for name in DETECTORS:
        with pytest.raises(ValueError, match="rate must be above 0"):
            _run(
                *("--input", source, "--output", tmp_path / "b.csv"),
                *("--rate", 2, "--detector", name),
            )


def test_bad_input_ends_with_exit_code_2_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["nextcall", "detect", "--input", "-", "--output", "-"])
    monkeypatch.setattr(sys, "stdin", io.StringIO("value\nwarm\n"))
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert "error: standard input: row 1, column 'value':" in capsys.readouterr().err


def test_a_file_tells_its_progress_how_many_blocks_it_has(tmp_path: Path) -> None:
    frame = _series().drop(columns="note")
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    told: list[int | None] = []

    def count(iterable: Iterable[T], *, description: str, total: int | None = None) -> Iterator[T]:
        items = list(iterable)
        told.extend((total, len(items)))
        assert "a." in description
        yield from items

    for suffix in (".csv", ".parquet"):
        source = tmp_path / f"a{suffix}"
        tables.score_file(source, tmp_path / f"b{suffix}", progress=count)
    assert told == [5, 5, 5, 5]
