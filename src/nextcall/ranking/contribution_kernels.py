"""The compiled loops of `TreeContributions`: steps that a row meets, and what each of them adds."""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled
from nextcall.ranking.tree_text import ZERO

Floats: TypeAlias = NDArray[np.float64]
Singles: TypeAlias = NDArray[np.float32]
Steps: TypeAlias = tuple[NDArray[np.int64], Singles, Singles, NDArray[np.uint8], Floats]
"""Feature, above, highest, odd and share of each, as in `TreeContributions`."""

OF_MISSING, OF_ZERO = 1, 2  # bits: a value that is missing, or zero, meets a step
_BLOCK: Final = 64  # leaves side by side; what is kept of them stays in the first cache


@compiled()
def add_contributions(
    rows: Singles,
    leaves: tuple[NDArray[np.int64], Floats],
    steps: Steps,
    rules: tuple[Floats, Floats],
    added: Floats,
) -> None:
    """Add to `added` what each feature adds to the scores; arrays are those of the class."""
    counts, values = leaves
    features, shares = steps[0], steps[4]
    own = np.empty(rows.shape[1], dtype=np.float32)
    kinds = np.empty(rows.shape[1], dtype=np.uint8)
    met = np.empty((len(counts), _BLOCK), dtype=np.float64)
    gains = np.empty_like(met)
    kept = np.empty((2, len(counts), _BLOCK), dtype=np.float64)
    product = np.empty(_BLOCK, dtype=np.float64)
    for r in range(len(rows)):
        for feature in range(rows.shape[1]):
            value = rows[r, feature]
            zero = abs(value) <= ZERO
            own[feature] = np.nan if zero else value
            kinds[feature] = OF_ZERO if zero else (OF_MISSING if np.isnan(value) else 0)
        leaf, start = 0, 0
        for n_steps in range(len(counts)):
            count = counts[n_steps]
            for first in range(0, count, _BLOCK):
                n = min(_BLOCK, count - first)
                at = start + first
                _meet(steps, (at, count, n_steps, n), own, kinds, met)
                worth = values[leaf + first : leaf + first + n]
                _integrate(worth, shares, (at, count, n_steps), rules, met, kept, product, gains)
                for i in range(n_steps):
                    for x in range(n):
                        step = at + i * count + x
                        added[r, features[step]] += gains[i, x] * (met[i, x] - shares[step])
            leaf += count
            start += count * n_steps


@compiled()
def _meet(
    steps: Steps,
    place: tuple[int, int, int, int],
    own: Singles,
    kinds: NDArray[np.uint8],
    met: Floats,
) -> None:
    """Tell by 1 and 0 which steps of a block the values meet; an odd one is NaN in `own`."""
    features, above, highest, odd, _ = steps
    first, count, n_steps, n = place
    for i in range(n_steps):
        at = first + i * count
        asked, low, high = features[at : at + n], above[at : at + n], highest[at : at + n]
        others, meets = odd[at : at + n], met[i]
        for x in range(n):
            value = own[asked[x]]
            within = (value <= high[x]) & (not value <= low[x])
            meets[x] = within | ((others[x] & kinds[asked[x]]) != 0)


@compiled()
def _integrate(
    worth: Floats,
    shares: Floats,
    place: tuple[int, int, int],
    rules: tuple[Floats, Floats],
    met: Floats,
    kept: Floats,
    product: Floats,
    gains: Floats,
) -> None:
    """Give the mean, over t, of each leaf's worth times the factors of all its other steps."""
    points, weights = rules
    first, count, n_steps = place
    factors, products = kept[0], kept[1]
    n, n_points = len(worth), (n_steps + 1) // 2
    rule = n_points * (n_points - 1) // 2
    gains[:n_steps] = 0.0
    for p in range(rule, rule + n_points):
        known, unknown = points[p], 1.0 - points[p]
        for x in range(n):
            product[x] = weights[p] * worth[x]
        for i in range(n_steps):  # what stands before each step
            at = first + i * count
            share, meets = shares[at : at + n], met[i]
            factor, before = factors[i], products[i]
            for x in range(n):
                before[x] = product[x]
                factor[x] = known * meets[x] + unknown * share[x]
                product[x] *= factor[x]
        product[:] = 1.0
        for i in range(n_steps - 1, -1, -1):  # times what stands behind it
            factor, before, gain = factors[i], products[i], gains[i]
            for x in range(n):
                gain[x] += before[x] * product[x]
                product[x] *= factor[x]
