"""SHA-256 of many short texts side by side: lanes of plain integers, which compilers vectorise."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled

_LANES: Final = 128  # texts that are hashed side by side; 64 take a fifth longer

_PRIMES: Final = [n for n in range(2, 312) if all(n % d for d in range(2, int(n**0.5) + 1))]


def _root_fraction(value: int, power: int) -> int:
    """Give the first 32 bits of the fraction of a square or cube root."""
    scaled, low, high = value << 32 * power, 0, 1 << 40
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**power <= scaled else (low, middle)
    return low & 0xFFFFFFFF


# Of the cube roots of the first 64 primes, and of the square roots of the first 8 (FIPS 180-4,
# 4.2.2 and 5.3.3).
_ROUND: Final = np.array([_root_fraction(prime, 3) for prime in _PRIMES], np.uint32)
_START: Final = np.array([_root_fraction(prime, 2) for prime in _PRIMES[:8]], np.uint32)


@compiled(into_callers=True)
def _turned(word: np.uint32, right: int) -> np.uint32:
    return (word >> np.uint32(right)) | (word << np.uint32(32 - right))


@compiled()
def compress(
    states: NDArray[np.uint32],
    words: NDArray[np.uint32],
    work: NDArray[np.uint32],
    constants: NDArray[np.uint32],
    n_lanes: int,
) -> None:
    """Take one block a lane into its state (FIPS 180-4, 6.2.2).

    Parameters
    ----------
    states : array of shape (8, lanes)
        Is written.
    words : array of shape (16, lanes)
        The blocks; is written.
    work : array of shape (8, lanes)
        Is written.
    constants : array of shape (64,)
    n_lanes : int
        How many of the lanes hold a block, from the first.
    """
    for i in range(8):
        for lane in range(n_lanes):
            work[i, lane] = states[i, lane]
    for t in range(64):
        # The eight variables stay where they are; their names move on by one a round.
        a, b, c, d = -t & 7, (1 - t) & 7, (2 - t) & 7, (3 - t) & 7
        e, f, g, h = (4 - t) & 7, (5 - t) & 7, (6 - t) & 7, (7 - t) & 7
        now, constant = t & 15, constants[t]
        if t >= 16:
            next_, seventh, second = (t + 1) & 15, (t + 9) & 15, (t + 14) & 15
            for lane in range(n_lanes):
                x, y = words[next_, lane], words[second, lane]
                words[now, lane] += (
                    (_turned(x, 7) ^ _turned(x, 18) ^ (x >> np.uint32(3)))
                    + words[seventh, lane]
                    + (_turned(y, 17) ^ _turned(y, 19) ^ (y >> np.uint32(10)))
                )
        for lane in range(n_lanes):
            x, y = work[e, lane], work[a, lane]
            first = (
                work[h, lane]
                + (_turned(x, 6) ^ _turned(x, 11) ^ _turned(x, 25))
                + ((x & work[f, lane]) ^ (~x & work[g, lane]))
                + constant
                + words[now, lane]
            )
            work[d, lane] += first
            work[h, lane] = (
                first
                + (_turned(y, 2) ^ _turned(y, 13) ^ _turned(y, 22))
                + ((y & work[b, lane]) ^ (y & work[c, lane]) ^ (work[b, lane] & work[c, lane]))
            )
    for i in range(8):
        for lane in range(n_lanes):
            states[i, lane] += work[i, lane]


@compiled()
def _fill(
    words: NDArray[np.uint32],
    lane: int,
    data: NDArray[np.uint8],
    begin: int,
    stop: int,
    last: bool,  # noqa: FBT001  # numba takes arguments by position
    bits: int,
) -> None:
    """Write one block of a text: its bytes, the byte 0x80 behind them, the length in the last."""
    place = begin
    for i in range(16):
        if place + 4 <= stop:
            words[i, lane] = (
                (np.uint32(data[place]) << np.uint32(24))
                | (np.uint32(data[place + 1]) << np.uint32(16))
                | (np.uint32(data[place + 2]) << np.uint32(8))
                | np.uint32(data[place + 3])
            )
        elif place > stop:
            words[i, lane] = np.uint32(0)
        else:
            word = np.uint32(0x80) << np.uint32(24 - 8 * (stop - place))
            for j in range(place, stop):
                word |= np.uint32(data[j]) << np.uint32(24 - 8 * (j - place))
            words[i, lane] = word
        place += 4
    if last:
        words[14, lane] = np.uint32(bits >> 32)
        words[15, lane] = np.uint32(bits & 0xFFFFFFFF)


@compiled()
def _buckets(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    order: NDArray[np.int64],
    blocks: NDArray[np.int64],
    start: NDArray[np.uint32],
    constants: NDArray[np.uint32],
    n_before: int,
    n_lanes: int,
    found: NDArray[np.int16],
) -> None:
    states = np.empty((8, n_lanes), np.uint32)
    work = np.empty((8, n_lanes), np.uint32)
    words = np.empty((16, n_lanes), np.uint32)
    for first in range(0, len(order), n_lanes):
        alive = min(n_lanes, len(order) - first)
        for i in range(8):
            for lane in range(alive):
                states[i, lane] = start[i]
        for block in range(blocks[first]):
            while blocks[first + alive - 1] <= block:
                alive -= 1
            for lane in range(alive):
                row = order[first + lane]
                begin, stop = offsets[row], offsets[row + 1]
                last = block + 1 == blocks[first + lane]
                bits = 8 * (n_before + stop - begin)
                _fill(words, lane, data, begin + 64 * block, stop, last, bits)
            compress(states, words, work, constants, alive)
            for lane in range(alive):
                if block + 1 == blocks[first + lane]:
                    high = np.uint64(states[0, lane]) << np.uint64(32)
                    bits60 = (high | np.uint64(states[1, lane])) >> np.uint64(4)
                    found[order[first + lane]] = np.int16(bits60 % np.uint64(10_000))


def state_after(prefix: bytes) -> NDArray[np.uint32]:
    """Give SHA-256's state after whole blocks.

    Parameters
    ----------
    prefix : bytes
        A multiple of 64 of them.

    Returns
    -------
    array of shape (8,)
    """
    states, work = _START[:, None].copy(), np.empty((8, 1), np.uint32)
    for block in np.frombuffer(prefix, ">u4").reshape(-1, 16, 1):
        compress(states, block.astype(np.uint32), work, _ROUND, 1)
    return states[:, 0]


def buckets_of_packed(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    order: NDArray[np.int64],
    blocks: NDArray[np.int64],
    start: NDArray[np.uint32],
    n_before: int,
    found: NDArray[np.int16],
) -> None:
    """Hash texts that lie one behind another, on from a state; write each one's bucket.

    Parameters
    ----------
    data : array of uint8
    offsets : array of shape (n_texts + 1,)
        Where each begins, and the last ends.
    order : array of shape (n_texts,)
        Which to hash first.
    blocks : array of shape (n_texts,)
        How many blocks each takes, in that order; they must not rise.
    start : array of shape (8,)
        The state.
    n_before : int
        Bytes that went into it.
    found : array of shape (n_texts,)
        Is written: the first 60 bits of the digest modulo 10,000.
    """
    _buckets(data, offsets, order, blocks, start, _ROUND, n_before, _LANES, found)
