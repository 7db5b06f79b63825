"""The README's table and picture come from the report's files alone."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from nextcall.runs.experiment import Experiment, load_experiment
from nextcall.runs.manifest import MANIFEST, read_manifest, write_manifest
from nextcall.runs.readme import BEGIN, END, update_readme


@pytest.fixture
def experiment(project: Path) -> Experiment:
    return load_experiment(project / "experiments" / "counting.yaml")


def test_the_block_is_written_and_what_is_around_it_stays(
    project: Path, experiment: Experiment
) -> None:
    readme, reports = project / "README.md", project / "reports"
    assert not update_readme(readme, [experiment], reports=reports)
    assert readme.read_text() == (
        "# Count\n\n<!-- results:begin -->\n\n"
        "|  | All things |\n| --- | ---: |\n| Our way | **0.500** |\n| Their way | 0.250 |\n\n"
        "Share that counts. From [reports/counting](reports/counting/result.json), "
        "written by `nextcall run experiments/counting.yaml`.\n\n"
        "![The share.](reports/counting/picture.png)\n\n"
        "<!-- results:end -->\n\nThe end.\n"
    )
    assert update_readme(readme, [experiment], reports=reports)


def test_a_check_writes_nothing_and_sees_a_typed_figure(
    project: Path, experiment: Experiment
) -> None:
    readme, reports = project / "README.md", project / "reports"
    before = readme.read_text()
    assert not update_readme(readme, [experiment], reports=reports, check=True)
    assert readme.read_text() == before
    update_readme(readme, [experiment], reports=reports)
    assert update_readme(readme, [experiment], reports=reports, check=True)
    readme.write_text(readme.read_text().replace("0.500", "0.900"))
    assert not update_readme(readme, [experiment], reports=reports, check=True)


def test_a_changed_result_makes_the_readme_stale(project: Path, experiment: Experiment) -> None:
    readme, reports = project / "README.md", project / "reports"
    update_readme(readme, [experiment], reports=reports)
    path = reports / "counting" / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"all.ours.rate": 0.1}))
    assert not update_readme(readme, [experiment], reports=reports, check=True)


def test_experiments_without_a_table_and_tables_without_a_picture(
    project: Path, experiment: Experiment
) -> None:
    assert experiment.table
    plain = replace(experiment, table=replace(experiment.table, picture="", caption=""))
    bare = replace(experiment, table=None)
    update_readme(project / "README.md", [bare, plain], reports=project / "reports")
    text = (project / "README.md").read_text()
    assert text.count("| Our way |") == 1
    assert "![" not in text
    assert "\nFrom [reports/counting]" in text


@pytest.mark.parametrize("text", ["", BEGIN, END, f"{END}\n{BEGIN}", f"{BEGIN}\n{END}\n{END}"])
def test_markers_must_be_there_once_each(project: Path, text: str) -> None:
    readme = project / "README.md"
    readme.write_text(text)
    with pytest.raises(ValueError, match=r"must hold <!-- results:begin --> and below it"):
        update_readme(readme, [], reports=project / "reports")


def test_a_small_run_and_a_missing_picture_are_refused(
    project: Path, experiment: Experiment
) -> None:
    folder = project / "reports" / "counting"
    (folder / "picture.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"picture\.png: table.picture must exist"):
        update_readme(project / "README.md", [experiment], reports=folder.parent)
    write_manifest(replace(read_manifest(folder / MANIFEST), smoke=True), folder / MANIFEST)
    with pytest.raises(ValueError, match=r"small run must not be shown in README\.md"):
        update_readme(project / "README.md", [experiment], reports=folder.parent)
