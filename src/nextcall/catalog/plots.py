"""Pictures of a catalogue's operations and of its operation graph."""

from nextcall.catalog.graph_plots import plot_flow, plot_found, plot_precision, plot_producers
from nextcall.catalog.operation_plots import (
    plot_actions,
    plot_hits,
    plot_lengths,
    plot_map,
    plot_service_sizes,
    plot_twins,
)

__all__ = [
    "plot_actions",
    "plot_flow",
    "plot_found",
    "plot_hits",
    "plot_lengths",
    "plot_map",
    "plot_precision",
    "plot_producers",
    "plot_service_sizes",
    "plot_twins",
]
