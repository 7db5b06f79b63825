"""Series to measure detectors on: faults after a clean history, and the same law without any."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from nextcall.synth.anomalies import KINDS, plant_anomalies
from nextcall.synth.series import SeriesSettings, metric_series

LAWS: Final[Mapping[str, SeriesSettings]] = {
    "counts": SeriesSettings(kind="count", level=100.0),
    "counts, flat": SeriesSettings(kind="count", level=100.0, season=0.0),
    "counts, 3 clients": SeriesSettings(kind="count", level=300.0, entities=3),
    "latency": SeriesSettings(kind="latency", level=100.0),
    "latency, flat": SeriesSettings(kind="latency", level=100.0, season=0.0),
}
"""Counts and latencies, with the seasons of a week and flat, of one client and of three."""

WEEK: Final = 10_080  # minutes
_MIX: Final = "behaviour/mix"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultStudy:
    """Series with faults, their truth, and series of the same laws without."""

    planted: pd.DataFrame
    """``law``, ``series``, ``entity``, ``time``, ``value``, ``fault`` (-1: none; -2: history)."""
    truth: pd.DataFrame
    """As `plant_anomalies` gives it, with ``law`` and ``series``; ``first`` and ``last`` count the
    rows of the entity from the begin of its history."""
    clean: pd.DataFrame
    """As `planted`, without a fault."""


def draw_fault_study(
    laws: Mapping[str, SeriesSettings],
    *,
    rng: np.random.Generator,
    series: int = 2,
    clean_series: int = 3,
    history: int = 2 * WEEK,
    minutes: int = 2 * WEEK,
    sizes: Sequence[float] = (3.0, 4.0, 5.0, 6.0),
    kinds: Sequence[str] = KINDS,
) -> FaultStudy:
    """Draw series of each law: a history without faults, then every kind of fault in every size.

    Parameters
    ----------
    laws : mapping of str to SeriesSettings
    rng : numpy.random.Generator
        For everything.
    series : int
        Series of each law with faults.
    clean_series : int
        Series of each law without.
    history, minutes : int
        Length of the history, and of what comes after it.
    sizes, kinds : sequence
        As in `plant_anomalies`; ``behaviour/mix`` is left out where there is one entity.
    """
    planted, truths, clean = [], [], []
    for law, settings in laws.items():
        some = [kind for kind in kinds if kind != _MIX or settings.entities > 1]
        for number in range(series):
            begin, rest = _drawn(settings, history, minutes, rng)
            faulty, truth = plant_anomalies(rest, rng=rng, kinds=some, sizes=sizes)
            moved = truth.assign(
                first=truth["first"] + history, last=truth["last"] + history, law=law, series=number
            )
            truths.append(moved)
            planted.append(_joined(begin, faulty, law, number))
        for number in range(clean_series):
            begin, rest = _drawn(settings, history, minutes, rng)
            clean.append(_joined(begin, rest.assign(fault=-1), law, number))
    return FaultStudy(
        planted=pd.concat(planted, ignore_index=True),
        truth=pd.concat(truths, ignore_index=True),
        clean=pd.concat(clean, ignore_index=True),
    )


def _drawn(
    settings: SeriesSettings, history: int, minutes: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw a series and cut each entity's rows where the history ends."""
    whole = metric_series(history + minutes, rng=rng, settings=settings)
    early = whole.groupby("entity", sort=False).cumcount() < history
    return whole[early], whole[~early].reset_index(drop=True)


def _joined(begin: pd.DataFrame, rest: pd.DataFrame, law: str, number: int) -> pd.DataFrame:
    both = pd.concat([begin.assign(fault=-2), rest], ignore_index=True)
    both = both.sort_values(["entity", "time"], kind="stable", ignore_index=True)
    both.insert(0, "law", law)
    both.insert(1, "series", number)
    return both[["law", "series", "entity", "time", "value", "fault"]]
