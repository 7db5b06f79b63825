"""All pictures are in one place for notebooks."""

from nextcall.synth import planted_plots, plots, session_plots


def test_every_picture_of_its_parts_is_there() -> None:
    drawn = {
        name
        for module in (planted_plots, session_plots)
        for name in vars(module)
        if name.startswith("plot_")
    }
    assert set(plots.__all__) == drawn
    assert all(hasattr(plots, name) for name in drawn)
