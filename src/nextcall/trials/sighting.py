"""What is written of a unit: that it was assigned, or what it did; checked before it is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final
from uuid import uuid4

from nextcall.abtest.assignment import Assignment
from nextcall.trials.aggregates import LARGEST
from nextcall.trials.definition import Variant, check_text
from nextcall.trials.errors import WrongVariantError
from nextcall.trials.life import Trial

_LONGEST_UNIT: Final = 256
_MOST_VALUES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A unit that was assigned, or of which something is recorded.

    Parameters
    ----------
    trial : int
        Number of the test.
    test_id : str
    unit, variant_id : str
    at : datetime
    event_id : str
    values : tuple of (metric, value)
        None where it was assigned only.
    known : bool
        Whether it is written down already that the unit sees this variant.
    """

    trial: int
    test_id: str
    unit: str
    variant_id: str
    at: datetime
    event_id: str = ""
    values: tuple[tuple[str, float], ...] = ()
    known: bool = False

    @property
    def events(self) -> dict[tuple[Any, ...], float]:
        """Values by the key of their row."""
        return {
            (self.trial, self.unit, metric, self.event_id): value for metric, value in self.values
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of a sighting.

    Parameters
    ----------
    recorded : int
        Values that are new.
    repeated : int
        Values that were there already, alike.
    """

    recorded: int
    repeated: int


class Running:
    """A running test, as it was read: says what a unit sees, and whether a record can be.

    Parameters
    ----------
    trial : Trial
        That was started.

    Raises
    ------
    StatusError
        Where it never was.
    """

    def __init__(self, trial: Trial) -> None:
        self.number: Final = trial.number
        self._assignment: Assignment = trial.assignment()
        self._variants: Mapping[str, Variant] = {
            each.variant_id: each for each in trial.definition.variants
        }

    def variant(self, sighting: Sighting) -> Variant:
        """Give what a unit sees."""
        return self._variants[sighting.variant_id]

    def assigned(self, unit: str) -> Sighting:
        """Say what a unit sees.

        Raises
        ------
        ValueError
            Where the unit is blank, or longer than 256 characters.
        """
        check_text("unit", unit, most=_LONGEST_UNIT)
        return self._sighting(unit)

    def recorded(
        self,
        unit: str,
        variant_id: str,
        metrics: Mapping[str, float],
        event_id: str | None,
        *,
        known: bool = False,
    ) -> Sighting:
        """Say what a unit did; without an id each time is an event of its own.

        Raises
        ------
        ValueError, TypeError
            Where a unit, id, name or value cannot be.
        WrongVariantError
        """
        check_text("unit", unit, most=_LONGEST_UNIT)
        event = uuid4().hex if event_id is None else check_text("event_id", event_id)
        found = self._sighting(unit, event, _checked(metrics), known=known)
        if variant_id != found.variant_id:
            raise wrong_variant(unit, found.variant_id, variant_id)
        return found

    def _sighting(
        self,
        unit: str,
        event_id: str = "",
        values: tuple[tuple[str, float], ...] = (),
        *,
        known: bool = False,
    ) -> Sighting:
        variant = self._assignment.assign(unit).variant
        if variant is None:  # a started test has shares of 100 together
            raise ValueError(f"unit {unit!r} must have a variant, got none.")
        return Sighting(
            trial=self.number,
            test_id=self._assignment.test,
            unit=unit,
            variant_id=variant,
            at=datetime.now(UTC),
            event_id=event_id,
            values=values,
            known=known,
        )


def wrong_variant(unit: str, assigned: str, got: str) -> WrongVariantError:
    """Say that a unit sees another variant."""
    return WrongVariantError(
        f"variant of unit {unit!r} must be the assigned one, {assigned!r}, got {got!r}."
    )


def _checked(metrics: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    if not 1 <= len(metrics) <= _MOST_VALUES:
        raise ValueError(f"metrics must hold 1 to {_MOST_VALUES} values, got {len(metrics)}.")
    found = []
    for name, value in metrics.items():
        check_text("the name of a metric", name)
        if not isinstance(value, int | float):
            raise TypeError(f"{name} must be a number, got {value!r}.")
        if not (isfinite(value) and abs(value) <= LARGEST):
            raise ValueError(f"{name} must lie within {LARGEST:g} of 0, got {value}.")
        found.append((name, float(value)))
    return tuple(found)
