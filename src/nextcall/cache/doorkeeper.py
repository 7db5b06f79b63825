"""What stands before a cache that shall not be filled with what nobody asks for again."""

from typing import Final

_MOST: Final = 20_000  # hashes, of 32 bytes and a place in a set


class Doorkeeper:
    """Knows which texts came before, by hashes that only this process can tell.

    Most of what is asked is asked once. To keep a value only where its text comes a second time
    costs the first one a look into a set, and leaves the room of a cache to those that return. The
    older half is forgotten where there are too many. Threads share it.

    Parameters
    ----------
    most : int
        Texts that are known, at least 2.

    References
    ----------
    The doorkeeper of Einziger, Friedman & Manes (2017), TinyLFU, ACM TOS 13(4), with exact hashes
    in the place of a Bloom filter.

    Examples
    --------
    >>> door = Doorkeeper()
    >>> door.again("list users"), door.again("list users"), door.again("List users")
    (False, True, False)
    """

    def __init__(self, most: int = _MOST) -> None:
        if most < 2:
            raise ValueError(f"most must be at least 2, got {most}.")
        self._half = most // 2
        self._newer: set[int] = set()
        self._older: set[int] = set()

    def again(self, text: str) -> bool:
        """Tell whether a text came before; from now on it did."""
        digest, newer = hash(text), self._newer
        if digest in newer:
            return True
        is_known = digest in self._older
        newer.add(digest)
        if len(newer) >= self._half:
            self._older, self._newer = newer, set()
        return is_known
