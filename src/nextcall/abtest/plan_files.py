"""A plan as a JSON file, written before the test and read when it is over."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from nextcall.abtest.design import Plan
from nextcall.abtest.looks import PlannedLooks
from nextcall.abtest.target import Target, Traffic
from nextcall.files import atomic_path

_FORM: Final = "nextcall.abtest.plan"
_VERSION: Final = 1


def save_plan(plan: Plan, path: Path) -> None:
    """Write a plan.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from nextcall.abtest.design import design
    >>> plan = design(Target(metric="mean", baseline=10.0, sd=4.0, mde=0.5))
    >>> with TemporaryDirectory() as folder:
    ...     save_plan(plan, Path(folder, "plan.json"))
    ...     load_plan(Path(folder, "plan.json")) == plan
    True
    """
    written = {"form": _FORM, "version": _VERSION, **asdict(plan)}
    # JSON has no infinity: a look that shows nothing has no bound.
    written["looks"]["bounds"] = [each if isfinite(each) else None for each in plan.looks.bounds]
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(written, indent=2, allow_nan=False) + "\n")


def load_plan(path: Path) -> Plan:
    """Read a plan, and refuse what is none.

    Raises
    ------
    ValueError
        Where a field is missing, unknown, of another type or out of its range; it names the file
        and the field.
    OSError
        Where the file cannot be read.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: a plan must be JSON, got {error}.") from None
    try:
        return _plan(found)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _plan(found: object) -> Plan:
    names = ("form", "version", *(field.name for field in fields(Plan)))
    read = _object(found, "a plan", names)
    if (read["form"], read["version"]) != (_FORM, _VERSION):
        raise ValueError(
            f"form and version must be {_FORM!r} and {_VERSION}, "
            f"got {read['form']!r} and {read['version']!r}."
        )
    traffic = read["traffic"]
    return Plan(
        target=Target(**_fields(Target, read["target"], "target")),
        alpha=_number(read["alpha"], "alpha"),
        power=_number(read["power"], "power"),
        allocation=_list(read["allocation"], "allocation", _number),
        correction=read["correction"],
        looks=PlannedLooks(**_fields(PlannedLooks, read["looks"], "looks")),
        n=_list(read["n"], "n", _whole),
        traffic=None if traffic is None else Traffic(**_fields(Traffic, traffic, "traffic")),
    )


def _fields(kind: type[Any], found: object, place: str) -> dict[str, Any]:
    read = _object(found, place, tuple(field.name for field in fields(kind)))
    return {name: _READERS[name](value, f"{place}.{name}") for name, value in read.items()}


def _object(found: object, place: str, names: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(found, dict) or set(found) != set(names):
        got = sorted(found) if isinstance(found, dict) else found
        raise ValueError(f"{place} must have the fields {sorted(names)}, got {got!r}.")
    return found


def _number(value: object, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"{place} must be a finite number, got {value!r}.")
    return float(value)


def _whole(value: object, place: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(  # noqa: TRY004  # like all that is wrong with a file
            f"{place} must be a whole number, got {value!r}."
        )
    return value


def _optional(value: object, place: str) -> float | None:
    return None if value is None else _number(value, place)


def _bound(value: object, place: str) -> float:
    return float("inf") if value is None else _number(value, place)


def _flag(value: object, place: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(  # noqa: TRY004  # like all that is wrong with a file
            f"{place} must be true or false, got {value!r}."
        )
    return value


def _name(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise ValueError(  # noqa: TRY004  # like all that is wrong with a file
            f"{place} must be a name, got {value!r}."
        )
    return value


def _list(value: object, place: str, read: Callable[[object, str], Any]) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ValueError(  # noqa: TRY004  # like all that is wrong with a file
            f"{place} must be a list, got {value!r}."
        )
    return tuple(read(each, f"{place}[{row}]") for row, each in enumerate(value))


_READERS: Final[Mapping[str, Callable[[object, str], Any]]] = MappingProxyType(
    {
        **dict.fromkeys(("metric", "alternative", "goal", "method"), _name),
        **dict.fromkeys(("baseline", "mde", "factor", "inflation", "expected"), _number),
        **dict.fromkeys(("daily_units", "eligible"), _number),
        **dict.fromkeys(("sd", "margin"), _optional),
        "whole_weeks": _flag,
        "information": lambda value, place: _list(value, place, _number),
        "bounds": lambda value, place: _list(value, place, _bound),
    }
)
