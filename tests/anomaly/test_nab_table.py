"""Tables of detectors, against the scoring that they rest on."""

import numpy as np
import pytest

from nextcall.anomaly.nab import LabelledSeries, label_series, read_corpus, score_corpus
from nextcall.anomaly.nab_files import by_category, category, file_points, score_of
from nextcall.anomaly.nab_table import (
    ALL,
    category_table,
    leave_one_category_out,
    overall_table,
    rested_table,
    score_series,
    stream_scores_at,
    with_rests,
)
from nextcall.anomaly.scorers import Floats, Scorer, Times, own_scorers
from nextcall.locations import shared_dir

ROWS = 1500
TIMES = np.array([np.datetime64("2026-01-05T00:00:00", "s") + 60 * row for row in range(ROWS)])
SPIKES = {"calm/a.csv": 700, "calm/b.csv": 900, "loud/a.csv": 800, "loud/b.csv": 1100}


def _labelled(name: str, at: int) -> LabelledSeries:
    rng = np.random.default_rng(at)
    values = rng.normal(0, 1, ROWS) if category(name) == "calm" else rng.standard_t(3, ROWS)
    values[at] += 25
    listed = [str(time).replace("T", " ") for time in TIMES]
    return label_series(listed, values, [(listed[at - 10], listed[at + 30])])


@pytest.fixture(scope="module")
def corpus() -> dict[str, LabelledSeries]:
    return {name: _labelled(name, at) for name, at in SPIKES.items()}


def _size(values: Floats, _: Times) -> Floats:
    return np.asarray(np.abs(values), dtype=np.float64)


SIZE = Scorer(name="size", origin="numpy", decides=False, score=_size)


def test_rows_hold_the_scores_of_the_corpus(corpus: dict[str, LabelledSeries]) -> None:
    scorers = [own_scorers()[0], SIZE]
    scores = score_series(corpus, scorers)
    table = overall_table(corpus, scores, scorers, rng=np.random.default_rng(0))
    assert len(table) == 9  # a detector that does not decide has no score of its own
    for row in table.to_dict("records"):
        at = dict.fromkeys(("standard", "reward_low_FP_rate", "reward_low_FN_rate"), row["at"])
        same = score_corpus(corpus, scores[row["detector"]], thresholds=at)[row["profile"]]
        assert row["score"] == pytest.approx(same.score)
        assert (row["hit"], row["false_alarms"]) == (same.windows_hit, same.false_alarms)
        assert row["low"] <= row["score"] <= row["high"]
        assert row["weakest_score"] <= row["score"]
    own = table[table["threshold"] == "own"]
    assert set(own["detector"]) == {"stream detector"}
    assert set(own["at"]) == {0.5}


def test_categories_are_scored_at_one_threshold(corpus: dict[str, LabelledSeries]) -> None:
    scores = score_series(corpus, [SIZE])
    table = category_table(corpus, scores)
    assert set(table["category"]) == {ALL, "calm", "loud"}
    at = {name: best.threshold for name, best in score_corpus(corpus, scores["size"]).items()}
    for profile, part in table.groupby("profile"):
        of = part.set_index("category")["score"]
        for name in ("calm", "loud"):
            own = {file: series for file, series in corpus.items() if category(file) == name}
            expected = score_corpus(own, scores["size"], thresholds=at)[str(profile)].score
            assert of[name] == pytest.approx(expected)


def test_a_category_without_a_window_is_left_out(corpus: dict[str, LabelledSeries]) -> None:
    listed = [str(time).replace("T", " ") for time in TIMES]
    more = corpus | {"none/a.csv": label_series(listed, np.zeros(ROWS), [])}
    scores = {name: np.abs(series.values) for name, series in more.items()}
    assert list(by_category(file_points(more, scores, threshold=20))) != []
    assert "none" not in by_category(file_points(more, scores, threshold=20))
    assert set(leave_one_category_out(more, {0.1: scores})["category"]) == {"calm", "loud"}


def test_bad_scores_are_named(corpus: dict[str, LabelledSeries]) -> None:
    def short(values: Floats, _: Times) -> Floats:
        return values[1:]

    def endless(values: Floats, _: Times) -> Floats:
        return np.full(len(values), np.inf)

    for score in (short, endless):
        scorer = Scorer(name="bad", origin="us", decides=False, score=score)
        with pytest.raises(ValueError, match=r"bad must give .* each row of calm/a\.csv"):
            score_series(corpus, [scorer])


def test_what_is_chosen_without_a_category_is_found_by_trying_all(
    corpus: dict[str, LabelledSeries],
) -> None:
    scores = stream_scores_at(corpus, rates=(1 / 100, 1 / 1000))
    table = leave_one_category_out(corpus, scores)
    assert table["category"].tolist() == ["calm", "loud"]
    for row in table.to_dict("records"):
        rest = {name: own for name, own in corpus.items() if category(name) != row["category"]}
        own = {name: series for name, series in corpus.items() if name not in rest}
        tried = {rate: score_corpus(rest, each)["standard"] for rate, each in scores.items()}
        best = max(tried.values(), key=lambda found: found.score)
        assert tried[row["rate"]].score == best.score
        assert row["at"] == tried[row["rate"]].threshold
        at = dict.fromkeys(("standard", "reward_low_FP_rate", "reward_low_FN_rate"), row["at"])
        held = score_corpus(own, scores[row["rate"]], thresholds=at)["standard"].score
        assert row["score"] == pytest.approx(held)
        assert row["chosen_on"] >= max(row["score"], row["chosen_with"]) - 1e-9
        assert row["loss"] == pytest.approx(row["chosen_with"] - held)
    with pytest.raises(ValueError, match="two categories or more, got 1"):
        leave_one_category_out({"calm/a.csv": corpus["calm/a.csv"]}, scores)


def test_rests_leave_the_first_alarm_and_silence_those_behind() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(size=8000)
    quiet = with_rests(scores, 0.9)
    free = 0
    for row, score in enumerate(scores.tolist()):  # by its plain definition
        alarm = score >= 0.9
        assert (quiet[row] >= 0.9) == (alarm and row >= free)
        assert alarm or quiet[row] == score
        if alarm and row >= free:
            free = row + 1 + min(200, row // 20)


def test_rests_help_whoever_alarms_row_after_row(corpus: dict[str, LabelledSeries]) -> None:
    def long(values: Floats, _: Times) -> Floats:
        late = np.lib.stride_tricks.sliding_window_view(np.pad(np.abs(values), (60, 0)), 61)
        return np.asarray(late.max(axis=1), dtype=np.float64)

    scorer = Scorer(name="long", origin="numpy", decides=False, score=long)
    scores = score_series(corpus, [SIZE, scorer])
    table = rested_table(corpus, scores).set_index("detector")
    gain = table["with rests"] - table["as it is"]
    assert gain["long"] > 0
    assert (table["with rests"] >= 0).all()


def test_a_category_left_out_costs_at_most_5_points() -> None:
    folder = shared_dir() / "data/nab_dev"
    if not folder.exists():
        pytest.skip(f"the evaluation data is not at {shared_dir()}")
    corpus = read_corpus(folder)
    table = leave_one_category_out(corpus, stream_scores_at(corpus))
    assert table["loss"].mean() <= 5
    assert score_of(table) >= 70
