"""`nextcall run` and `nextcall report`, from the command line to the files."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from nextcall.cli.experiments import report, run

NOTEBOOK = """\
# %% tags=["parameters"]
seed: int = 0
out: str = "."
count: int = 3

# %%
import json
from pathlib import Path

result = {"all.ours.count": 12 // count, "all.theirs.count": 1}
Path(out, "result.json").write_text(json.dumps(result))
"""
EXPERIMENT = """\
notebook: notebooks/counting.py
question: How many?
figures: {all.ours.count: Ours}
table: {metric: count, systems: {ours: Ours, theirs: Theirs}, sets: {all: All}}
"""

FIGURES = ["figure", "value", "Ours", "3", "count", "All", "Ours", "3", "Theirs", "1"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    for name, text in {
        "notebooks/counting.py": NOTEBOOK,
        "experiments/counting.yaml": EXPERIMENT,
        "README.md": "<!-- results:begin -->\n<!-- results:end -->\n",
    }.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture(autouse=True)
def _inside(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    # The package may be edited while tests run.
    monkeypatch.setattr("nextcall.runs.run.package_sha256", lambda: "same")


def _call(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(run)
    app.command()(report)
    return CliRunner().invoke(app, arguments)


@pytest.fixture(scope="module")
def ran(project: Path) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        patch.setattr("nextcall.runs.run.package_sha256", lambda: "same")
        return _call("run", "experiments/counting.yaml", "--set", "count=4")


def test_a_run_prints_its_figures_and_where_its_report_lies(ran: Result, project: Path) -> None:
    assert ran.exit_code == 0
    assert ran.stdout.split() == FIGURES
    assert "reports/counting/report.html" in ran.stderr
    assert (project / "reports" / "index.html").is_file()
    result = json.loads((project / "reports" / "counting" / "result.json").read_text())
    assert result == {"all.ours.count": 3, "all.theirs.count": 1}


@pytest.mark.usefixtures("ran")
def test_an_unchanged_report_is_kept_and_that_is_said() -> None:
    again = _call("run", "experiments/counting.yaml", "--set", "count=4", "--if-changed")
    assert again.exit_code == 0
    assert "Nothing changed" in again.stderr
    assert again.stdout.split() == FIGURES


@pytest.mark.usefixtures("ran")
def test_an_experiment_without_a_table_prints_its_results_alone(project: Path) -> None:
    path = project / "experiments" / "counting.yaml"
    before = path.read_text()
    path.write_text("\n".join(before.splitlines()[:-1]))
    again = _call("run", "experiments/counting.yaml", "--set", "count=4", "--if-changed")
    path.write_text(before)
    assert again.stdout.split() == FIGURES[:4]


def test_a_failed_notebook_ends_with_one_line(project: Path) -> None:
    failed = _call("run", "experiments/counting.yaml", "--set", "count=0", "--output", "other")
    assert failed.exit_code == 2
    assert "ZeroDivisionError" in failed.stderr
    assert (project / "other" / "counting.failed" / "counting.ipynb").is_file()


@pytest.mark.parametrize(
    ("setting", "fault"),
    [("cuont=1", "must be a parameter"), ("count=x", "count must be int"), ("count", "name=value")],
)
def test_a_bad_setting_is_refused(setting: str, fault: str) -> None:
    refused = _call("run", "experiments/counting.yaml", "--set", setting)
    assert isinstance(refused.exception, ValueError)
    assert fault in str(refused.exception)


@pytest.mark.usefixtures("ran")
def test_a_report_lists_the_runs_and_writes_the_readme(project: Path) -> None:
    listed = _call("report")
    assert listed.exit_code == 0
    assert "counting  Ours 3" in listed.stdout
    stale = _call("report", "--check")
    assert stale.exit_code == 1
    assert "README.md is stale" in stale.stderr
    written = _call("report", "--readme")
    assert "README.md was written" in written.stderr
    assert "| Ours | **3** |" in (project / "README.md").read_text()
    fresh = _call("report", "--readme", "--check")
    assert fresh.exit_code == 0
    assert "up to date" in fresh.stderr
    assert "was up to date" in _call("report", "--readme").stderr
