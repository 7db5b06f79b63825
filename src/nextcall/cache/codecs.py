"""How values become bytes and back, where another process reads them: never by pickle."""

import json
from typing import Final, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

V = TypeVar("V")


class Codec(Protocol[V]):
    """Writes values as bytes that another process can read."""

    def encode(self, value: V) -> bytes:
        """Write a value."""
        ...

    def decode(self, data: bytes) -> V:
        """Read what `encode` wrote; raises ValueError for anything else."""
        ...


class JsonCodec:
    """Writes what JSON has: a tuple comes back as a list, and every key of a dict as a text.

    Examples
    --------
    >>> JsonCodec().decode(JsonCodec().encode({"k": [1, None, "é"]}))
    {'k': [1, None, 'é']}
    """

    def encode(self, value: object) -> bytes:
        """Write a value.

        Raises
        ------
        TypeError, ValueError
            Where JSON has no such value; not a number is none.
        """
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", "surrogatepass")

    def decode(self, data: bytes) -> object:
        """Read what `encode` wrote.

        Raises
        ------
        ValueError
            For anything else.
        """
        value: object = json.loads(data.decode("utf-8", "surrogatepass"))
        return value


class BytesCodec:
    """Leaves bytes as they are: an answer that is written already."""

    def encode(self, value: bytes) -> bytes:
        """Give the same."""
        return value

    def decode(self, data: bytes) -> bytes:
        """Give the same."""
        return data


_SINGLE: Final = np.dtype("<f4")


class VectorCodec:
    """Writes vectors of single precision, 4 bytes a number; they come back read-only.

    Parameters
    ----------
    dimensions : int
        Length of each.

    Examples
    --------
    >>> codec = VectorCodec(2)
    >>> codec.decode(codec.encode(np.array([0.6, 0.8], dtype=np.float32)))
    array([0.6, 0.8], dtype=float32)
    """

    def __init__(self, dimensions: int) -> None:
        self._dimensions = dimensions

    def encode(self, value: NDArray[np.float32]) -> bytes:
        """Write a vector.

        Raises
        ------
        ValueError
            Where it has another length, or is none of single precision.
        """
        if value.shape != (self._dimensions,) or value.dtype != np.float32:
            raise ValueError(
                f"value must be float32 of shape ({self._dimensions},), "
                f"got {value.dtype} of {value.shape}."
            )
        return value.astype(_SINGLE, copy=False).tobytes()

    def decode(self, data: bytes) -> NDArray[np.float32]:
        """Read a vector.

        Raises
        ------
        ValueError
            Where the bytes are too few or too many.
        """
        if len(data) != _SINGLE.itemsize * self._dimensions:
            wanted = _SINGLE.itemsize * self._dimensions
            raise ValueError(f"data must be {wanted} bytes, got {len(data)}.")
        return np.frombuffer(data, dtype=_SINGLE).astype(np.float32, copy=False)
