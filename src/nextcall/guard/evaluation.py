"""How good risks are: recall where few harmless texts are taken for attacks, source by source."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from nextcall.guard.fitting import HeldOut
from nextcall.guard.model import GuardModel
from nextcall.guard.signatures import FAMILIES
from nextcall.guard.training_texts import BENIGN


def held_out_risks(held: HeldOut, model: GuardModel) -> pd.DataFrame:
    """Put risks of texts of sources never seen into a frame, a row a text.

    Returns
    -------
    pandas.DataFrame
        ``text``, ``label``, ``source``, the risk of each family, and ``any``, the largest.
    """
    risks = model.risks(held.scores)
    frame = pd.DataFrame(
        {
            "text": [row.text for row in held.rows],
            "label": [row.label for row in held.rows],
            "source": [row.source for row in held.rows],
        }
    )
    frame[list(FAMILIES)] = risks
    frame["any"] = risks.max(axis=1)
    return frame


def threshold_at(benign: ArrayLike, *, rate: float) -> float:
    """Give the lowest threshold that at most a share `rate` of harmless texts reaches.

    Raises
    ------
    ValueError
        Where `rate` is not between 0 and 1, or there are no texts.

    Examples
    --------
    >>> threshold_at([0.1, 0.2, 0.3, 0.4], rate=0.25)
    0.30000000000000004
    """
    if not 0 <= rate < 1:
        raise ValueError(f"rate must lie between 0 and 1, got {rate}.")
    ordered = np.sort(np.asarray(benign, np.float64))
    if not len(ordered):
        raise ValueError("benign must hold at least one risk, got none.")
    allowed = int(np.floor(rate * len(ordered)))
    return float(np.nextafter(ordered[len(ordered) - 1 - allowed], np.inf))


def share_interval(hits: int, number: int, *, level: float = 0.95) -> tuple[float, float]:
    """Give an interval of a share.

    Raises
    ------
    ValueError
        Where `number` is below 1.

    References
    ----------
    Wilson (1927), JASA 22(158).

    Examples
    --------
    >>> [round(end, 3) for end in share_interval(8, 10)]
    [0.49, 0.943]
    """
    if number < 1:
        raise ValueError(f"number must be at least 1, got {number}.")
    z = float(norm.ppf((1 + level) / 2))
    share = hits / number
    middle = (share + z * z / (2 * number)) / (1 + z * z / number)
    half = (
        z / (1 + z * z / number) * np.sqrt(share * (1 - share) / number + (z / (2 * number)) ** 2)
    )
    return float(middle - half), float(middle + half)


def share_table(
    risks: pd.DataFrame, *, by: Sequence[str], column: str = "any", threshold: float = 0.5
) -> pd.DataFrame:
    """Count which texts reach a threshold, by group.

    Parameters
    ----------
    risks : pandas.DataFrame
        As `held_out_risks` gives it.
    by : sequence of str
        Columns that tell groups apart.
    column : str
        Whose risk is looked at.
    threshold : float
        Risk from which a text counts.

    Returns
    -------
    pandas.DataFrame
        Columns `by`, ``texts``, ``share`` and the ends of its 95 % interval.
    """
    reached = risks.assign(reached=risks[column] >= threshold)
    table = reached.groupby(list(by))["reached"].agg(["size", "sum"]).reset_index()
    ends = [
        share_interval(int(hits), int(size)) for size, hits in table[["size", "sum"]].to_numpy()
    ]
    table["share"] = table["sum"] / table["size"]
    table["from"], table["to"] = zip(*ends, strict=True)
    return table.rename(columns={"size": "texts"}).drop(columns="sum")


def summary(risks: pd.DataFrame, *, rate: float = 0.01) -> dict[str, float]:
    """Compute the figures that a run is compared by.

    Parameters
    ----------
    risks : pandas.DataFrame
        As `held_out_risks` gives it.
    rate : float
        Share of harmless texts that may be taken for attacks.

    Returns
    -------
    dict of str to float
        ``any.recall`` and ``FAMILY.recall`` at that rate (a family's by its own risk),
        ``shipped.recall``, ``shipped.precision`` and ``shipped.false_positives`` at risk 0.5, and
        ``shipped.worst_source``, the share of the source with most false positives.
    """
    benign = risks["label"] == BENIGN
    figures = {}
    for column in ("any", *FAMILIES):
        attacks = risks["label"] == column if column != "any" else ~benign
        threshold = threshold_at(risks.loc[benign, column], rate=rate)
        figures[f"{column}.recall"] = _share(risks.loc[attacks, column] >= threshold)
    shipped = risks["any"] >= 0.5
    figures["shipped.recall"] = _share(shipped[~benign])
    figures["shipped.precision"] = _share(~benign[shipped])
    figures["shipped.false_positives"] = _share(shipped[benign])
    by_source = shipped[benign].groupby(risks.loc[benign, "source"]).mean()
    figures["shipped.worst_source"] = float(by_source.max())
    return figures


def _share(reached: "pd.Series[bool]") -> float:
    values: NDArray[np.bool_] = reached.to_numpy(dtype=bool)
    return float(values.mean()) if len(values) else float("nan")
