"""Functions whose values are kept, and caches that are filled before anyone asks."""

import json
from collections.abc import Callable
from functools import partial, wraps
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar, cast

from nextcall.cache.computing import Computes
from nextcall.progress import Progress, silent

P = ParamSpec("P")
R = TypeVar("R")
_PLAIN: Final = frozenset({str, bytes, int, float, bool, type(None)})


def cached(
    cache: Computes[Any], *, key: Callable[..., str] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keep what a function returns, and compute it once for all who ask at a time.

    Parameters
    ----------
    cache : Computes
        Holds the values; what an ``async`` function returns is awaited first.
    key : callable, optional
        Makes the key of the arguments; `call_key` where there is none.

    Returns
    -------
    callable
        Decorates a function, sync or async.

    Examples
    --------
    >>> from nextcall.cache.cache import Cache
    >>> from nextcall.cache.computing import ComputingCache
    >>> @cached(ComputingCache(Cache[str](ttl=60, entries=10)))
    ... def shout(text):
    ...     print("computed")
    ...     return text.upper()
    >>> shout("a"), shout("a")
    computed
    ('A', 'A')
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        key_of = key or partial(call_key, function)
        if iscoroutinefunction(function):

            @wraps(function)
            async def of_task(*args: P.args, **kwargs: P.kwargs) -> object:
                name = key_of(*args, **kwargs)
                return await cache.get_or_compute_async(name, lambda: function(*args, **kwargs))

            return cast("Callable[P, R]", of_task)

        @wraps(function)
        def of_thread(*args: P.args, **kwargs: P.kwargs) -> R:
            name = key_of(*args, **kwargs)
            return cast("R", cache.get_or_compute(name, lambda: function(*args, **kwargs)))

        return of_thread

    return decorate


def call_key(function: Callable[..., object], /, *args: object, **kwargs: object) -> str:
    """Name a call by its function and its arguments, as they are given.

    Parameters
    ----------
    function : callable
        Told by its module and name.
    *args, **kwargs : str, bytes, int, float, bool, None, or tuples of them

    Raises
    ------
    TypeError
        Where an argument is something else: two that are told apart may look alike.

    Examples
    --------
    >>> call_key(json.dumps, "a", indent=2)
    "json.dumps('a', indent=2)"
    """
    for value in (*args, *kwargs.values()):
        if not _is_plain(value):
            raise TypeError(
                "arguments must be texts, numbers or tuples of them where `key` is not given, "
                f"got a {type(value).__name__}."
            )
    told = [*map(repr, args), *(f"{name}={value!r}" for name, value in sorted(kwargs.items()))]
    return f"{function.__module__}.{function.__qualname__}({', '.join(told)})"


def _is_plain(value: object) -> bool:
    if type(value) is tuple:
        return all(map(_is_plain, value))
    return type(value) in _PLAIN


def warm_up(path: Path, ask: Callable[[Any], object], *, progress: Progress = silent) -> int:
    """Ask once for each line of a file, so that what answers has it in its cache.

    Parameters
    ----------
    path : Path
        JSON Lines; empty lines are passed over.
    ask : callable
        Takes what a line holds; a function that is `cached`, say.
    progress : Progress
        Shows how far it is.

    Returns
    -------
    int
        How many lines there were.

    Raises
    ------
    ValueError
        Where a line is no JSON, or asking for it fails; file and line are told.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "asked.jsonl").write_text('{"prompt": "List my buckets"}')
    ...     warm_up(Path(folder, "asked.jsonl"), lambda line: print(line["prompt"]))
    List my buckets
    1
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    asked = 0
    for number, line in enumerate(progress(lines, description="Warming up", total=len(lines)), 1):
        if not line.strip():
            continue
        try:
            ask(json.loads(line))
        except Exception as error:
            raise ValueError(
                f"{path}, line {number}: must be JSON that can be asked for, "
                f"got {type(error).__name__}: {error}."
            ) from error
        asked += 1
    return asked
