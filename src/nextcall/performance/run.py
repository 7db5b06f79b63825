"""One run of the suite: when, of what, its figures, and whether what was promised holds."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from nextcall.performance.figures import Figures
from nextcall.performance.promises import PartPromise
from nextcall.telemetry.service_level import ServiceLevel, Status

Source: TypeAlias = Literal["route", "cli"]
"""Who asked for a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceRun:
    """What a run found.

    Attributes
    ----------
    at : datetime
        When it ended, UTC.
    source : str
        Who asked for it.
    version : str
        Of this package; of the service, where that told it.
    model_version : str or None
        Of the ranker; None where there is none.
    users : int
        At once, in the parts ``users_new`` and ``users_same``.
    parts : mapping of str to Figures
    promises : tuple of PartPromise
    """

    at: datetime
    source: Source
    version: str
    model_version: str | None
    users: int
    parts: Mapping[str, Figures]
    promises: tuple[PartPromise, ...]

    @property
    def status(self) -> Status:
        """``missed`` where a promise is missed, ``unknown`` where nothing can be said."""
        return ServiceLevel(targets=tuple(each.target for each in self.promises)).status

    def told(self, *, samples: bool = True) -> dict[str, Any]:
        """Give what JSON can hold; None stands for ``nan``.

        Only the samples have their unit in their name: of these `nextcall.telemetry.comparison`
        can tell a change from noise.

        Parameters
        ----------
        samples : bool
            Whether they are told too.
        """
        return {
            "at": self.at.isoformat(),
            "source": self.source,
            "version": self.version,
            "model_version": self.model_version,
            "status": self.status,
            "users": self.users,
            "parts": {name: _part(one, samples=samples) for name, one in self.parts.items()},
            "promises": [_promise(each) for each in self.promises],
        }


def _part(figures: Figures, *, samples: bool) -> dict[str, Any]:
    told = {name: _known(value) for name, value in asdict(figures).items()}
    raw = told.pop("samples")
    return {"unit": "milliseconds", **told, "samples_ms": list(raw) if samples else None}


def _promise(promise: PartPromise) -> dict[str, Any]:
    told = {name: _known(value) for name, value in asdict(promise.target).items()}
    return {"part": promise.part, **told}


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
