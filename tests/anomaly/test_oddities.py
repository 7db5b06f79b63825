"""Tables of what is odd, on series whose faults were planted, and files that break rules."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nextcall.anomaly.detector import ALARM, StreamDetector
from nextcall.anomaly.oddities import (
    RARE,
    VERDICTS,
    alarm_table,
    lowered_table,
    read_series,
    score_oddities,
    summary_table,
)
from nextcall.anomaly.tables import score_file
from nextcall.synth.anomalies import plant_anomalies
from nextcall.synth.series import SeriesSettings, metric_series


@pytest.fixture(scope="module")
def series() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    drawn = metric_series(2000, rng=rng, settings=SeriesSettings(level=300, season=0, entities=2))
    planted, _ = plant_anomalies(drawn, rng=rng, kinds=["level_shift/up"], sizes=(10.0,))
    flat = pd.DataFrame(
        {"entity": "flat", "time": planted["time"].iloc[:500], "value": np.full(500, 3.0)}
    )
    short = flat.head(50).assign(entity="short", value=lambda frame: frame["value"] + np.nan)
    together = pd.concat([planted, flat, short], ignore_index=True)
    return together.rename(columns={"entity": "key"})[["key", "time", "value"]]


def test_a_table_is_read_as_the_command_reads_it(tmp_path: Path, series: pd.DataFrame) -> None:
    path = tmp_path / "series.csv"
    series.to_csv(path, index=False)
    found = read_series(path, timestamp="time", key="key")
    assert found["key"].tolist() == series["key"].tolist()
    np.testing.assert_array_equal(found["value"], series["value"])
    assert (found["time"].dt.tz_localize("UTC") if found["time"].dt.tz is None else found["time"]
            ).tolist() == series["time"].tolist()  # fmt: skip
    score_file(path, tmp_path / "scores.csv", timestamp="time", key="key")
    told = pd.read_csv(tmp_path / "scores.csv", keep_default_na=False)
    scored = score_oddities(found)
    np.testing.assert_array_equal(scored["risk"], told["anomaly_score"])
    assert scored["explanation"].tolist() == told["explanation"].tolist()


def test_parquet_without_times_and_keys_is_numbered(tmp_path: Path) -> None:
    path = tmp_path / "series.parquet"
    pd.DataFrame({"load": [1.0, None, 3.0]}).to_parquet(path)
    found = read_series(path, value="load")
    assert found["time"].tolist() == [0, 1, 2]
    assert found["key"].tolist() == ["", "", ""]
    np.testing.assert_array_equal(found["value"], [1.0, np.nan, 3.0])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "time,load\n", "must have one column 'value'"),
        ("a.csv", "value\n", "must have a row"),
        ("a.csv", "", "must be a table, but No columns"),
        ("a.csv", "value\n1\nwarm\n", "row 2, column 'value': must be a finite number"),
        ("a.csv", "value\n1\n2,3,4\n", "must be a table, but"),
        ("a.parquet", "value\n1\n", "must be a table, but"),
        ("a.txt", "value\n1\n", r"must end in \.csv or \.parquet"),
    ],
)
def test_a_file_that_breaks_a_rule_is_named(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=rf"{name.replace('.', '[.]')}: .*{message}"):
        read_series(tmp_path / name)


def test_times_that_run_backwards_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("time,value\n2026-01-02,1\n2026-01-01,2\n")
    with pytest.raises(ValueError, match="row 2, column 'time': must not run backwards"):
        read_series(path, timestamp="time")


def test_alarms_are_those_of_the_detector_the_rarest_first(series: pd.DataFrame) -> None:
    scored = score_oddities(series, rate=1 / 300)
    detector = StreamDetector(rate=1 / 300)
    told = [
        detector.update(key, value)
        for key, value in zip(series["key"], series["value"], strict=True)
    ]
    assert scored["explanation"].tolist() == [score.explanation for score in told]
    alarms = alarm_table(scored)
    assert len(alarms) == sum(score.risk >= ALARM for score in told)
    assert alarms["once_in"].is_monotonic_decreasing


def test_what_lowered_a_row_is_said(series: pd.DataFrame) -> None:
    scored = score_oddities(series)
    lowered = lowered_table(scored)
    assert len(lowered) == int((scored["explanation"] != "").sum()) - len(alarm_table(scored))
    texts = {"rest": "resting after an alarm", "first rows": "not enough data"}
    assert set(lowered["lowered"]) == set(texts)
    for row in lowered.to_dict("records"):
        assert row["explanation"].endswith(texts[row["lowered"]])


def test_every_series_has_a_verdict(series: pd.DataFrame) -> None:
    scored = score_oddities(series)
    summary = summary_table(scored).set_index("key")
    odd, unclear, calm, short = VERDICTS
    assert summary.loc["flat", "verdict"] == calm
    assert summary.loc["short", "verdict"] == short
    assert summary.loc["short", "missing"] == 50
    assert (summary["rows"] - summary["missing"] >= summary["judged"]).all()
    assert summary["alarms"].sum() == len(alarm_table(scored))
    assert summary["by_rate"].tolist() == pytest.approx((summary["judged"] / 600).tolist())
    for row in summary.loc[["e0", "e1"]].to_dict("records"):
        assert row["verdict"] == (odd if row["rarest"] >= RARE * row["judged"] else unclear)


def test_noise_is_seldom_odd_and_a_spike_is() -> None:
    rng = np.random.default_rng(1)
    keys = np.repeat([f"noise-{number}" for number in range(60)], 2000)
    noise = pd.DataFrame(
        {"key": keys, "time": np.tile(np.arange(2000), 60), "value": rng.normal(size=len(keys))}
    )
    summary = summary_table(score_oddities(noise))
    assert (summary["verdict"] == VERDICTS[0]).mean() < 0.1  # 1.5 % of 133 were measured
    planted = noise.copy()
    planted.loc[1800::2000, "value"] = 40.0
    summary = summary_table(score_oddities(planted))
    assert (summary["verdict"] == VERDICTS[0]).mean() > 0.9
