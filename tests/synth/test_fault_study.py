import numpy as np
import pandas as pd

from nextcall.synth.anomalies import KINDS
from nextcall.synth.fault_study import LAWS, draw_fault_study


def _study() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    laws = {name: LAWS[name] for name in ("counts, 3 clients", "latency")}
    study = draw_fault_study(
        laws,
        rng=np.random.default_rng(0),
        series=2,
        clean_series=1,
        history=500,
        minutes=2_500,
        sizes=[4.0],
    )
    return study.planted, study.truth, study.clean


def test_faults_lie_after_the_history_where_the_truth_says() -> None:
    planted, truth, clean = _study()
    assert len(planted) == 2 * (3 + 1) * 3_000
    assert len(clean) == (3 + 1) * 3_000
    for _, own in planted.groupby(["law", "series", "entity"], sort=False):
        assert (own["fault"].to_numpy()[:500] == -2).all()
        assert (own["fault"].to_numpy()[500:] >= -1).all()
        assert own["time"].is_monotonic_increasing
    assert set(truth.loc[truth["law"] == "counts, 3 clients", "kind"]) == set(KINDS)
    assert set(truth.loc[truth["law"] == "latency", "kind"]) == set(KINDS) - {"behaviour/mix"}
    for fault in truth.to_dict("records"):
        same = [planted[name] == fault[name] for name in ("law", "series", "entity")]
        own = planted[same[0] & same[1] & same[2]].reset_index(drop=True)
        rows = own.index[own["fault"] == fault["fault"]]
        assert rows.min() == fault["first"]
        assert rows.max() <= fault["last"]
        assert own["time"][fault["first"]] == fault["start"]


def test_nothing_is_planted_where_nothing_should_be() -> None:
    clean = _study()[2]
    assert sorted(set(clean["fault"])) == [-2, -1]
