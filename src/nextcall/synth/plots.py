"""Pictures of simulations, what was planted beside what is found again."""

from nextcall.synth.planted_plots import plot_anomalies, plot_effects
from nextcall.synth.session_plots import (
    plot_drift,
    plot_lengths_and_gaps,
    plot_matrices,
    plot_rates,
    plot_users,
    plot_week,
)

__all__ = [
    "plot_anomalies",
    "plot_drift",
    "plot_effects",
    "plot_lengths_and_gaps",
    "plot_matrices",
    "plot_rates",
    "plot_users",
    "plot_week",
]
