"""Pictures of plans, of tests, of two rankers, and of how often tests are wrong."""

from nextcall.abtest.effect_plots import plot_effects, plot_segments
from nextcall.abtest.look_plots import plot_path, plot_sample_ratio
from nextcall.abtest.plan_plots import plot_plan
from nextcall.abtest.ranker_plots import plot_paired, plot_users, plot_values
from nextcall.abtest.validity_plots import plot_pvalues, plot_shares

__all__ = [
    "plot_effects",
    "plot_paired",
    "plot_path",
    "plot_plan",
    "plot_pvalues",
    "plot_sample_ratio",
    "plot_segments",
    "plot_shares",
    "plot_users",
    "plot_values",
]
