"""Recall of planted faults at one rate of false alarms, ours beside plain formulas and peers.

    python benchmarks/planted_faults.py --peer-python /venv/with/river/libspot/pyod/bin/python

Draws counts and latencies, with the season of a week and flat, of one client and of three: two
weeks of history, then two weeks with the twenty kinds of faults in sizes of 3 to 6 standard
deviations; and series of the same laws without. Each detector's threshold is the lowest at which
the latter alarm at the rate. Published detectors score in a process of their own, where installed;
`nextcall.anomaly.fault_detection` has the rules. Prints a table, or writes JSON to ``--output``.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before the libraries load

import numpy as np
import pandas as pd
from json_output import give, parser_of
from numpy.typing import NDArray

from nextcall.anomaly import peer_scores
from nextcall.anomaly.fault_detection import (
    detect_faults,
    random_alarms,
    recall_table,
    series_numbers,
)
from nextcall.anomaly.fault_scores import OURS, score_rows
from nextcall.synth.fault_study import LAWS, draw_fault_study

_RATES = {"1/1440": 1 / 1440, "1/600": 1 / 600}


class Peers:
    """Published detectors in a process of their own."""

    def __init__(self, python: str, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [python, peer_scores.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        )
        self.names: list[str] = self._read()

    def score(
        self, name: str, values: NDArray[np.float64], lengths: Sequence[int]
    ) -> tuple[NDArray[np.float64], float]:
        """Give scores and the seconds of CPU time that they took."""
        source, target = self._folder / "values.npy", self._folder / "scores.npy"
        np.save(source, values)
        if self._process.stdin is None:
            raise RuntimeError("the peers' pipe is closed.")
        request = [name, str(source), list(lengths), str(target)]
        print(json.dumps(request), file=self._process.stdin, flush=True)
        seconds = float(self._read())
        return np.load(target), seconds

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _read(self) -> Any:  # JSON
        if self._process.stdout is None:
            raise RuntimeError("the peers' pipe is closed.")
        return json.loads(self._process.stdout.readline())


def _scores(
    name: str, frame: pd.DataFrame, rate: float, peers: Peers
) -> tuple[NDArray[np.float64], float]:
    begin = time.process_time()
    if name in {*OURS, *peer_scores.PLAIN}:
        return score_rows(name, frame, rate=rate), time.process_time() - begin
    lengths = np.bincount(series_numbers(frame)).tolist()
    return peers.score(name, frame["value"].to_numpy(dtype=np.float64), lengths)


def _summary(name: str, rate: str, faults: pd.DataFrame, alarms: pd.DataFrame) -> dict[str, Any]:
    whole = recall_table(faults.assign(detector=name), ["detector"]).iloc[0]
    parts = {
        by: {
            str(row[by]): {
                "n": int(row["n"]),
                "recall": float(row["recall"]),
                "delay": row["delay"],
            }
            for row in recall_table(faults, [by]).to_dict("records")
        }
        for by in ("kind", "family", "law")
    }
    sized = recall_table(faults[faults["unit"] == "sigma"], ["size"])
    return {
        "detector": name,
        "rate": rate,
        "faults": int(whole["n"]),
        "recall": float(whole["recall"]),
        "recall_low": float(whole["low"]),
        "recall_high": float(whole["high"]),
        "median_delay": float(whole["delay"]),
        "false_alarms_over_rate": float((alarms["false_rate"] / _RATES[rate]).mean()),
        "by_size": dict(zip(sized["size"].astype(str), sized["recall"].astype(float), strict=True)),
        **{f"by_{by}": part for by, part in parts.items()},
    }


def main() -> None:
    """Run, and print or write."""
    parser = parser_of(__doc__, seed=0)
    parser.add_argument("--series", type=int, default=2, help="of each law with faults")
    parser.add_argument("--clean-series", type=int, default=3, help="of each law without")
    parser.add_argument("--peer-python", default=sys.executable)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    study = draw_fault_study(
        LAWS, rng=rng, series=arguments.series, clean_series=arguments.clean_series
    )
    rows = []
    with TemporaryDirectory() as folder:
        peers = Peers(arguments.peer_python, Path(folder))
        missing = sorted(set(peer_scores.PUBLISHED) - set(peers.names))
        names = [*OURS, *peer_scores.PLAIN, *peers.names]
        for name in names:
            scored: dict[float, Any] = {}
            for label, rate in _RATES.items():
                asked = rate if name in OURS else 0.0  # others do not know the rate
                if asked not in scored:
                    scored[asked] = (
                        _scores(name, study.planted, rate, peers),
                        _scores(name, study.clean, rate, peers),
                    )
                (planted, taken), (clean, taken_too) = scored[asked]
                faults, alarms = detect_faults(
                    study.planted,
                    study.truth,
                    study.clean,
                    planted_scores=planted,
                    clean_scores=clean,
                    rate=rate,
                )
                row = _summary(name, label, faults, alarms)
                row["rows_per_second"] = round(
                    (len(planted) + len(clean)) / max(taken + taken_too, 1e-9)
                )
                rows.append(row)
                print(
                    f"{name:30s} {label:7s} recall {row['recall']:.3f} "
                    f"[{row['recall_low']:.3f}, {row['recall_high']:.3f}] "
                    f"median delay {row['median_delay']:5.1f} "
                    f"false {row['false_alarms_over_rate']:.2f}",
                    file=sys.stderr,
                    flush=True,
                )
        peers.close()
    chance = {
        label: float(random_alarms(study.planted, study.truth, rate=rate, rng=rng)["found"].mean())
        for label, rate in _RATES.items()
    }
    result = {
        "benchmark": "planted_faults",
        "seed": arguments.seed,
        "rows_with_faults": len(study.planted),
        "rows_without": len(study.clean),
        "not_installed": missing,
        "recall_of_random_alarms": chance,
        "detectors": rows,
    }
    give(result, arguments.output)


if __name__ == "__main__":
    main()
