"""Figures beside what was promised of them, with the room that is left."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from nextcall.performance.figures import Figures
from nextcall.telemetry.service_level import (
    ServiceLevelTargets,
    ServiceWindow,
    TargetLevel,
    judge,
)

USER_PARTS: Final = ("users_new", "users_same")
"""Over HTTP, as who asks has it: each prompt is new; all ask the same."""

SERVICE: Final = "service"
"""Stands for a part where a promise is about all of it."""

_PREDICTION: Final = frozenset({"prediction_p50", "prediction_p95", "error_rate", "deadline"})
_HIT: Final = frozenset({"cache_hit_p95"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PartPromise:
    """A promise, and what became of it in one part."""

    part: str
    target: TargetLevel


def judged_parts(
    parts: Mapping[str, Figures], targets: ServiceLevelTargets, *, memory_bytes: float | None
) -> tuple[PartPromise, ...]:
    """Hold parts against what was promised of the like.

    Parameters
    ----------
    parts : mapping of str to Figures
        Parts about which nothing was promised are left out.
    targets : ServiceLevelTargets
    memory_bytes : float or None
        Of the service's process; None where it is not known.

    Examples
    --------
    >>> from nextcall.performance.figures import Samples
    >>> quick = Figures.of(Samples(seconds=[0.01] * 20, errors=0, elapsed=0.2))
    >>> (told,) = judged_parts({"ranking": quick}, ServiceLevelTargets(), memory_bytes=None)
    >>> told.target.status, round(told.target.room, 3)
    ('met', 0.09)
    """
    return tuple(_judged(parts, targets, memory_bytes))


def _judged(
    parts: Mapping[str, Figures], targets: ServiceLevelTargets, memory_bytes: float | None
) -> Iterator[PartPromise]:
    for part, figures in parts.items():
        took = figures.latency()
        if part == "ranking":
            window, names = ServiceWindow(ranking=took), frozenset({"ranking_p95"})
        elif part in {"prediction", "users_new"}:
            window, names = ServiceWindow(prediction=took), _PREDICTION
        elif part == "users_same":  # a prediction that a cache has
            window, names = ServiceWindow(prediction=took, cache_hit=took), _PREDICTION | _HIT
        elif part == "kept":
            window, names = ServiceWindow(cache_hit=took), _HIT
        else:
            continue
        for target in judge(window, targets).targets:
            if target.name in names:
                yield PartPromise(part=part, target=target)
    if memory_bytes is not None:
        level = judge(ServiceWindow(memory_bytes=memory_bytes), targets)
        (memory,) = (target for target in level.targets if target.name == "memory")
        yield PartPromise(part=SERVICE, target=memory)
