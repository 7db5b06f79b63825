"""A case to check a tool against: its numbers in, every quantity that is computed of them out."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from nextcall.abtest import (
    case_counts,
    case_design,
    case_means,
    case_quantiles,
    case_rankers,
    case_sequential,
)
from nextcall.abtest.case_fields import Answer, Quantities

_KINDS: Final[Mapping[str, Answer]] = MappingProxyType(
    {
        **case_counts.QUANTITIES,
        **case_design.QUANTITIES,
        **case_means.QUANTITIES,
        **case_quantiles.QUANTITIES,
        **case_rankers.QUANTITIES,
        **case_sequential.QUANTITIES,
    }
)


_ASKED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "alternative": (),
        "confidence_level": (),
        "correction": (),
        "covariate": (),
        "direction": ("noninferiority",),
        "equal_var": (),
        "margin": ("noninferiority",),
        "method": (),
        "null": (),
        "prior": ("bayes_normal",),
        "strata": (),
        "unit": (),
        "use_t": (),
        "weights": ("srm",),
        "winsorize": (),
    }
)
"""Fields that would change what is asked, and the kinds that read them."""


def kinds() -> tuple[str, ...]:
    """Give the kinds of cases that are known.

    Examples
    --------
    >>> "mean" in kinds()
    True
    """
    return tuple(sorted(_KINDS))


def quantities(case: Mapping[str, object], folder: Path) -> Quantities:
    """Compute every quantity of a case.

    Parameters
    ----------
    case : mapping
        ``kind`` and what that kind needs: numbers, or ``file``, a CSV file.
    folder : Path
        What a relative ``file`` is relative to.

    Returns
    -------
    mapping of str to float or list of float
        ``nan`` where a quantity cannot be known.

    Raises
    ------
    ValueError
        Where the kind is none, or a field is missing, cannot be, or asks what its kind does not
        answer; fields that ask nothing (``id``) are left alone.
    OSError
        Where the file cannot be read.

    Examples
    --------
    >>> case = {"kind": "srm", "observed": [4990, 5010], "weights": [0.5, 0.5]}
    >>> round(quantities(case, Path())["p_value"], 4)
    0.8415
    """
    kind = case.get("kind")
    if kind not in _KINDS:
        raise ValueError(f"kind must be one of {kinds()}, got {kind!r}.")
    for name, readers in _ASKED.items():
        if case.get(name) is not None and kind not in readers:
            raise ValueError(f"{name} is not asked of kind {kind!r}, got {case[name]!r}.")
    return _KINDS[str(kind)](case, folder)
