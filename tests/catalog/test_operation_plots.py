from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from nextcall.catalog import Catalog, Parameter, describe_operation, operation_plots


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """Three services of 6, 3 and 1 operations; the last one does what no verb tells."""
    names = {
        "shop": ["ListOrders", "GetOrder", "CreateOrder", "DeleteOrder", "ListItems", "GetItem"],
        "mail": ["SendMail", "ListMails", "GetMail"],
        "odd": ["Zork"],
    }
    return Catalog(
        "three",
        tuple(
            describe_operation(
                operation_id=f"{service}:{name}",
                service=service,
                description="Some words " * place,
                parameters=tuple(
                    Parameter(name=f"p{number}", required=number == 0) for number in range(place)
                ),
            )
            for service, own in names.items()
            for place, name in enumerate(own)
        ),
    )


def test_service_sizes_fall_from_the_largest_on(
    catalog: Catalog, draw: Callable[[Figure], Any]
) -> None:
    panel = draw(operation_plots.plot_service_sizes(catalog, named=2)).axes[0]
    assert list(panel.lines[0].get_ydata()) == [6, 3, 1]
    texts = [text.get_text() for text in panel.texts]
    assert texts == ["shop", "mail", "median 3"]
    assert panel.get_title() == "The largest 1 of 3 services hold 60% of the operations"


def test_lengths_count_every_operation(catalog: Catalog, draw: Callable[[Figure], Any]) -> None:
    left, right = draw(operation_plots.plot_lengths(catalog)).axes
    heights = [bar.get_height() for bar in left.containers[0]]
    assert heights[:6] == [3, 2, 2, 1, 1, 1]
    assert sum(patch.get_height() for patch in right.patches) == len(catalog)
    assert "30% require none" in left.get_title()


def test_actions_are_shares_of_each_service(
    catalog: Catalog, draw: Callable[[Figure], Any]
) -> None:
    panel = draw(operation_plots.plot_actions(catalog, services=2)).axes[0]
    shown = np.asarray(panel.images[0].get_array())
    np.testing.assert_allclose(shown.sum(axis=1), 1.0)
    assert [label.get_text() for label in panel.get_yticklabels()] == [
        "all services",
        "shop",
        "mail",
    ]
    listed = [label.get_text() for label in panel.get_xticklabels()].index("list")
    np.testing.assert_allclose(shown[:, listed], [0.3, 1 / 3, 1 / 3])


def test_a_map_counts_who_lies_beside_their_like(draw: Callable[[Figure], Any]) -> None:
    rng = np.random.default_rng(0)
    left = rng.normal(0, 1, (40, 2))
    points = np.vstack([left, left + 100])
    apart = ["a"] * 40 + ["b"] * 40
    many = [f"label {number}" for number in range(80)]
    panels = draw(operation_plots.plot_map(points, {"side": apart, "name": many})).axes
    assert panels[0].get_title() == "100% lie next to one of the same side"
    assert panels[1].get_title() == "0% lie next to one of the same name"
    assert sum(len(part.get_offsets()) for part in panels[1].collections) == 80
    colours = {tuple(part.get_facecolor()[0]) for part in panels[1].collections}
    assert len(colours) == 8


def test_twins_are_counted_at_the_marks(draw: Callable[[Figure], Any]) -> None:
    cosines = np.linspace(0.5, 0.999, 1000)
    figure = draw(
        operation_plots.plot_twins({"text": cosines, "name": cosines - 0.1}, marks=(0.9,))
    )
    share = (cosines >= 0.9).mean()
    assert f"{share:.0%} from 0.9 on" in figure.axes[0].get_title()
    x, y = (np.asarray(values, dtype=float) for values in figure.axes[0].lines[0].get_data())
    assert y[np.searchsorted(x, 0.9)] == pytest.approx(share)


def test_hits_are_drawn_with_their_intervals(draw: Callable[[Figure], Any]) -> None:
    table = pd.DataFrame(
        {
            "search": ["names", "names", "texts", "texts"],
            "group": ["far", "near", "far", "near"],
            "n": [1000, 20, 1000, 20],
            "hit": [0.5, 0.2, 0.8, 0.4],
            "low": [0.4, 0.1, 0.7, 0.3],
            "high": [0.6, 0.5, 0.9, 0.6],
        }
    )
    panel = draw(operation_plots.plot_hits(table, by="cosine")).axes[0]
    spans = [segment[:, 1] for bars in panel.collections for segment in bars.get_segments()]
    np.testing.assert_allclose(spans, table[["low", "high"]])
    assert "by names are right for 50% of the prompts (far)" in panel.get_title()
    assert panel.get_xticklabels()[0].get_text() == "far\n1,000 prompts"
    assert panel.get_xlabel() == "cosine"
