"""The drawing shows what the table says."""

import numpy as np
import pandas as pd

from nextcall.guard.plots import plot_shares


def test_each_source_has_its_row_and_share() -> None:
    table = pd.DataFrame(
        {
            "label": ["benign", "xss"],
            "source": ["a", "b"],
            "share": [0.01, 1.0],
            "from": [0.0, 0.9],
            "to": [0.05, 1.0],
        }
    )
    (axes,) = plot_shares(table).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["benign, a", "xss, b"]
    assert np.asarray(axes.lines[0].get_xdata()).tolist() == [0.01, 1.0]
