"""A run as a page of Markdown: figures, and the room that promises leave."""

from collections.abc import Iterator

from nextcall.performance.promises import PartPromise
from nextcall.performance.run import PerformanceRun
from nextcall.telemetry.service_level import Unit

_UNITS: dict[Unit, tuple[float, str]] = {
    "seconds": (1000.0, "ms"),
    "bytes": (1e-6, "MB"),
    "share": (100.0, "%"),
}


def report(run: PerformanceRun) -> str:
    """Write a run as Markdown.

    Parameters
    ----------
    run : PerformanceRun
    """
    return "\n".join(_lines(run)) + "\n"


def _lines(run: PerformanceRun) -> Iterator[str]:
    yield "# Performance"
    yield ""
    yield (
        f"{run.at:%Y-%m-%d %H:%M} UTC, version {run.version}, model "
        f"{run.model_version or 'none'}, {run.users} users at once. Promises: {run.status}."
    )
    yield ""
    yield "| part | calls | errors | p50 ms | p95 ms | p99 ms | mean ms | per second |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for name, one in run.parts.items():
        numbers = (one.p50, one.p95, one.p99, one.mean, one.rate)
        cells = " | ".join(_number(number) for number in numbers)
        yield f"| {name} | {one.count} | {one.errors} | {cells} |"
    yield ""
    yield "| part | promise | value | limit | room | room, share of the limit | |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    yield from map(_promise, run.promises)


def _promise(promise: PartPromise) -> str:
    target = promise.target
    factor, unit = _UNITS[target.unit]
    value, limit, room = (
        "-" if number != number else f"{_number(factor * number)} {unit}"  # noqa: PLR0124  # nan
        for number in (target.value, target.limit, target.room)
    )
    share = "-" if target.status == "unknown" else f"{target.room_share:.0%}"
    cells = (promise.part, target.name, value, limit, room, share, target.status)
    return f"| {' | '.join(cells)} |"


def _number(value: float) -> str:
    """Write a number with three digits, at least those before its point."""
    if value != value:  # noqa: PLR0124  # nan
        return "-"
    size = abs(value)
    return f"{value:,.{0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3}f}"
