"""Runs the application: one process, one loop, a socket that was bound before the work began."""

import gc
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

import uvicorn
from starlette.types import ASGIApp


def bind(host: str, port: int) -> socket.socket:
    """Take an address, before anything is loaded; nobody can connect until the service runs.

    Raises
    ------
    ValueError
        Where the address cannot be taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
    except OSError as error:
        taken.close()
        raise ValueError(
            f"host and port must be free to listen on, got {host} and {port}: {error.strerror}."
        ) from error
    return taken


def address(listening: socket.socket) -> str:
    """Give the address that a browser opens."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def loading_for_good() -> Iterator[None]:
    """Load what stays until the end: the garbage collector neither runs now nor looks at it later.

    A catalogue is hundreds of thousands of objects, and every full collection would visit them all:
    half a second of the start, and a pause of each tenth of a second later.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def running(app: ASGIApp, listening: socket.socket) -> Iterator[str]:
    """Serve in a thread of this process while the block runs; gives the address.

    Raises
    ------
    RuntimeError
        Where the application does not start.
    """
    server = uvicorn.Server(_config(app))

    def serve() -> None:
        with suppress(SystemExit):  # so it ends where it cannot start
            server.run(sockets=[listening])

    thread = threading.Thread(target=serve, name="server")
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("The application ended before it was started.")
            time.sleep(0.01)
        yield address(listening)
    finally:
        server.should_exit = True
        thread.join()


def run(app: ASGIApp, listening: socket.socket) -> None:
    """Serve until a signal ends it; requests that are under way are answered first.

    SIGTERM then leaves by `SystemExit`, as SIGINT does by `KeyboardInterrupt`: what the caller
    opened, it closes.
    """
    with leaving():
        uvicorn.Server(_config(app)).run(sockets=[listening])


@contextmanager
def leaving() -> Iterator[None]:
    """Leave by `SystemExit` at SIGTERM while the block runs, so that all it opened is closed."""
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_config=None,  # its lines go the way of all others
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # `Gate` believes those proxies that are named, and no others
    )


def _leave(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)
