"""A service of its own process, for the users whom the performance suite sends to it."""

import multiprocessing
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from nextcall.serve.app import app_of_parts
from nextcall.serve.loading import load_predictor
from nextcall.serve.performance.measuring import measured_app
from nextcall.serve.performance.suite import ServiceParts
from nextcall.serve.predictor import Predictor
from nextcall.serve.process.memory import memory_bytes
from nextcall.serve.process.server import address, loading_for_good, run
from nextcall.serve.safety.safety import Safety
from nextcall.serve.settings import Settings

_START_SECONDS: Final = 120.0  # a first start may train a model


def parts_of(predictor: Predictor, settings: Settings) -> ServiceParts:
    """Guard a predictor as a service does."""
    safety = Safety(settings, predictor.index.catalog, max_history=predictor.max_history)
    return ServiceParts.of(predictor, safety, settings)


class ServiceProcess:
    """A service that runs in a process of its own.

    Attributes
    ----------
    url : str
        Where it answers.
    """

    def __init__(self, process: multiprocessing.process.BaseProcess, url: str) -> None:
        self._process, self.url = process, url

    def memory_bytes(self) -> float | None:
        """Give what it holds; None where the system tells it of no other process."""
        statm = Path(f"/proc/{self._process.pid}/statm")
        return memory_bytes(statm) if statm.exists() else None

    def wait(self, seconds: float = _START_SECONDS) -> None:
        """Wait until it answers.

        Raises
        ------
        RuntimeError
            Where it ends before, or does not answer in time.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self._process.is_alive():
                raise RuntimeError("The service ended before it was started.")
            try:
                httpx.get(f"{self.url}/health", timeout=1.0, trust_env=False).raise_for_status()
            except httpx.HTTPError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"The service did not answer within {seconds:g} seconds.")


@contextmanager
def service_process(settings: Settings, listening: socket.socket) -> Iterator[ServiceProcess]:
    """Start a service on a socket; it ends with the block.

    Parameters
    ----------
    settings : Settings
    listening : socket.socket
        Bound; nobody listens yet.
    """
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(settings, listening), name="nextcall-measured", daemon=True
    )
    process.start()
    try:
        yield ServiceProcess(process, address(listening))
    finally:
        process.terminate()
        process.join(10)
        if process.is_alive():
            process.kill()
            process.join()
        process.close()


def _serve(settings: Settings, listening: socket.socket) -> None:
    with loading_for_good():
        predictor = load_predictor(settings)
        predictor.warm()
        parts = parts_of(predictor, settings)
    run(measured_app(parts, settings, app_of_parts), listening)
