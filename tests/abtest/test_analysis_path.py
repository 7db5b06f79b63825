import numpy as np
import pandas as pd
import pytest

from nextcall.abtest.analysis import analyze
from nextcall.abtest.analysis_path import analyze_path
from nextcall.abtest.look import LookPlan
from nextcall.abtest.metrics import Mean, Metric, Quantile, Ratio


@pytest.mark.parametrize("strata", [None, "country"])
def test_each_look_says_what_analyze_says_of_the_rows_so_far(strata: str | None) -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"variant": rng.choice(["A", "B", "C"], 3_000)})
    rows["spent"], rows["visits"] = rng.normal(5, 1, 3_000), rng.poisson(3, 3_000) + 1
    rows["country"] = rng.choice(["de", "fr"], 3_000)
    rows["spent"] += 3 * (rows["country"] == "fr")
    metrics: list[Metric] = [Mean("spent"), Ratio("spent", "visits")]
    plan = LookPlan(n=2_000)
    batches = [rows.iloc[begin : begin + 1_000] for begin in (0, 1_000, 2_000)]
    found = analyze_path(batches, control="A", metrics=metrics, plan=plan, strata=strata)
    earlier: list[float] = []
    for place, seen in enumerate(found):
        so_far = rows.iloc[: 1_000 * (place + 1)]
        whole = analyze(
            so_far, control="A", metrics=metrics, strata=strata, plan=plan, earlier=earlier
        )
        for one, other in zip(seen.comparisons, whole.comparisons, strict=True):
            assert one.difference.ci_lower == pytest.approx(other.difference.ci_lower, rel=1e-9)
            assert one.pvalue == pytest.approx(other.pvalue, rel=1e-6)
        earlier.append(seen.units["A"] + seen.units["B"])


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one, got none"):
        analyze_path([], control="A", metrics=[Mean("spent")], plan=LookPlan(n=10))
    with pytest.raises(ValueError, match="needs all rows at once"):
        analyze_path([], control="A", metrics=[Quantile("spent", 0.5)], plan=LookPlan(n=10))
