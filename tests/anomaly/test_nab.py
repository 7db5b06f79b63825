"""The scoring of NAB, against its reference tool and the detector's own figures."""

import importlib.util
import json
import math
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from nextcall.anomaly.detector import StreamDetector
from nextcall.anomaly.nab import PROFILES, label_series, read_corpus, score_corpus
from nextcall.locations import shared_dir

SCORED_COLUMNS = {"score": "score", "threshold": "threshold", "windows_hit": "windows_hit"}
SCORED_COLUMNS |= {"windows": "windows", "fp_rows": "false_alarms", "rows": "rows"}


@pytest.fixture
def folder() -> Path:
    path = shared_dir() / "data/nab_dev"
    if not path.exists():
        pytest.skip(f"the evaluation data is not at {shared_dir()}")
    return path


@pytest.fixture
def tool() -> ModuleType:
    path = shared_dir() / "tools/nab_score.py"
    spec = importlib.util.spec_from_file_location("nab_score", path)
    if spec is None or spec.loader is None or not path.exists():
        pytest.skip(f"the scoring tool is not at {shared_dir()}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _noise(rng: np.random.Generator, rows: int) -> np.ndarray:
    return rng.normal(size=rows)


def _ties(rng: np.random.Generator, rows: int) -> np.ndarray:
    return rng.integers(0, 3, size=rows) / 2


def _silence(rng: np.random.Generator, rows: int) -> np.ndarray:
    del rng
    return np.zeros(rows)


@pytest.mark.parametrize("draw", [_noise, _ties, _silence])
@pytest.mark.parametrize("fixed", [None, 0.9, math.inf])
def test_points_are_those_of_the_reference_tool(
    folder: Path,
    tool: ModuleType,
    draw: Callable[[np.random.Generator, int], np.ndarray],
    fixed: float | None,
) -> None:
    rng = np.random.default_rng(9)
    corpus = read_corpus(folder)
    scores = {name: draw(rng, len(series.values)) for name, series in corpus.items()}
    thresholds = None if fixed is None else dict.fromkeys(PROFILES, fixed)
    theirs = tool.Corpus(folder).evaluate(scores, thresholds)
    ours = score_corpus(corpus, scores, thresholds=thresholds)
    assert ours.keys() == theirs.keys()
    for profile, expected in theirs.items():
        for name, own in SCORED_COLUMNS.items():
            assert getattr(ours[profile], own) == pytest.approx(expected[name], rel=0, abs=1e-9)


def test_categories_are_chosen(folder: Path) -> None:
    corpus = read_corpus(folder, categories=["realTraffic"])
    assert corpus
    assert all(name.startswith("realTraffic/") for name in corpus)


def test_stream_detector_reaches_75_on_the_development_half(folder: Path) -> None:
    corpus = read_corpus(folder)
    scores = {
        name: StreamDetector().score(series.values)["risk"].to_numpy()
        for name, series in corpus.items()
    }
    best = score_corpus(corpus, scores)
    assert best["standard"].score >= 75
    at_its_own = score_corpus(corpus, scores, thresholds=dict.fromkeys(PROFILES, 0.5))
    assert at_its_own["standard"].score >= 75


TIMES = [f"2014-04-01 00:{minute:02}:00" for minute in range(60)]


def _one_window(score: np.ndarray, **options: dict[str, float]) -> float:
    series = label_series(TIMES, np.zeros(60), [(TIMES[30], TIMES[39])])
    return score_corpus({"a": series}, {"a": score}, **options)["standard"].score


def test_silence_is_0_and_the_first_row_of_every_window_100() -> None:
    at = np.zeros(60)
    assert _one_window(at) == 0.0
    at[30] = 1.0
    assert _one_window(at) == pytest.approx(100.0)
    later = np.roll(at, 5)
    assert 0 < _one_window(later) < 100
    outside = np.roll(at, -5)
    assert _one_window(outside, thresholds=dict.fromkeys(PROFILES, 0.5)) == pytest.approx(-5.5)


def test_probation_is_not_scored() -> None:
    series = label_series(TIMES, np.zeros(60), [(TIMES[2], TIMES[5])])
    assert series.scored.sum() == 51
    result = score_corpus({"a": series}, {"a": np.arange(60.0)})["standard"]
    assert (result.windows, result.windows_hit, result.rows) == (1, 0, 51)


def test_all_rows_in_probation_still_count_their_windows() -> None:
    series = label_series(TIMES, np.zeros(60), [(TIMES[2], TIMES[5])])
    series.scored[:] = False
    assert score_corpus({"a": series}, {"a": np.zeros(60)})["standard"].rows == 0


def test_times_are_kept_to_the_second() -> None:
    times = ["2014-04-01 00:00:00.500000", "2014-04-01 00:05:00"]
    series = label_series(times, [1.0, 2.0], [])
    assert series.times.tolist() == [datetime(2014, 4, 1), datetime(2014, 4, 1, 0, 5)]  # noqa: DTZ001  # as in the files
    with pytest.raises(ValueError, match="noon"):
        label_series(["noon", "2014-04-01 00:05:00"], [1.0, 2.0], [])


@pytest.mark.parametrize(
    "windows",
    [
        [(TIMES[5], "2015-01-01 00:00:00")],
        [(TIMES[5], TIMES[5])],
        [(TIMES[5], TIMES[9]), (TIMES[9], TIMES[12])],
        [(TIMES[5],)],
    ],
)
def test_windows_that_are_none_are_refused(windows: list[tuple[str, ...]]) -> None:
    with pytest.raises(ValueError, match="a window must be two times of the series in order"):
        label_series(TIMES, np.zeros(60), windows)


def test_scores_that_do_not_fit_are_refused() -> None:
    series = label_series(TIMES, np.zeros(60), [(TIMES[30], TIMES[39])])
    with pytest.raises(ValueError, match="every series, a is missing"):
        score_corpus({"a": series}, {})
    with pytest.raises(ValueError, match=r"a: scores must be one a row, 60, got shape \(3,\)"):
        score_corpus({"a": series}, {"a": np.zeros(3)})
    with pytest.raises(ValueError, match="a: scores must be finite"):
        score_corpus({"a": series}, {"a": np.full(60, np.nan)})
    with pytest.raises(ValueError, match="must have a window"):
        score_corpus({"a": label_series(TIMES, np.zeros(60), [])}, {"a": np.zeros(60)})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("timestamp,reading\n2014-04-01 00:00:00,1\n", "must have the column 'value'"),
        ("timestamp,value\n2014-04-01 00:00:00,warm\n", "could not convert"),
        ("timestamp,value\n2014-04-01 00:00:00\n", "must be"),
        ("timestamp,value\n2014-04-01 00:00:00,1\n", "a window must be"),
    ],
)
def test_a_file_that_breaks_a_rule_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "kind").mkdir()
    (tmp_path / "kind" / "a.csv").write_text(text)
    (tmp_path / "windows.json").write_text(json.dumps({"kind/a.csv": [[TIMES[0], TIMES[1]]]}))
    with pytest.raises(ValueError, match=rf"a\.csv: .*{message}"):
        read_corpus(tmp_path)
