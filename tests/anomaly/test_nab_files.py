"""What files add is what the whole corpus scores; where points are lost is all that is lost."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.anomaly.nab import PROFILES, LabelledSeries, label_series, score_corpus
from nextcall.anomaly.nab_files import category, file_points, score_interval, score_of

TIMES = [f"2014-04-01 {row // 60:02}:{row % 60:02}:00" for row in range(240)]


def labelled(*spans: tuple[int, int]) -> LabelledSeries:
    return label_series(
        TIMES, np.zeros(len(TIMES)), [(TIMES[first], TIMES[last]) for first, last in spans]
    )


CORPUS = {
    "a/one.csv": labelled((100, 120), (180, 190)),
    "a/none.csv": labelled(),
    "b/two.csv": labelled((2, 8), (60, 90)),  # the first window lies in the first rows
    "b/part.csv": labelled((30, 50)),  # begins in the first rows, which are not scored
}


def drawn(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.integers(0, 40, len(TIMES)) / 40 for name in CORPUS}


@given(seed=st.integers(0, 10_000), threshold=st.sampled_from([0.5, 0.9, 0.975, 2.0]))
def test_files_add_up_to_the_score_of_the_corpus(seed: int, threshold: float) -> None:
    scores = drawn(seed)
    whole = score_corpus(CORPUS, scores, thresholds=dict.fromkeys(PROFILES, threshold))
    for profile, expected in whole.items():
        files = file_points(CORPUS, scores, threshold=threshold, profile=profile)
        assert score_of(files) == pytest.approx(expected.score, abs=1e-9)
        assert files["hit"].sum() == expected.windows_hit
        assert files["false_alarms"].sum() == expected.false_alarms
        lost = files[["missed", "late", "false"]].sum(axis=1)
        np.testing.assert_allclose(files["most"] - files["points"], lost, atol=1e-9)
        assert (files[["missed", "late", "false"]] >= -1e-12).all(axis=None)


def test_silence_is_0_and_the_first_row_of_every_window_100() -> None:
    corpus = {"a/one.csv": CORPUS["a/one.csv"]}
    scores = {"a/one.csv": np.zeros(len(TIMES))}
    silence = file_points(corpus, scores, threshold=0.5)
    assert score_of(silence) == 0.0
    assert silence["missed"].tolist() == [4.0]
    scores["a/one.csv"][[100, 180]] = 1.0
    perfect = file_points(corpus, scores, threshold=0.5)
    assert score_of(perfect) == pytest.approx(100.0)
    assert perfect["hit"].tolist() == [2]


def test_files_without_a_window_have_no_score() -> None:
    files = file_points(CORPUS, drawn(0), threshold=0.9)
    with pytest.raises(ValueError, match="files must have a window"):
        score_of(files[files["file"] == "a/none.csv"])
    assert files["category"].tolist() == ["a", "a", "b", "b"]
    assert category("real/x/y.csv") == "real"


def test_the_interval_is_that_of_drawing_files_by_hand() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(0.5, 0.4, 30)
    files = pd.DataFrame({"points": points, "most": 1.0, "least": -1.0, "windows": 1})
    low, high = score_interval(files, rng=np.random.default_rng(1), resamples=20_000)
    # of a mean, the interval of the normal law is near
    spread = 1.96 * points.std() / np.sqrt(30)
    expected = 50 * (points.mean() + np.array([-spread, spread]) + 1)
    np.testing.assert_allclose([low, high], expected, atol=1.0)
    assert low < score_of(files) < high


def test_draws_without_a_window_do_not_count() -> None:
    files = file_points(CORPUS, drawn(3), threshold=0.9).iloc[:2]
    low, high = score_interval(files, rng=np.random.default_rng(0), resamples=500)
    assert np.isfinite([low, high]).all()
