"""How often each part of a prediction ran, how it ended, and how long it took."""

from time import perf_counter
from typing import Final, Literal, Self, TypeAlias, get_args

from nextcall.serve.problems import RefusedError, UnsafeError
from nextcall.telemetry.families import FUNCTION_CALLS, FUNCTION_SECONDS
from nextcall.telemetry.latency import LatencyWindow
from nextcall.telemetry.metrics import Metrics

Part: TypeAlias = Literal["guard", "embedding", "ranking", "filter"]
"""The checks of the request; its prompt as a vector; candidates, features and trees; what of the
operations may leave."""

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

    def watch(self) -> "Watch":
        """Give what counts one run."""
        return Watch(self)


class Watch:
    """Counts what a ``with`` block does as one run of a part."""

    __slots__ = ("_begin", "_part")

    def __init__(self, part: WatchedPart) -> None:
        self._part, self._begin = part, 0.0

    def __enter__(self) -> Self:
        self._begin = perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        seconds, part = perf_counter() - self._begin, self._part
        part.seconds.observe(seconds)
        if kind is None:
            part.calls["ok"].rise()
            if part.window is not None:
                part.window.observe(seconds)
        else:
            refused = issubclass(kind, (RefusedError, UnsafeError))
            part.calls["refused" if refused else "failed"].rise()
