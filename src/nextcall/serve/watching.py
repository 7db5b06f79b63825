"""How often each part of a prediction ran, how it ended, and how long it took."""

from collections.abc import Callable, Iterator, Mapping
from time import perf_counter
from typing import Final, Literal, Self, TypeAlias, TypeVar, get_args

from nextcall.serve.problems import RefusedError, UnsafeError
from nextcall.telemetry.families import FUNCTION_CALLS, FUNCTION_SECONDS
from nextcall.telemetry.latency import LatencyWindow
from nextcall.telemetry.metrics import Metrics

T = TypeVar("T")

Part: TypeAlias = Literal["guard", "embedding", "ranking", "filter"]
"""The checks of the request; its prompt as a vector; candidates, features and trees; what of the
operations may leave."""

Notes: TypeAlias = list[Callable[[], object]]
"""What is to be noted once an answer is given, so that nobody waits for it."""

_Taken: TypeAlias = tuple[Part, float, type[BaseException] | None]
PARTS: Final[tuple[Part, ...]] = get_args(Part)
_OUTCOMES: Final = ("ok", "refused", "failed")


def drained(items: list[T]) -> Iterator[T]:
    """Take the items of a list, the last first, each once however many threads take them.

    Examples
    --------
    >>> items = [1, 2]
    >>> list(drained(items)), items
    ([2, 1], [])
    """
    while True:
        try:
            item = items.pop()
        except IndexError:
            return
        yield item


class WatchedPart:
    """Counts one part: its calls by their outcome, and their seconds.

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
    ...     ranking.count(0.002, None)
    ...     metrics.totals(FUNCTION_CALLS)["ranking", "ok"]
    (1.0,)
    """

    def __init__(
        self, metrics: Metrics, part: Part, *, window: LatencyWindow | None = None
    ) -> None:
        self.calls = {each: metrics.count(FUNCTION_CALLS, part, each) for each in _OUTCOMES}
        self.seconds = metrics.histogram(FUNCTION_SECONDS, part)
        self.window = window

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
    """Times the parts of one prediction, one after the other; counts them when it is told to.

    Parameters
    ----------
    parts : mapping of str to WatchedPart
        Where they are counted; others are not.

    Examples
    --------
    >>> from nextcall.telemetry.metrics import open_metrics
    >>> with open_metrics(endpoints=()) as metrics:
    ...     watch = Watch({"ranking": WatchedPart(metrics, "ranking")})
    ...     with watch("ranking"):
    ...         _ = sorted("cab")
    ...     watch.count()
    ...     metrics.totals(FUNCTION_CALLS)["ranking", "ok"]
    (1.0,)
    """

    __slots__ = ("_begin", "_part", "_parts", "_taken")

    def __init__(self, parts: Mapping[Part, WatchedPart]) -> None:
        self._parts, self._taken = parts, list[_Taken]()
        self._part: Part = "guard"
        self._begin = 0.0

    def __call__(self, part: Part) -> Self:
        """Name the part that a ``with`` block is."""
        self._part = part
        return self

    def __enter__(self) -> None:
        self._begin = perf_counter()

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self._taken.append((self._part, perf_counter() - self._begin, error))

    def count(self) -> None:
        """Count what was timed, unless that was counted; nobody should wait for it.

        Two threads may do so at once: one that goes on after its time, and one that waited for it.
        """
        for part, seconds, error in drained(self._taken):
            if part in self._parts:
                self._parts[part].count(seconds, error)
