"""The state of many keys: rows whose addresses never change."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.monitor_input import Key
from nextcall.anomaly.named_kernels import (
    COLD,
    COLD_WIDTH,
    HOT_WIDTH,
    LEAST,
    MEMORY,
    RANKS,
    RATE,
    REST_LENGTH,
    TIME,
    VALUES,
)
from nextcall.anomaly.quartiles import RING

_FIRST: Final = 64  # rows of the first block; each later one has as many as all before
_LINE: Final = 64  # bytes of a line of cache


class Settings(NamedTuple):
    """What all keys of a monitor have in common."""

    rate: float
    least_change: float
    memory: float
    rest: float


class Rows:
    """A hot and a cold row a key, in blocks that stay where they are."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._blocks: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        self._room = 0
        self.addresses: dict[Key, int] = {}
        """Of each key's hot row; the keys in the order in which they came."""

    def add(self, key: Key) -> int:
        """Begin a key that is not there; give the address of its hot row."""
        if len(self.addresses) == self._room:
            self._grow(max(self._room, _FIRST))
        hot, _ = self._blocks[-1]
        address = hot.ctypes.data + hot.strides[0] * (len(self.addresses) + len(hot) - self._room)
        self.addresses[key] = address
        return int(address)

    def arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give copies of the rows: all but the addresses of the hot ones, and the cold ones."""
        if not self._blocks:
            return np.empty((0, COLD)), np.empty((0, COLD_WIDTH))
        n = len(self.addresses)
        last = n + len(self._blocks[-1][0]) - self._room
        hot = [block[:, :COLD] for block, _ in self._blocks[:-1]]
        cold = [block for _, block in self._blocks[:-1]]
        hot.append(self._blocks[-1][0][:last, :COLD])
        cold.append(self._blocks[-1][1][:last])
        return np.concatenate(hot), np.concatenate(cold)

    def fill(self, keys: list[Key], hot: NDArray[np.float64], cold: NDArray[np.float64]) -> None:
        """Take keys and rows as `arrays` gave them, in the place of none."""
        if keys:
            self._grow(len(keys))
            self._blocks[0][0][:, :COLD] = hot
            self._blocks[0][1][:] = cold
        for key in keys:
            self.add(key)

    def _grow(self, n: int) -> None:
        hot, cold = _aligned(n, HOT_WIDTH), _aligned(n, COLD_WIDTH)
        hot[:, TIME] = -np.inf
        hot[:, [RATE, LEAST, MEMORY]] = self._settings[:3]
        hot[:, COLD] = cold.ctypes.data + cold.strides[0] * np.arange(n)
        cold[:, VALUES : VALUES + RING] = np.inf
        cold[:, RANKS : RANKS + RING // 8] = np.arange(RING, dtype=np.uint8).view(np.float64)
        cold[:, REST_LENGTH] = self._settings.rest
        self._blocks.append((hot, cold))
        self._room += n


def _aligned(n: int, width: int) -> NDArray[np.float64]:
    """Give rows of zeros that begin with a line of cache."""
    room = np.zeros(n * width + _LINE // 8)
    first = -room.ctypes.data % _LINE // 8
    return room[first : first + n * width].reshape(n, width)
