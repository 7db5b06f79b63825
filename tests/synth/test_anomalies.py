import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcall.synth.anomalies import KINDS, plant_anomalies
from nextcall.synth.series import SeriesSettings, metric_series

FLAT = SeriesSettings(season=0.0, entities=3, level=3000.0)


def _series(minutes: int = 3000, settings: SeriesSettings = FLAT) -> pd.DataFrame:
    return metric_series(minutes, rng=np.random.default_rng(0), settings=settings)


def _change(before: pd.DataFrame, after: pd.DataFrame, fault: pd.Series) -> np.ndarray:
    """Give the change of the fault's entity over its span, in its own unit."""
    here = (before["entity"] == fault["entity"]).to_numpy()
    part = slice(int(fault["first"]), int(fault["last"]) + 1)
    old, new = (frame["value"][here].to_numpy()[part] for frame in (before, after))
    unit = before["sigma"][here].to_numpy()[part].mean() if fault["unit"] == "sigma" else old
    return np.asarray((new - old) / unit)


def test_there_are_twenty_kinds_in_five_families() -> None:
    assert len(set(KINDS)) == 20
    assert len({kind.partition("/")[0] for kind in KINDS}) == 5


@settings(max_examples=15)
@given(st.lists(st.sampled_from(KINDS), min_size=1, max_size=8, unique=True), st.integers(0, 99))
def test_faults_lie_apart_where_the_truth_says(kinds: list[str], seed: int) -> None:
    before = _series(1000)
    sizes = (4.0, 8.0)
    after, truth = plant_anomalies(
        before, rng=np.random.default_rng(seed), kinds=kinds, sizes=sizes[: 1 + seed % 2]
    )
    assert set(truth["kind"]) == set(kinds)
    assert (truth["first"].to_numpy()[1:] > truth["last"].to_numpy()[:-1]).all()
    changed = after["value"] != before["value"]
    assert (after["fault"][changed] >= 0).all()
    others = [column for column in before if column != "value"]
    pd.testing.assert_frame_equal(after[others], before[others])
    assert (after["value"] == after["value"].round()).all()
    place = before.groupby("entity").cumcount()
    for _, fault in truth.iterrows():
        at = place[after["fault"] == fault["fault"]]
        assert at.min() >= fault["first"]
        assert at.max() <= fault["last"]
        difference = (after["value"] - before["value"])[after["fault"] == fault["fault"]]
        assert fault["change"] == difference.abs().max()
        times = before["time"]
        assert fault["start"] == times.iloc[fault["first"]]
        assert fault["stop"] == times.iloc[fault["last"]]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_the_size_that_was_asked_for(kind: str) -> None:
    before = _series(200)
    after, truth = plant_anomalies(
        before, rng=np.random.default_rng(1), kinds=[kind], sizes=[10.0], deviation=0.4
    )
    fault = truth.iloc[0]
    change = _change(before, after, fault)
    family, _, shape = kind.partition("/")
    negative = family == "dip" or shape in {"down", "fall", "quieter", "mix"}
    size = 0.4 if family == "behaviour" else 10.0
    # Counts are rounded: half a call, beside the 500 calls and 23 sigma of the smallest entity.
    assert np.abs(change).max() == pytest.approx(size, rel=0.01)
    assert (change.sum() < 0) == negative or shape == "irregular"
    assert len(change) == fault["last"] - fault["first"] + 1


def test_shapes_look_as_they_are_called() -> None:
    shapes = {}
    for kind in KINDS:
        before = _series(200)
        after, truth = plant_anomalies(
            before, rng=np.random.default_rng(1), kinds=[kind], sizes=[10.0]
        )
        shapes[kind] = np.abs(_change(before, after, truth.iloc[0]))
    assert len(shapes["spike/point"]) == 1
    assert np.flatnonzero(shapes["dip/pair"]).tolist() == [0, 6]
    assert (shapes["spike/burst"] > 9.9).all()
    assert (np.diff(shapes["spike/decay"]) <= 0).all()
    for kind in ("trend/rise", "trend/fall", "trend/accelerating", "trend/saturating"):
        assert (np.diff(shapes[kind]) >= 0).all()
        assert shapes[kind][0] < 2
    middle = len(shapes["trend/rise"]) // 2
    assert shapes["trend/accelerating"][middle] < 4
    assert shapes["trend/saturating"][middle] > 6
    assert set(shapes["level_shift/staircase"].round(0)) == {5.0, 10.0}
    assert set(shapes["level_shift/toggle"].round(0)) == {0.0, 10.0}


def test_a_mix_moves_calls_to_another_entity() -> None:
    before = _series(100)
    after, truth = plant_anomalies(
        before, rng=np.random.default_rng(0), kinds=["behaviour/mix"], deviation=0.5
    )
    totals = [frame.groupby("time")["value"].sum() for frame in (before, after)]
    assert (totals[0] - totals[1]).abs().max() <= 1  # two roundings
    touched = after[after["fault"] == 0]["entity"].unique()
    assert len(touched) == 2
    assert truth.loc[0, "entity"] in touched


def test_an_irregular_entity_keeps_its_mean() -> None:
    before = _series(100)
    after, truth = plant_anomalies(
        before, rng=np.random.default_rng(0), kinds=["behaviour/irregular"], deviation=0.5
    )
    change = _change(before, after, truth.iloc[0])
    assert np.abs(change) == pytest.approx(0.5, rel=0.01)
    assert abs(change.mean()) < 0.5 / 5


def test_values_stay_above_zero_and_unrounded_where_they_were() -> None:
    knobs = SeriesSettings(kind="latency", level=1.0)
    before = _series(100, knobs)
    after, truth = plant_anomalies(
        before, rng=np.random.default_rng(0), kinds=["dip/burst"], sizes=[50.0]
    )
    assert after["value"].min() == 0
    assert (after["value"] != after["value"].round()).any()
    assert truth.loc[0, "change"] < 50 * before["sigma"].max()


def test_without_a_truth_sigma_is_estimated() -> None:
    rng = np.random.default_rng(0)
    times = pd.date_range("2026-01-05", periods=5000, freq="min", tz="UTC")
    normal = pd.DataFrame({"entity": "a", "time": times, "value": rng.normal(100, 3, 5000)})
    after, _ = plant_anomalies(normal, rng=rng, kinds=["spike/point"], sizes=[10.0])
    change = (after["value"] - normal["value"]).max()
    # The median deviation has a relative standard error of about 1.17 / sqrt(n).
    assert change == pytest.approx(30.0, rel=4 * 1.17 / np.sqrt(5000))
    still = normal.assign(value=0.0)
    after, _ = plant_anomalies(still, rng=rng, kinds=["spike/point"], sizes=[10.0])
    assert after["value"].max() == 10.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kinds": ["spike/square"]}, "kinds must be of spike/point, .* got 'spike/square'"),
        ({"sizes": [1.0, 0.0]}, "sizes must be above 0"),
        ({"deviation": 0.3}, "deviation must be above 0.3 and below 1, got 0.3"),
        ({"kinds": ["behaviour/mix"]}, "must not hold 'behaviour/mix'"),
        ({"kinds": []}, "kinds and sizes must hold at least one each"),
        ({"kinds": ["dip/pair"] * 2}, "at least 60 times for each of 2 faults, got 100"),
    ],
)
def test_arguments_out_of_range_are_refused(options: dict[str, list[str]], message: str) -> None:
    series = _series(100, SeriesSettings())
    with pytest.raises(ValueError, match=message):
        plant_anomalies(series, rng=np.random.default_rng(0), **options)  # type: ignore[arg-type]  # as above
