"""How much of alpha a test may have spent by a share of its information."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import e, expm1, log1p, sqrt
from types import MappingProxyType
from typing import Final, Literal, get_args

from scipy.special import ndtr, ndtri

from nextcall.abtest.effect import check_alpha

Family = Literal["obrien-fleming", "pocock", "power", "hwang-shih-decani"]
"""Lan and DeMets' two, t to a power, and Hwang, Shih and DeCani's."""

_FAMILIES: Final = get_args(Family)
_LARGEST: Final = 700.0  # e to the power of it is finite


@dataclass(frozen=True, slots=True)
class Spending:
    """A rule by which alpha is spent as information comes.

    Parameters
    ----------
    family : {"obrien-fleming", "pocock", "power", "hwang-shih-decani"}
    parameter : float
        Of "power", above 0: 1 spends evenly, 3 is close to O'Brien and Fleming. Of
        "hwang-shih-decani", any: 1 is close to Pocock, -4 to O'Brien and Fleming. The others have
        none.

    Raises
    ------
    ValueError
        Where one is out of its range.

    References
    ----------
    Lan & DeMets (1983), Biometrika 70(3); Kim & DeMets (1987), Biometrika 74(1); Hwang, Shih &
    DeCani (1990), Statistics in Medicine 9(12).

    Examples
    --------
    >>> [round(Spending("power", 2.0).spent(share, alpha=0.05), 4) for share in (0.2, 0.5, 1.0)]
    [0.002, 0.0125, 0.05]
    """

    family: Family = "obrien-fleming"
    parameter: float = 2.0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.family not in _FAMILIES:
            raise ValueError(f"family must be one of {_FAMILIES}, got {self.family!r}.")
        if self.family == "power" and not self.parameter > 0:
            raise ValueError(f"parameter of power must be above 0, got {self.parameter}.")
        if self.family == "hwang-shih-decani" and not abs(self.parameter) < _LARGEST:
            raise ValueError(
                f"parameter of hwang-shih-decani must lie within {_LARGEST:g} of 0, "
                f"got {self.parameter}."
            )

    def spent(self, share: float, *, alpha: float) -> float:
        """Give what may be spent by a share of the planned information; all of alpha from 1 on.

        Raises
        ------
        ValueError
            Where `share` is below 0 or `alpha` not between 0 and 1.
        """
        check_alpha(alpha)
        if not share >= 0:
            raise ValueError(f"share must be at least 0, got {share}.")
        if share >= 1:
            return alpha
        return _RULES[self.family](share, alpha, self.parameter) if share > 0 else 0.0


def _obrien_fleming(share: float, alpha: float, _: float) -> float:
    return 2 * float(ndtr(ndtri(alpha / 2) / sqrt(share)))


def _pocock(share: float, alpha: float, _: float) -> float:
    return alpha * log1p((e - 1) * share)


def _power(share: float, alpha: float, parameter: float) -> float:
    return alpha * float(share**parameter)


def _hwang_shih_decani(share: float, alpha: float, parameter: float) -> float:
    return alpha * (expm1(-parameter * share) / expm1(-parameter) if parameter else share)


_RULES: Final[Mapping[str, Callable[[float, float, float], float]]] = MappingProxyType(
    {
        "obrien-fleming": _obrien_fleming,
        "pocock": _pocock,
        "power": _power,
        "hwang-shih-decani": _hwang_shih_decani,
    }
)
