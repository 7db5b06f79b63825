"""Answers to shared cases of quantiles and clusters, by the names other tools' answers have."""

from collections.abc import Mapping
from math import nan
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pandas as pd

from nextcall.abtest.case_fields import (
    Answer,
    Quantities,
    arms_of_file,
    level,
    number,
    rows_of_file,
)
from nextcall.abtest.clusters import Clusters, clustered_difference
from nextcall.abtest.effect import difference
from nextcall.abtest.means import mean_arm
from nextcall.abtest.moments import Moments
from nextcall.abtest.quantiles import quantile_arm, quantile_interval
from nextcall.abtest.relative_effect import relative_difference
from nextcall.abtest.resampled_quantiles import resampled_difference


def quantile_quantities(case: Mapping[str, object], folder: Path) -> Quantities:
    """Answer a case of kind ``quantile``: `q`, `file` with columns variant and y, `alpha`.

    Analytic intervals are by the spacing of order statistics, as the case asks: that of the 95 %
    interval whatever `alpha` is, for an error belongs to no level. ``boot_`` ones are the exact
    limit of resampling.

    Raises
    ------
    ValueError
        Where the file or an option cannot be.
    """
    alpha, share = level(case), number(case, "q")
    if not 0 < share < 1:
        raise ValueError(f"q must lie between 0 and 1, got {share}.")
    arms = [rows[:, 0] for rows in arms_of_file(case, folder, ["y"])]
    found = [quantile_arm(arm, share, method="spacing").arm for arm in arms]
    absolute = difference(*found, alpha=alpha)
    relative = relative_difference(*found, alpha=alpha)
    control, treatment = arms
    percentile = resampled_difference(control, treatment, share, alpha=alpha)
    basic = resampled_difference(control, treatment, share, interval="basic", alpha=alpha)
    known: Quantities = {
        "control": found[0].estimate,
        "treatment": found[1].estimate,
        "abs_effect": absolute.value,
        "abs_ci_low": absolute.ci_lower,
        "abs_ci_high": absolute.ci_upper,
        "abs_p_value": absolute.pvalue,
        "abs_se": absolute.se,
        "rel_delta_effect": relative.value,
        "rel_delta_ci_low": relative.ci_lower,
        "rel_delta_ci_high": relative.ci_upper,
        "rel_delta_p_value": relative.pvalue,
        "rel_delta_se": relative.se,
        "boot_basic_ci_low": basic.ci_lower,
        "boot_basic_ci_high": basic.ci_upper,
        "boot_pct_ci_low": percentile.ci_lower,
        "boot_pct_ci_high": percentile.ci_upper,
        "boot_se": percentile.se,
    }
    for arm, letter in zip(arms, "ct", strict=True):
        low, high = quantile_interval(arm, share, alpha=alpha)
        known |= {f"arm_os_{letter}_low": low, f"arm_os_{letter}_high": high}
    return known


def cluster_quantities(case: Mapping[str, object], folder: Path) -> Quantities:
    """Answer a case of kind ``cluster``: `file` with columns cluster, variant and y, `alpha`.

    Raises
    ------
    ValueError
        Where the file or an option cannot be.
    """
    alpha, clusters = level(case), _clusters(case, folder)
    crossed = bool(clusters.rows.all(axis=1).any())
    cr1 = clustered_difference(clusters, method="cr1", alpha=alpha)
    cr2 = clustered_difference(clusters, alpha=alpha)
    naive = [mean_arm(Moments.of(rows)) for rows in arms_of_file(case, folder, ["y"])]
    return {
        "abs_effect": cr1.value,
        "cr1_se": cr1.se,
        "cr1_p_t": cr1.pvalue,
        "cr1_p_z": clustered_difference(clusters, method="cr1", normal=True).pvalue,
        "cr1_ci_low": cr1.ci_lower,
        "cr1_ci_high": cr1.ci_upper,
        "df": cr1.dof,
        "delta_se": nan if crossed else clustered_difference(clusters, method="delta").se,
        "naive_se": difference(*naive, pooled=True).se,
        "cr2_se": cr2.se,
        "cr2_df": cr2.dof,
        "cr2_p_t": cr2.pvalue,
        "cr2_ci_low": cr2.ci_lower,
        "cr2_ci_high": cr2.ci_upper,
    }


def _clusters(case: Mapping[str, object], folder: Path) -> Clusters:
    arms_of_file(case, folder, ["y"])  # refuses what cannot be
    frame = rows_of_file(case, folder).dropna(subset="y")
    if "cluster" not in frame or frame["cluster"].hasnans:
        raise ValueError(f"{case['file']} must have a column 'cluster', known for each row.")
    codes, _ = pd.factorize(frame["cluster"])
    return Clusters.of(frame["y"], (frame["variant"] == "treatment").to_numpy(), codes)


QUANTITIES: Final[Mapping[str, Answer]] = MappingProxyType(
    {"quantile": quantile_quantities, "cluster": cluster_quantities}
)
