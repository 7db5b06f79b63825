"""Pictures of what is odd in series, and of how well that is found."""

from nextcall.anomaly.grid_plots import plot_grid
from nextcall.anomaly.nab_plots import plot_outcomes, plot_overall, plot_scores
from nextcall.anomaly.series_plots import plot_series

__all__ = ["plot_grid", "plot_outcomes", "plot_overall", "plot_scores", "plot_series"]
