"""Rates and mixes of one entity: the rate of false alarms as a law, planted faults, the bounds."""

import copy

import numpy as np
import pytest
from numpy.typing import NDArray

from nextcall.anomaly.entity_record import LATE, NAMES, OTHER, SKIPPED, EntityRecord
from nextcall.anomaly.pattern_score import PatternScore

WEEK = 168
RATE = 1 / 100


def week_of(volume: float) -> NDArray[np.float64]:
    hour = np.arange(WEEK)
    profile = 1 + 0.6 * np.sin(2 * np.pi * (hour % 24 - 8) / 24)
    profile *= np.where(hour // 24 >= 5, 0.6, 1.0)
    scaled: NDArray[np.float64] = volume * profile / profile.mean()
    return scaled


def draw(
    volume: float, weeks: int, seed: int, *, restless: float = 0.0, loose: bool = False
) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    mean = np.tile(week_of(volume), weeks)
    if restless:
        mean = rng.gamma(1 / restless, mean * restless)
    shares = rng.dirichlet(np.full(5, 2.0))
    spread = (
        rng.dirichlet(30 * shares, size=len(mean)) if loose else np.tile(shares, (len(mean), 1))
    )
    events = rng.poisson(mean)
    return np.array(
        [rng.multinomial(n, each) for n, each in zip(events, spread, strict=True)], dtype=np.float64
    )


def started() -> EntityRecord:
    record = EntityRecord()
    record.begin(0)
    record.behaviors = {f"b{place}": place for place in range(5)}
    return record


def feed(
    record: EntityRecord, counts: NDArray[np.float64], rate: float = RATE
) -> list[PatternScore]:
    scores = []
    for row in counts:
        record.counts[0, : len(row)] = row
        scores += record.advance("e", record.current + 1, seconds=3600.0, rate=rate)
    return scores


@pytest.mark.parametrize(
    ("volume", "restless", "loose"),
    [(5.0, 0.0, False), (20.0, 0.0, False), (20.0, 0.2, False), (20.0, 0.0, True)],
)
def test_false_alarms_come_at_the_rate(volume: float, restless: float, loose: bool) -> None:  # noqa: FBT001  # a parameter of the test
    scores = feed(started(), draw(volume, 40, 1, restless=restless, loose=loose))[4 * WEEK :]
    assert RATE / 2 < np.mean([each.alarm for each in scores]) < 2 * RATE
    assert all(bool(each.anomalies) == each.alarm for each in scores)


def test_where_little_is_noise_the_limit_keeps_alarms_rarer() -> None:
    scores = feed(started(), draw(100.0, 20, 2))[4 * WEEK :]
    assert np.mean([each.alarm for each in scores]) < RATE


@pytest.fixture(scope="module")
def learned() -> EntityRecord:
    record = started()
    feed(record, draw(20.0, 8, 3))
    return record


@pytest.mark.parametrize(
    ("kind", "side"), [("rate", "busier"), ("rate", "quieter"), ("mix", "another mix")]
)
def test_a_planted_day_is_found_and_named(learned: EntityRecord, kind: str, side: str) -> None:
    record = copy.deepcopy(learned)
    usual = draw(20.0, 9, 3)[8 * WEEK : 8 * WEEK + 24]
    rng = np.random.default_rng(0)
    half = rng.binomial(usual.astype(np.int64), 0.5)
    odd = usual + half if side == "busier" else usual - half
    rare = int(usual.sum(axis=0).argmin())
    if kind == "mix":
        odd[:, rare] += half.sum(axis=1)
    alarms = [each for each in feed(record, odd) if each.alarm]
    found = [every for each in alarms for every in each.anomalies if every.kind == kind]
    assert found
    assert all(each.magnitude > 1 for each in found)
    assert any(side in each.explanation for each in alarms)
    if kind == "mix":
        assert any(each.behavior == f"b{rare}" for each in found)
        assert all(each.share != each.usual_share for each in found)
    else:
        assert all(
            each.actual > each.high if side == "busier" else each.actual < each.low
            for each in found
        )


def test_limits_are_the_last_counts_without_an_anomaly(learned: EntityRecord) -> None:
    def found(count: int) -> PatternScore:
        record = copy.deepcopy(learned)
        row = np.zeros(5)
        row[0] = count
        return feed(record, row[None])[0]

    (high,) = {each.high for each in found(300).anomalies if (each.kind, each.spans) == ("rate", 1)}
    for count, odd in ((int(high), False), (int(high) + 1, True)):
        kinds = {(each.kind, each.spans) for each in found(count).anomalies}
        assert (("rate", 1) in kinds) == odd


def test_the_expected_count_is_the_mean_of_the_hours_before() -> None:
    counts = draw(20.0, 4, 5)
    scores = feed(started(), counts, rate=1e-9)
    totals = counts.sum(axis=1)
    assert [each.events for each in scores] == totals[1:].tolist()  # the first is partial
    means = totals.reshape(-1, WEEK)[:3].mean(axis=0)
    expected = [each.expected for each in scores[3 * WEEK :]]
    same = np.isclose(expected, means[1:], rtol=1e-5)
    assert same.mean() > 0.97  # the others were beyond three standard deviations once
    assert not any(each.enough_data for each in scores[: WEEK - 1])
    assert all(np.isnan(each.expected) for each in scores[: WEEK - 1])


@pytest.mark.parametrize(("seconds", "spans"), [(3600.0, 336), (86_400.0, 14), (600.0, 336)])
def test_mixes_are_judged_after_two_weeks_or_as_many_spans(seconds: float, spans: int) -> None:
    record = started()
    usual, moved = np.full(5, 20.0), np.array([0.0, 0.0, 0.0, 0.0, 100.0])
    found = []
    for place in range(spans + 2):  # the first is partial
        record.counts[0, :5] = usual
        other = copy.deepcopy(record)
        other.counts[0, :5] = moved
        told = other.advance("e", other.current + 1, seconds=seconds, rate=RATE)
        found.append(any(each.kind == "mix" for score in told for each in score.anomalies))
        record.advance("e", place + 1, seconds=seconds, rate=RATE)
    assert found == [False] * (spans + 1) + [True]


@pytest.mark.parametrize("volume", [5.0, 20.0])
def test_events_in_groups_alarm_at_the_rate_from_the_third_week_on(volume: float) -> None:
    """Groups of 6 events on average: the variance grows with the mean, not with its square."""
    alarms = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        groups = rng.poisson(np.tile(week_of(volume / 6), 12))
        events = [rng.geometric(1 / 6, each).sum() for each in groups]
        scores = feed(started(), np.array(events, dtype=np.float64)[:, None])[2 * WEEK :]
        alarms.append(np.mean([each.alarm for each in scores]))
    assert RATE / 2 < np.mean(alarms) < 2 * RATE


def test_an_anomaly_teaches_little(learned: EntityRecord) -> None:
    after = {}
    for factor in (1, 1000):
        record = copy.deepcopy(learned)
        before = record.levels.copy()
        feed(record, np.full((24, 5), 4.0 * factor))
        after[factor] = np.abs(record.levels - before).max()
    assert after[1000] < 1.0
    assert record.learned.sum() < learned.learned.sum() + 24 * 100


def test_silence_is_seen_and_a_long_one_is_skipped(learned: EntityRecord) -> None:
    record = copy.deepcopy(learned)
    scores = record.advance("e", record.current + 5, seconds=3600.0, rate=RATE)
    assert len(scores) == 5
    assert any(each.alarm and "quieter" in each.explanation for each in scores)
    assert all(each.anomalies[0].low > 0 for each in scores if each.alarm)
    record = copy.deepcopy(learned)
    scores = record.advance("e", record.current + 10_000_000, seconds=3600.0, rate=RATE)
    assert len(scores) == WEEK + 1
    assert record.numbers[SKIPPED] == 10_000_000 - WEEK - 1
    assert not record.counts.any()


def test_an_hour_that_is_always_silent_expects_less_than_one() -> None:
    record = started()
    scores = feed(record, np.zeros((WEEK * 4, 5)))
    assert 0 < scores[-1].expected < 0.5
    assert not record.levels.any()
    assert not any(each.alarm for each in scores)
    assert feed(record, np.full((1, 5), 20.0))[0].anomalies[0].low == 0.0


def test_behaviors_beyond_those_by_name_count_as_one() -> None:
    record = EntityRecord()
    record.begin(0)
    for place in range(NAMES + 10):
        record.count(f"b{place}")
    assert len(record.behaviors) == NAMES
    assert record.counts[0, NAMES] == 10
    assert record.nbytes == 2224


def test_what_has_no_name_may_be_what_moved() -> None:
    record = EntityRecord()
    record.begin(0)
    usual = np.zeros((WEEK * 3, NAMES + 1))
    usual[:, :2] = 10.0
    for place in range(NAMES):
        record.behaviors[f"b{place}"] = place
    feed(record, usual)
    moved = np.zeros((1, NAMES + 1))
    moved[0, NAMES] = 20.0
    (score,) = feed(record, moved)
    assert score.anomalies[0].behavior == OTHER
    assert record.numbers[LATE] == 0
