"""A split that stays: whether a group tests is decided by its name, not by a draw."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np

from nextcall.sessions.splits import Split

_BITS: Final = 53  # all that a float tells apart
_LEAST, _MOST = 0.5, 2.0  # rows that test, as a part of their share


def split_by_hash(groups: Sequence[str], *, test_share: float, purpose: str) -> Split:
    """Let those groups test whose names hash low: the same ones as data come and go.

    A group tests where `hash_place` puts it below the share. So what tested once is tested on
    always, and no seed matters. Only where this goes wrong, as it does for few groups, others
    count: while less than half of the share tests, more groups do, in the order of their places;
    one that would carry the test part beyond twice its share is left to train. Where every group
    would, the one with the fewest rows tests. Both parts have at least one group.

    Parameters
    ----------
    groups : sequence of str
        What each row belongs to, as a session or a user; at least two different ones.
    test_share : float
        Share of the rows that test, about; in (0, 1).
    purpose : str
        Splits for other purposes are independent of this one; at most 64 bytes.

    Raises
    ------
    ValueError
        Where the share is out of range, there are fewer than two groups, or the purpose is longer.

    Examples
    --------
    >>> few = [f"s{number}" for number in range(50)]
    >>> many = [f"s{number}" for number in range(500)]
    >>> one, other = (split_by_hash(each, test_share=0.1, purpose="a") for each in (few, many))
    >>> len(one.test), len(other.test), set(one.test) <= set(other.test)
    (4, 51, True)
    """
    if not 0 < test_share < 1:
        raise ValueError(f"test_share must be in (0, 1), got {test_share}.")
    sizes = Counter(groups)
    if len(sizes) < 2:
        raise ValueError(f"groups must hold at least two different groups, got {len(sizes)}.")
    places = {name: hash_place(name, purpose=purpose) for name in sizes}
    order = sorted(sizes, key=lambda name: (places[name], name))
    least = _LEAST * test_share * len(groups)
    most = min(_MOST * test_share, (1 + test_share) / 2) * len(groups)  # some are left to train
    tested, rows = set[str](), 0
    for name in order:
        if places[name] >= test_share and rows >= least:
            break
        if rows + sizes[name] <= most:
            tested.add(name)
            rows += sizes[name]
    if not tested:
        tested.add(min(order, key=lambda name: sizes[name]))
    tests = np.array([name in tested for name in groups])
    return Split(train=np.flatnonzero(~tests), test=np.flatnonzero(tests))


def hash_place(name: str, *, purpose: str) -> float:
    """Place a name in [0, 1): the same in every process, and as good as drawn.

    Parameters
    ----------
    name : str
    purpose : str
        Places for other purposes are independent; at most 64 bytes.

    Raises
    ------
    ValueError
        Where the purpose is longer.

    Examples
    --------
    >>> round(hash_place("s1", purpose="a"), 3), round(hash_place("s1", purpose="b"), 3)
    (0.01, 0.706)
    """
    told, key = name.encode("utf-8", "surrogatepass"), purpose.encode()
    if len(key) > hashlib.blake2b.MAX_KEY_SIZE:
        raise ValueError(f"purpose must have at most 64 bytes, got {len(key)}.")
    digest = hashlib.blake2b(told, digest_size=8, key=key).digest()
    return (int.from_bytes(digest, "big") >> (64 - _BITS)) / 2.0**_BITS
