"""False alarms, recall, speed and memory of `EntityPatterns`.

    python benchmarks/entity_patterns.py --output entity_patterns.json

Events of entities with a week's profile (busy by day, 60 % at the weekend) and five behaviors, 2 to
100 an hour. *Quiet* entities keep to a law: ``steady`` (Poisson), ``restless`` (each hour's mean
drawn anew, standard deviation 0.55 of it), ``loose`` (each hour's mix drawn anew, as from 30
events), ``sessions`` (events in groups of 6 on average, each with a favourite behavior), ``flat``
(Poisson without a profile). Their alarms are counted per span, over the rate, in weeks 3 and 4
(``start``) and later (``then``).

Faults lie on copies of steady entities, after 8 weeks: half more events, half as many, or half of
them taken by the rarest behavior, for 1, 6 or 24 hours. One is found where a span within it alarms
and names it. ``by_chance`` is the same without a fault. Intervals: bootstrap over entities of the
alarms, Wilson of the recall. Speed is CPU time, events in order of time, entities in turn. Prints
JSON, or writes it to ``--output``.
"""

import copy
import sys
import time
import tracemalloc
from typing import Any, Final

import numpy as np
import pandas as pd
from json_output import give, parser_of
from numpy.typing import NDArray
from scipy.stats import binomtest

from nextcall.anomaly.entity_patterns import EntityPatterns
from nextcall.anomaly.entity_record import EntityRecord
from nextcall.anomaly.pattern_score import PatternScore

Counts = NDArray[np.int64]
"""Events of each span and behavior."""

_WEEK: Final = 168
_BEHAVIORS: Final = tuple(f"behavior-{place}" for place in range(5))
_LAWS: Final = ("steady", "restless", "loose", "sessions", "flat")
_KINDS: Final = {"busier": "rate", "quieter": "rate", "mix": "mix"}
_HOURS: Final = (1, 6, 24)
_WARM: Final = 8 * _WEEK
_SCORED: Final = 2 * _WEEK  # from the third week on
_SETTLED: Final = 4 * _WEEK
_DRAWS: Final = 2_000


def week() -> NDArray[np.float64]:
    """Give the profile of a week, of mean 1."""
    hour = np.arange(_WEEK)
    profile = 1 + 0.6 * np.sin(2 * np.pi * (hour % 24 - 8) / 24)
    profile *= np.where(hour // 24 >= 5, 0.6, 1.0)
    scaled: NDArray[np.float64] = profile / profile.mean()
    return scaled


def draw(law: str, volume: float, weeks: int, rng: np.random.Generator) -> Counts:
    """Draw the events of an entity that keeps to a law."""
    mean = volume * (np.ones(weeks * _WEEK) if law == "flat" else np.tile(week(), weeks))
    shares = rng.dirichlet(np.full(len(_BEHAVIORS), 2.0))
    if law == "restless":
        mean = rng.gamma(1 / 0.3, mean * 0.3)
    if law == "sessions":
        groups = rng.poisson(mean / 6)
        hours = np.repeat(np.arange(len(mean)), groups)
        lengths = rng.geometric(1 / 6, size=len(hours))
        mixes = rng.dirichlet(3 * shares, size=len(hours))
        counts = np.zeros((len(mean), len(_BEHAVIORS)), dtype=np.int64)
        np.add.at(counts, hours, rng.multinomial(lengths, mixes))
        return counts
    spread = rng.dirichlet(30 * shares, size=len(mean)) if law == "loose" else shares
    return rng.multinomial(rng.poisson(mean), spread)


def follow(patterns: EntityPatterns, counts: Counts, first: int) -> list[PatternScore]:
    """Feed an entity its events from a span on, and close the last."""
    scores: list[PatternScore] = []
    for place, row in enumerate(counts.tolist(), start=first):
        for behavior, events in zip(_BEHAVIORS, row, strict=True):
            for _ in range(events):
                scores += patterns.update("entity", behavior, 3600.0 * place)
    return [*scores, *patterns.close(3600.0 * (first + len(counts)))]


def false_alarms(
    *, rate: float, volumes: list[float], entities: int, weeks: int
) -> list[dict[str, Any]]:
    """Count the alarms of quiet entities."""
    rows = []
    for law in _LAWS:
        for volume in volumes:
            alarms = []
            for seed in range(entities):
                rng = np.random.default_rng([seed, _LAWS.index(law), int(volume)])
                patterns = EntityPatterns(rate=rate)
                scores = follow(patterns, draw(law, volume, weeks, rng), 0)
                alarm = np.array([each.alarm for each in scores])
                spans = np.array([each.start / 3600.0 for each in scores])
                start = alarm[(spans >= _SCORED) & (spans < _SETTLED)]
                alarms.append((start.mean() / rate, alarm[spans >= _SETTLED].mean() / rate))
            table = np.array(alarms)
            draws = np.random.default_rng(0).integers(0, entities, (_DRAWS, entities))
            low, high = np.quantile(table[draws, 1].mean(axis=1), (0.025, 0.975))
            rows.append(
                {
                    "law": law,
                    "events_an_hour": volume,
                    "entities": entities,
                    "start": round(float(table[:, 0].mean()), 2),
                    "then": round(float(table[:, 1].mean()), 2),
                    "then_interval": [round(float(low), 2), round(float(high), 2)],
                }
            )
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


def plant(usual: Counts, kind: str, total: Counts, rng: np.random.Generator) -> Counts:
    """Give spans with a fault of one half."""
    half = rng.binomial(usual, 0.5)
    if kind == "busier":
        return usual + half
    odd: Counts = usual - half
    if kind == "mix":
        odd[:, int(total.argmin())] += half.sum(axis=1)
    return odd


def recall(
    *, rate: float, volumes: list[float], entities: int, faults: int
) -> list[dict[str, Any]]:
    """Count the faults that are found."""
    rows = []
    for volume in volumes:
        found: dict[tuple[str, int], list[int]] = {}  # place of the first alarm, 0 for none
        chance: dict[tuple[str, int], list[int]] = {}
        for seed in range(entities):
            rng = np.random.default_rng([seed, int(volume)])
            counts = draw("steady", volume, 20, rng)
            starts = np.sort(rng.choice(np.arange(_WARM, len(counts) - 24), faults, replace=False))
            patterns, reached = EntityPatterns(rate=rate), 0
            for begin in starts.tolist():
                follow(patterns, counts[reached:begin], reached)
                reached = begin
                for hours in _HOURS:
                    usual = counts[begin : begin + hours]
                    clean = follow(copy.deepcopy(patterns), usual, begin)
                    for kind in _KINDS:
                        odd = plant(usual, kind, counts[:_WARM].sum(axis=0), rng)
                        scores = follow(copy.deepcopy(patterns), odd, begin)
                        found.setdefault((kind, hours), []).append(_first(scores, kind))
                        chance.setdefault((kind, hours), []).append(_first(clean, kind))
        for (kind, hours), places in found.items():
            hits = np.array(places)
            test = binomtest(int((hits > 0).sum()), len(hits)).proportion_ci(method="wilson")
            rows.append(
                {
                    "events_an_hour": volume,
                    "kind": kind,
                    "hours": hours,
                    "faults": len(hits),
                    "recall": round(float((hits > 0).mean()), 3),
                    "interval": [round(float(test.low), 3), round(float(test.high), 3)],
                    "median_spans": float(np.median(hits[hits > 0])) if hits.any() else None,
                    "by_chance": round(float((np.array(chance[kind, hours]) > 0).mean()), 3),
                }
            )
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


def _first(scores: list[PatternScore], kind: str) -> int:
    for place, score in enumerate(scores, start=1):
        if score.alarm and any(each.kind == _KINDS[kind] for each in score.anomalies):
            return place
    return 0


def speed(*, entities: int, weeks: int, volume: float) -> dict[str, Any]:
    """Time events one by one and as a frame; count the bytes of an entity."""
    rng = np.random.default_rng(0)
    n_events = int(entities * weeks * _WEEK * volume)
    frame = pd.DataFrame(
        {
            "entity": [f"entity-{at}" for at in rng.integers(0, entities, n_events)],
            "behavior": rng.choice(_BEHAVIORS, n_events),
            "time": np.sort(rng.uniform(0.0, weeks * _WEEK * 3600.0, n_events)),
        }
    )
    rows = list(zip(*(frame[name].tolist() for name in frame), strict=True))
    one_by_one = EntityPatterns()
    begin = time.process_time()
    for entity, behavior, when in rows:
        one_by_one.update(entity, behavior, when)
    single = time.process_time() - begin
    begin = time.process_time()
    scores = EntityPatterns().score_frame(frame)
    batch = time.process_time() - begin
    within = EntityPatterns()
    begin = time.process_time()
    for entity, behavior, _ in rows:
        within.update(entity, behavior, 0.0)
    counting = time.process_time() - begin
    tracemalloc.start()
    held = EntityPatterns()
    for entity in range(entities):
        held.update(f"entity-{entity}", _BEHAVIORS[0], 0.0)
    bytes_held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return {
        "entities": entities,
        "events": n_events,
        "spans": len(scores),
        "events_a_span": round(n_events / len(scores), 1),
        "update_events_a_second": round(n_events / single),
        "score_frame_events_a_second": round(n_events / batch),
        "events_a_second_within_a_span": round(n_events / counting),
        "microseconds_a_span": round(1e6 * (single - counting) / len(scores), 1),
        "state_bytes_an_entity": EntityRecord().nbytes,
        "all_bytes_an_entity": round(bytes_held / entities),
    }


def main() -> None:
    """Run, and print or write."""
    parser = parser_of(__doc__)
    parser.add_argument("--rate", type=float, default=1 / 500)
    parser.add_argument("--volumes", type=float, nargs="+", default=[2.0, 5.0, 20.0, 100.0])
    parser.add_argument("--entities", type=int, default=6, help="of each law and volume")
    parser.add_argument("--weeks", type=int, default=24, help="of quiet entities, above 4")
    parser.add_argument("--faults", type=int, default=16, help="an entity, of each kind and length")
    arguments = parser.parse_args()
    shared = {
        "rate": arguments.rate,
        "volumes": arguments.volumes,
        "entities": arguments.entities,
    }
    result = {
        "benchmark": "entity_patterns",
        "rate": arguments.rate,
        "speed": speed(entities=20, weeks=4, volume=10.0),
        "recall": recall(**shared, faults=arguments.faults),
        "false_alarms_over_rate": false_alarms(**shared, weeks=arguments.weeks),
    }
    give(result, arguments.output)


if __name__ == "__main__":
    main()
