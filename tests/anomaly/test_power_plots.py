import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from nextcall.anomaly.power_plots import plot_faults, plot_power, plot_recall_by_kind


def _xs(line: Line2D) -> list[float]:
    found: list[float] = np.asarray(line.get_xdata(), dtype=np.float64).tolist()
    return found


def _ys(line: Line2D) -> list[float]:
    found: list[float] = np.asarray(line.get_ydata(), dtype=np.float64).tolist()
    return found


def _faults() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        {"detector": name, "rate": rate, "kind": kind, "size": size, "unit": unit}
        for name, rate in (("one", 0.001), ("one", 0.01), ("none", 0.001), ("none", 0.01))
        for kind, size, unit in (
            ("spike/point", 3.0, "sigma"),
            ("level_shift/up", 6.0, "sigma"),
            ("behaviour/mix", 0.5, "share"),
        )
        for _ in range(5)
    ]
    table = pd.DataFrame(rows)
    found = (table["detector"] == "one") & (rng.random(len(table)) < 0.8)
    return table.assign(found=found, delay=np.where(found, 2.0, np.nan))


def test_curves_show_the_shares_of_the_table() -> None:
    faults = _faults()
    figure = plot_power(faults, rate=0.001)
    by_size, by_delay, by_rate = figure.axes
    own = faults[(faults["detector"] == "one") & (faults["rate"] == 0.001)]
    sized = own[own["unit"] == "sigma"].groupby("size")["found"].mean()
    assert _ys(by_size.lines[0]) == sized.tolist()
    assert _ys(by_delay.lines[0])[-1] == own["found"].mean()
    assert _ys(by_delay.lines[1]) == [0.0, 0.0]
    assert _xs(by_rate.lines[0]) == [1.44, 14.4]


def test_those_that_find_most_are_named_and_the_others_counted() -> None:
    one = _faults().query("detector == 'one'")
    quieter = [
        one.assign(
            detector=f"detector {kept}",
            found=one["found"] & (one.groupby(["rate"]).cumcount() < kept),
        )
        for kept in range(10)
    ]
    figure = plot_power(pd.concat(quieter), rate=0.001)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[0] == "detector 9"
    assert labels[-1] == "3 others"
    assert len(labels) == 8


def test_cells_show_the_shares_of_kinds_in_their_order() -> None:
    kinds = ["level_shift/up", "trend/rise", "spike/point"]
    figure = plot_recall_by_kind(_faults(), kinds=kinds)
    (panel,) = figure.axes
    assert [label.get_text() for label in panel.get_xticklabels()] == [
        "level shift: up",
        "spike: point",
    ]
    assert [text.get_text() for text in panel.texts][2:] == ["0", "0"]


def test_examples_show_alarms_and_leave_empty_panels_away() -> None:
    minute = np.arange(-5, 5)
    own = {"minute": minute, "value": 3.0, "expected": 2.0, "sigma": 1.0, "faulty": minute >= 0}
    pieces = [
        pd.DataFrame(own | {"example": f"fault {number}", "risk": (minute == 1).astype(float)})
        for number in range(5)
    ]
    figure = plot_faults(pd.concat(pieces))
    assert [panel.get_title() for panel in figure.axes][:5] == [f"fault {n}" for n in range(5)]
    assert _xs(figure.axes[0].lines[-1]) == [1]
    assert sum(panel.axison for panel in figure.axes) == 5
