"""Comparisons as a table."""

from collections.abc import Sequence

import pandas as pd

from nextcall.abtest.comparison import Comparison


def comparison_frame(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Give a row a comparison; what is believed of it too, where that was asked."""
    return pd.DataFrame([_row(each) for each in comparisons])


def _row(each: Comparison) -> dict[str, object]:
    row: dict[str, object] = {
        "metric": each.metric,
        "control": each.control,
        "treatment": each.treatment,
        "n_control": each.n_control,
        "n_treatment": each.n_treatment,
        "control_estimate": each.control_estimate,
        "treatment_estimate": each.treatment_estimate,
        "difference": each.difference.value,
        "ci_lower": each.difference.ci_lower,
        "ci_upper": each.difference.ci_upper,
        "relative": each.relative.value,
        "relative_ci_lower": each.relative.ci_lower,
        "relative_ci_upper": each.relative.ci_upper,
        "pvalue": each.pvalue,
        "adjusted_pvalue": each.adjusted_pvalue,
        "outcome": each.outcome,
        "method": each.look.method,
        "variance_reduction": each.variance_reduction,
        "warnings": "; ".join(each.warnings),
    }
    if each.posterior is not None:
        row |= {
            "chance_to_win": each.posterior.chance_to_win,
            "loss_treatment": each.posterior.loss_treatment,
            "loss_control": each.posterior.loss_control,
            "rope_share": each.posterior.rope_share,
        }
    return row
