"""A Redis of a program's own, that may be killed and started again."""

import subprocess
import time
from pathlib import Path


class RedisServer:
    """A server on a socket in a folder that it makes."""

    def __init__(self, program: str, folder: Path) -> None:
        folder.mkdir()
        self._socket = folder / "socket"
        options = ["--port", "0", "--unixsocket", str(self._socket), "--save", ""]
        self._command = [program, *options, "--dir", str(folder)]
        self.url = f"unix://{self._socket}"
        self.start()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._socket.unlink(missing_ok=True)
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        while not self._socket.exists():
            time.sleep(0.01)

    def stop(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
