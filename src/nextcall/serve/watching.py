"""How often each part of a prediction ran, how it ended, and how long it took."""

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Final, Literal, Self, TypeAlias, get_args

from nextcall.serve.problems import RefusedError, UnsafeError
from nextcall.telemetry.families import FUNCTION_CALLS, FUNCTION_SECONDS
from nextcall.telemetry.latency import LatencyWindow
from nextcall.telemetry.metrics import Metrics

Part: TypeAlias = Literal["guard", "embedding", "ranking", "filter"]
"""The checks of the request; its prompt as a vector; candidates, features and trees; what of the
operations may leave."""

Notes: TypeAlias = list[Callable[[], object]]
"""What is to be noted once an answer is given, so that nobody waits for it."""

PARTS: Final[tuple[Part, ...]] = get_args(Part)
_OUTCOMES: Final = ("ok", "refused", "failed")


class WatchedPart:
    """One part: its calls by their outcome, and their seconds.

    Parameters
    ----------
    metrics : Metrics
    part : str
    window : LatencyWindow, optional
        Has the seconds of those that went well, too.

    Examples
    --------
    >>> from nextcall.telemetry.metrics import open_metrics
    >>> with open_metrics(endpoints=()) as metrics:
    ...     ranking = WatchedPart(metrics, "ranking")
    ...     with ranking.watch():
    ...         _ = sorted("cab")
    ...     metrics.totals(FUNCTION_CALLS)["ranking", "ok"]
    (1.0,)
    """

    def __init__(
        self, metrics: Metrics, part: Part, *, window: LatencyWindow | None = None
    ) -> None:
        self.calls = {each: metrics.count(FUNCTION_CALLS, part, each) for each in _OUTCOMES}
        self.seconds = metrics.histogram(FUNCTION_SECONDS, part)
        self.window = window

    def watch(self, later: Notes | None = None) -> "Watch":
        """Give what counts one run; `later` takes what counts it, which it does at once without."""
        return Watch(self, later)

    def count(self, seconds: float, error: type[BaseException] | None) -> None:
        """Count one run, and what it raised."""
        self.seconds.observe(seconds)
        if error is None:
            self.calls["ok"].rise()
            if self.window is not None:
                self.window.observe(seconds)
        else:
            refused = issubclass(error, (RefusedError, UnsafeError))
            self.calls["refused" if refused else "failed"].rise()


class Watch:
    """Counts what a ``with`` block does as one run of a part."""

    __slots__ = ("_begin", "_later", "_part")

    def __init__(self, part: WatchedPart, later: Notes | None) -> None:
        self._part, self._later, self._begin = part, later, 0.0

    def __enter__(self) -> Self:
        self._begin = perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        seconds, later = perf_counter() - self._begin, self._later
        if later is None:
            self._part.count(seconds, kind)
        else:
            later.append(partial(self._part.count, seconds, kind))
