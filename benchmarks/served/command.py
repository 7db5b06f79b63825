"""`nextcall serve` as a process of its own, and one who asks it."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

import httpx

from nextcall.access.keys import create_key
from nextcall.catalog import Catalog
from nextcall.storage.opening import open_database

SECRET: Final = "q8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa93"  # noqa: S105  # of this run
_COMMAND: Final = "from nextcall.cli.main import main; main()"
_STARTS_WITHIN: Final = 120.0  # seconds
_PLENTY: Final = {
    "NEXTCALL_RATE_PER_MINUTE": "10000000",
    "NEXTCALL_RATE_PER_HOUR": "100000000",
    "NEXTCALL_RATE_PER_DAY": "1000000000",
    "NEXTCALL_ADDRESS_PER_MINUTE": "100000000",
    "NEXTCALL_RATE_ADAPTIVE": "false",
}


class Service:
    """The service in production over a catalogue; it may be killed and started again.

    Parameters
    ----------
    catalog : Catalog
        Is written to the folder.
    folder : Path
        Of the catalogue, the database, and what the service says.
    settings : mapping
        More variables of the environment, or others.
    options : sequence of str
        More of the command's.
    url : str, optional
        Of its database; a file in the folder where none is given.
    """

    def __init__(
        self,
        catalog: Catalog,
        folder: Path,
        *,
        settings: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
        url: str | None = None,
    ) -> None:
        path = folder / "catalog.parquet"
        catalog.save(path)
        self.url = f"sqlite:///{folder}/service.db" if url is None else url
        with open_database(self.url) as database:
            self.key = create_key(database, "load", role="admin", now=datetime.now(UTC))[0]
        self._options = ["--catalog", str(path), "--host", "127.0.0.1", "--port", "0", *options]
        self._environment = {
            **os.environ,
            **_PLENTY,
            "NEXTCALL_ENVIRONMENT": "production",
            "NEXTCALL_SECRET": SECRET,
            "NEXTCALL_DATABASE_URL": self.url,
            "NEXTCALL_LOG_DIR": str(folder / "log"),
            **(settings or {}),
        }
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._port = "0"
        self.said = list[str]()
        """Lines on standard error."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def place(self) -> str:
        """Where it listens; the same after it was started again."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def process(self) -> "subprocess.Popen[str]":
        """The process.

        Raises
        ------
        RuntimeError
            Where none was started.
        """
        if self._process is None:
            raise RuntimeError("the service must be started first.")
        return self._process

    def start(self) -> float:
        """Start it; give the seconds until it answered a question.

        Raises
        ------
        RuntimeError
            Where it ends, or answers none in time.
        """
        begin = time.perf_counter()
        self.said.clear()
        self._options[self._options.index("--port") + 1] = self._port
        self._process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, "serve", *self._options],
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process.stderr,))
        self._reader.start()
        with self.asking() as asking:
            while time.perf_counter() < begin + _STARTS_WITHIN:
                if self._process.poll() is not None:
                    self._reader.join()
                    raise RuntimeError(f"the service ended: {''.join(self.said)}")
                if self._find_port():
                    with suppress(httpx.TransportError):
                        body = json.dumps({"prompt": "begin"})
                        asking.post(f"{self.place}/predict", content=body).raise_for_status()
                        return time.perf_counter() - begin
                time.sleep(0.02)
        raise RuntimeError(f"the service does not answer: {''.join(self.said)}")

    def kill(self) -> None:
        """End it at once, by signal 9."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as a process manager does."""
        self._end(signal.SIGTERM)

    def asking(self, *, seconds: float = 60) -> httpx.Client:
        """Make a client with the key."""
        return httpx.Client(timeout=seconds, headers={"x-api-key": self.key})

    def memory_mb(self, what: str = "VmRSS") -> float:
        """Give what the kernel says of its memory, in MiB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        (found,) = (line for line in lines if line.startswith(f"{what}:"))
        return round(int(found.split()[1]) / 1024, 1)

    def _find_port(self) -> bool:
        if self._port == "0":
            found = re.search(r" at http://127\.0\.0\.1:(\d+) ", "".join(self.said))
            self._port = "0" if found is None else found[1]
        return self._port != "0"

    def _read(self, lines: Iterable[str] | None) -> None:
        self.said.extend(lines or ())

    def _end(self, number: signal.Signals) -> None:
        if self._process is None or self._reader is None:
            return
        self._process.send_signal(number)
        self._process.wait(60)
        self._reader.join()
        if self._process.stderr is not None:
            self._process.stderr.close()
        self._process = self._reader = None
