"""Quantities of the cases of the kinds ``ope`` and ``interleaving``, by name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from nextcall.abtest.case_fields import Answer, Quantities, level, rows_of_file, whole
from nextcall.abtest.logged_actions import LoggedActions
from nextcall.abtest.off_policy import evaluate_policy
from nextcall.abtest.preference import delta_ab, sign_test

_SWITCH: Final = 5.0
"""Of the quantity ``switch_dr_lambda5``."""


def ope_quantities(case: Mapping[str, object], folder: Path) -> Quantities:
    """Evaluate a policy on the log in the case's file, by every method.

    Parameters
    ----------
    case : mapping
        ``file`` (columns action, reward, pscore, pi_e_0, ..., q_hat_0, ...) and ``n_actions``.
    folder : Path
        What a relative ``file`` is relative to.

    Raises
    ------
    ValueError
        Where the case or its file lacks something or holds what cannot be.
    """
    n_actions = whole(case, "n_actions", least=0)
    rows = rows_of_file(case, folder)
    chances = [f"pi_e_{action}" for action in range(n_actions)]
    model = [f"q_hat_{action}" for action in range(n_actions)]
    for column in ("action", "reward", "pscore", *chances, *model):
        if column not in rows.columns:
            raise ValueError(f"file must have a column {column}, got {list(rows.columns)}.")
        if not np.isfinite(pd.to_numeric(rows[column], errors="coerce")).all():
            raise ValueError(f"file must hold finite numbers in column {column}.")
    if not rows["pscore"].between(0, 1, inclusive="right").all():
        raise ValueError("file must hold chances above 0, up to 1, in column pscore.")
    logged = LoggedActions(
        action=rows["action"].to_numpy(),
        reward=rows["reward"].to_numpy(dtype=float),
        propensity=rows["pscore"].to_numpy(dtype=float),
        target=rows[chances].to_numpy(dtype=float),
        predicted=rows[model].to_numpy(dtype=float),
    )
    ips = evaluate_policy(logged, method="ips")
    dr = evaluate_policy(logged, method="dr")
    return {
        "ips": ips.value,
        "snips": evaluate_policy(logged, method="snips").value,
        "dm": evaluate_policy(logged, method="dm").value,
        "dr": dr.value,
        "sndr": evaluate_policy(logged, method="sndr").value,
        "switch_dr_lambda5": evaluate_policy(logged, method="switch_dr", switch=_SWITCH).value,
        "ess": ips.overlap.effective_size,
        "ips_se": ips.se,
        "dr_se": dr.se,
    }


def interleaving_quantities(
    case: Mapping[str, object],
    folder: Path,  # noqa: ARG001  # every kind takes it
) -> Quantities:
    """Test the wins of two rankers.

    Parameters
    ----------
    case : mapping
        ``wins_a``, ``wins_b``, ``ties``.
    folder : Path
        Not used.

    Raises
    ------
    ValueError
        Where the case lacks something or holds what cannot be.

    Examples
    --------
    >>> case = {"wins_a": 40, "wins_b": 55, "ties": 105, "alpha": 0.05}
    >>> found = interleaving_quantities(case, Path())
    >>> {name: round(value, 4) for name, value in found.items()}
    {'sign_p_value': 0.1505, 'delta_ab': 0.0375}
    """
    level(case)
    a, b, ties = (whole(case, name, least=0) for name in ("wins_a", "wins_b", "ties"))
    return {"sign_p_value": sign_test(a, b), "delta_ab": delta_ab(a, b, ties)}


QUANTITIES: Final[Mapping[str, Answer]] = {
    "ope": ope_quantities,
    "interleaving": interleaving_quantities,
}
