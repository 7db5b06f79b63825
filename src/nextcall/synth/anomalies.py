"""Faults planted into metric series, whose kind, size and place are known."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

KINDS: Final = tuple(
    f"{family}/{shape}"
    for family, shapes in {
        "spike": ("point", "pair", "burst", "decay"),
        "dip": ("point", "pair", "burst", "decay"),
        "level_shift": ("up", "down", "staircase", "toggle"),
        "trend": ("rise", "fall", "accelerating", "saturating"),
        "behaviour": ("busier", "quieter", "mix", "irregular"),
    }.items()
    for shape in shapes
)
"""The twenty kinds of faults: five families of four shapes."""

_SLOT = 60  # fewest times a fault needs for itself and the quiet around it
_SHORT = {"point": 1, "pair": 7, "burst": 10, "decay": 20}  # times that spikes and dips last
_BLOCK = 5  # times a toggled level and an irregular rate last
_LEAST = 0.3  # an entity that deviates by no more behaves as ever
_MAD_TO_SIGMA = 1.4826  # 1 / Phi^-1(3/4)


def plant_anomalies(
    frame: pd.DataFrame,
    *,
    rng: np.random.Generator,
    kinds: Sequence[str] = KINDS,
    sizes: Sequence[float] = (6.0,),
    deviation: float = 0.5,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Plant every kind in every size, each in a span of its own.

    Spikes, dips, level shifts and trends move the values by up to ``size`` standard deviations;
    behaviour changes what one entity does by the share `deviation`: *busier*, *quieter*, *mix*
    (that share goes over to another entity, their total stays) or *irregular* (more and less by
    turns, the mean stays). Values stay at least 0, and whole where they all were.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``entity``, ``time``, ``value``, entity after entity with the same times, as
        `metric_series` and `count_events` give it; and ``sigma``, the standard deviation of each
        value, which is estimated from the median deviation of each entity where it is missing.
    rng : numpy.random.Generator
        Chooses places and entities.
    kinds : sequence of str
        Of `KINDS`.
    sizes : sequence of float
        In standard deviations, above 0.
    deviation : float
        Share by which behaviour deviates, above 0.3 and below 1.

    Returns
    -------
    frame : pandas.DataFrame
        As given, with the changed ``value`` and a column ``fault``: number of the fault, -1
        where there is none.
    truth : pandas.DataFrame
        One row a fault, in order of time: ``fault``, ``kind``, ``entity``, ``first`` and ``last``
        (positions in the entity's rows), ``start`` and ``stop`` (times of these), ``size``,
        ``unit`` (``sigma`` or ``share``) and ``change`` (largest absolute change of a value).

    Raises
    ------
    ValueError
        Where a kind, size or share is out of range, *mix* has no second entity, or the series is
        too short for all faults.

    Examples
    --------
    >>> from nextcall.synth.series import metric_series
    >>> rng = np.random.default_rng(0)
    >>> series, truth = plant_anomalies(metric_series(240, rng=rng), rng=rng, kinds=["spike/burst"])
    >>> int((series["fault"] == 0).sum()), truth.loc[0, "kind"]
    (10, 'spike/burst')
    """
    entities = list(dict.fromkeys(frame["entity"]))
    values = frame["value"].to_numpy(dtype=np.float64).reshape(len(entities), -1).copy()
    plan = _plan(kinds, sizes, deviation, n_entities=len(entities), n_times=values.shape[1])
    sigma = _sigma(frame, values)
    before = values.copy()
    faults = np.full(values.shape, -1, dtype=np.int64)
    slot = values.shape[1] // len(plan)
    rows = []
    for fault, place in enumerate(rng.permutation(len(plan)).tolist()):
        kind, size = plan[place]
        family, _, shape = kind.partition("/")
        length = _SHORT[shape] if family in {"spike", "dip"} else slot // 2
        first = fault * slot + int(rng.integers(1, slot - length))
        window = slice(first, first + length)
        chosen = rng.permutation(len(entities))[:2]
        entity = int(chosen[0])
        if family == "behaviour":
            moved = before[entity, window] * _behaviour(shape, size, length)
            if shape == "mix":
                other = int(chosen[1])
                values[other, window] -= moved
                faults[other, window] = fault
        else:
            sign = -1.0 if family == "dip" or shape in {"down", "fall"} else 1.0
            moved = sign * size * sigma[entity, window].mean() * _profile(shape, length)
        touched = np.zeros(values.shape[1], dtype=bool)
        touched[window] = moved != 0
        values[entity, window] += moved
        faults[entity, touched] = fault
        rows.append((fault, kind, entities[entity], first, first + length - 1, size))
    values = np.maximum(values, 0.0)
    if (before == np.rint(before)).all():
        values = np.rint(values)
    return (
        frame.assign(value=values.ravel(), fault=faults.ravel()),
        _truth(rows, frame, np.abs(values - before), entities),
    )


def _plan(
    kinds: Sequence[str],
    sizes: Sequence[float],
    deviation: float,
    *,
    n_entities: int,
    n_times: int,
) -> list[tuple[str, float]]:
    """List what is to be planted: behaviour once, the rest in every size."""
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise ValueError(f"kinds must be of {', '.join(KINDS)}, got {unknown[0]!r}.")
    if not all(size > 0 for size in sizes):
        raise ValueError(f"sizes must be above 0, got {list(sizes)}.")
    if not _LEAST < deviation < 1:
        raise ValueError(f"deviation must be above {_LEAST} and below 1, got {deviation}.")
    if "behaviour/mix" in kinds and n_entities < 2:
        raise ValueError("kinds must not hold 'behaviour/mix' where frame has a single entity.")
    plan = [
        (kind, size)
        for kind in kinds
        for size in ((deviation,) if kind.startswith("behaviour") else sizes)
    ]
    if not plan:
        raise ValueError("kinds and sizes must hold at least one each.")
    if n_times < _SLOT * len(plan):
        raise ValueError(
            f"frame must have at least {_SLOT} times for each of {len(plan)} faults, got {n_times}."
        )
    return plan


def _sigma(frame: pd.DataFrame, values: NDArray[np.float64]) -> NDArray[np.float64]:
    if "sigma" in frame:
        return frame["sigma"].to_numpy(dtype=np.float64).reshape(values.shape)
    middle = np.median(values, axis=1, keepdims=True)
    spread = _MAD_TO_SIGMA * np.median(np.abs(values - middle), axis=1, keepdims=True)
    # Counts that are mostly one number have no median deviation; theirs is taken as Poisson's.
    spread = np.where(
        spread > 0, spread, np.sqrt(np.maximum(values.mean(axis=1, keepdims=True), 1))
    )
    return np.broadcast_to(spread, values.shape)


def _profile(shape: str, length: int) -> NDArray[np.float64]:
    """Give the form of a fault over its span, largest 1."""
    place = np.arange(length)
    ramp = np.linspace(1 / length, 1.0, length)
    forms: dict[str, NDArray[np.float64]] = {
        "pair": np.isin(place, (0, length - 1)).astype(np.float64),
        "decay": np.exp(-4 * place / length),
        "staircase": np.where(ramp <= 0.5, 0.5, 1.0),
        "toggle": (place // _BLOCK % 2 == 0).astype(np.float64),
        "rise": ramp,
        "fall": ramp,
        "accelerating": ramp**2,
        "saturating": np.expm1(-4 * ramp) / np.expm1(-4.0),
    }
    return forms.get(shape, np.ones(length))  # point, burst, up, down


def _behaviour(shape: str, share: float, length: int) -> NDArray[np.float64]:
    """Give by what share the entity's values change at each time."""
    if shape == "irregular":
        return np.where(np.arange(length) // _BLOCK % 2 == 0, share, -share)
    return np.full(length, share if shape == "busier" else -share)


def _truth(
    rows: list[tuple[int, str, str, int, int, float]],
    frame: pd.DataFrame,
    change: NDArray[np.float64],
    entities: list[str],
) -> pd.DataFrame:
    truth = pd.DataFrame(rows, columns=["fault", "kind", "entity", "first", "last", "size"])
    times = frame["time"].iloc[: change.shape[1]].reset_index(drop=True)
    behaves = truth["kind"].str.startswith("behaviour")
    return truth.assign(
        entity=truth["entity"].astype("string"),
        start=times.iloc[truth["first"]].array,
        stop=times.iloc[truth["last"]].array,
        unit=np.where(behaves, "share", "sigma"),
        change=[
            change[entities.index(entity), first : last + 1].max()
            for _, _, entity, first, last, _ in rows
        ],
    )
