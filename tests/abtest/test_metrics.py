"""The vocabulary refuses what cannot be, and says which columns it reads."""

import pytest

from nextcall.abtest.metrics import Aim, Mean, Proportion, Quantile, Ratio


def test_each_metric_names_itself_and_its_columns() -> None:
    mean = Mean("revenue", covariate=["before", "visits"])
    assert (mean.name, mean.columns) == ("revenue", ("revenue", "before", "visits"))
    ratio = Ratio("clicks", "sessions", covariate=("c", "s"))
    assert (ratio.name, ratio.columns) == ("clicks / sessions", ("clicks", "sessions", "c", "s"))
    assert Mean("revenue", covariate="before").covariates == ("before",)
    share = Proportion("bought")
    assert (share.name, share.columns) == ("bought", ("bought",))
    quantile = Quantile("latency", 0.95)
    assert (quantile.name, quantile.columns) == ("latency (quantile 0.95)", ("latency",))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"better": "up"}, r"better must be one of .*, got 'up'"),
        ({"alternative": "both"}, "alternative must be one of"),
        ({"margin": 0.0}, "margin must be above 0, got 0.0"),
        ({"equivalence": -1.0}, "equivalence must be above 0"),
        ({"margin": 0.1, "equivalence": 0.1}, "two questions"),
    ],
)
def test_an_aim_that_cannot_be_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Aim(**options)  # type: ignore[arg-type]


def test_metrics_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="winsorize must rise within"):
        Mean("a", winsorize=(0.9, 0.1))
    with pytest.raises(ValueError, match="share must lie between 0 and 1, got 95"):
        Quantile("a", 95)
    with pytest.raises(ValueError, match=r"must name a numerator and a denominator, got .'x'."):
        Ratio("a", "b", covariate="x")
