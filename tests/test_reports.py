"""The committed reports belong to the notebooks that are here, and the README to the reports."""

from pathlib import Path

import pytest

from nextcall.runs.check import check_manifest
from nextcall.runs.experiment import load_experiment
from nextcall.runs.readme import update_readme

ROOT = Path(__file__).parent.parent
EXPERIMENTS = sorted(ROOT.glob("experiments/*.yaml"))


def test_there_are_experiments() -> None:
    assert {path.stem for path in EXPERIMENTS} >= {
        "explore-catalog",
        "next-call",
        "synthetic-fidelity",
    }


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_the_committed_report_is_of_this_notebook_and_of_a_clean_tree(path: Path) -> None:
    assert check_manifest(ROOT / "reports" / path.stem, ROOT) == []


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_the_committed_report_can_be_sent_by_mail(path: Path) -> None:
    report = ROOT / "reports" / path.stem / "report.html"
    assert 10_000 < report.stat().st_size < 1_500_000


def test_the_readme_shows_what_the_reports_say() -> None:
    experiments = [load_experiment(path) for path in EXPERIMENTS]
    assert update_readme(ROOT / "README.md", experiments, reports=ROOT / "reports", check=True)
