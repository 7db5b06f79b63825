"""Many workers of one service: forked from what is loaded once, and begun anew where one ends."""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn

_SIGNALS: Final = frozenset({signal.SIGCHLD, signal.SIGTERM, signal.SIGINT})
_PATIENCE: Final = 40.0  # seconds: an answer may take 30
_SETTLED: Final = 5.0  # seconds
_MOST_EARLY_ENDS: Final = 5  # one after another, until it is given up
_PAUSE: Final = 0.5  # seconds before the successor of one that ended early
_LONGEST_PAUSE: Final = 16.0  # times the first


@dataclass(frozen=True, slots=True)
class _Worker:
    number: int
    begun: float


class Workers:
    """Runs workers side by side until a signal ends all of them.

    Each is a fork of this process: what was loaded before lies in memory once, and one that ends,
    however it ends, has a successor at once. All end with this process, however that ends.

    Parameters
    ----------
    work : callable
        What a worker does, given its number from 0; it ends by `SystemExit` at SIGTERM.
    count : int
        At least 1.
    tell : callable
        Hears in a sentence that a worker ended.
    patience : float
        Seconds that workers have to end when all shall, before they are killed.
    settled : float
        Seconds after which a worker has begun well. Where five end earlier, one after another, and
        no other one has begun well, all end.
    pause : float
        Seconds before the successor of one that ended early; twice as many after each further one.

    Raises
    ------
    ValueError
        Where `count` is below 1.
    """

    def __init__(
        self,
        work: Callable[[int], None],
        count: int,
        *,
        tell: Callable[[str], None],
        patience: float = _PATIENCE,
        settled: float = _SETTLED,
        pause: float = _PAUSE,
    ) -> None:
        if count < 1:
            raise ValueError(f"count must be at least 1, got {count}.")
        self._work, self._count, self._tell, self._patience = work, count, tell, patience
        self._settled, self._pause = settled, pause
        self._running: dict[int, _Worker] = {}
        self._waiting: dict[int, float] = {}  # numbers, and when each may begin

    def run(self) -> int:
        """Run them; this thread must be the only one.

        Returns
        -------
        int
            Exit code: 128 and the number of the signal, or 1 where workers end as soon as they
            begin.
        """
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        reading, writing = os.pipe()  # nobody writes: it closes with this process
        try:
            for number in range(self._count):
                self._begin(number, reading, writing)
            return self._watch(reading, writing)
        finally:
            self._end_all()
            os.close(reading)
            os.close(writing)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _watch(self, reading: int, writing: int) -> int:
        early = 0
        while True:
            now = time.monotonic()
            next_ = min(self._waiting.values(), default=now + 60.0)
            got = signal.sigtimedwait(_SIGNALS, max(0.0, next_ - now))
            if got is not None and got.si_signo != signal.SIGCHLD:
                return 128 + got.si_signo
            for worker, how in self._ended():
                now = time.monotonic()
                early = early + 1 if self._is_early(worker, now) else 0
                works = any(not self._is_early(one, now) for one in self._running.values())
                if early >= _MOST_EARLY_ENDS and not works:
                    self._tell(f"Worker {worker.number} {how}; workers end as soon as they begin.")
                    return 1
                self._tell(f"Worker {worker.number} {how}; another one begins.")
                times = min(2.0 ** (early - 1), _LONGEST_PAUSE) if early else 0.0
                self._waiting[worker.number] = now + self._pause * times
            now = time.monotonic()
            for number in [n for n, at in self._waiting.items() if at <= now]:
                del self._waiting[number]
                self._begin(number, reading, writing)

    def _is_early(self, worker: _Worker, now: float) -> bool:
        return now - worker.begun < self._settled

    def _begin(self, number: int, reading: int, writing: int) -> None:
        pid = os.fork()
        if pid == 0:
            os.close(writing)
            self._be(number, reading)
        self._running[pid] = _Worker(number, time.monotonic())

    def _be(self, number: int, reading: int) -> NoReturn:
        """Work, as a child, and leave without what the parent would do at its end."""
        code = 1
        try:
            threading.Thread(target=_end_with, args=[reading], name="parent", daemon=True).start()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            self._work(number)
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        except KeyboardInterrupt:
            code = 128 + signal.SIGINT
        except BaseException:  # noqa: BLE001  # it is told, and the process ends
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _ended(self) -> list[tuple[_Worker, str]]:
        """Take those that have ended, and say how."""
        found = []
        for pid in list(self._running):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                code = os.waitstatus_to_exitcode(status)
                how = (
                    f"was ended by {signal.Signals(-code).name}"
                    if code < 0
                    else f"ended with exit code {code}"
                )
                found.append((self._running.pop(pid), how))
        return found

    def _end_all(self) -> None:
        for number, seconds in ((signal.SIGTERM, self._patience), (signal.SIGKILL, 10.0)):
            for pid in self._running:
                os.kill(pid, number)  # not reaped yet: the number is still its own
            end = time.monotonic() + seconds
            while self._running and (left := end - time.monotonic()) > 0:
                signal.sigtimedwait({signal.SIGCHLD}, min(left, 1.0))
                self._ended()


def _end_with(reading: int) -> None:
    """End this process when the parent is gone."""
    while os.read(reading, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
