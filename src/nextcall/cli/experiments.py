"""The verbs `run` and `report`: experiments into reports, reports into an index."""

from pathlib import Path
from typing import Annotated

import typer

from nextcall.cli.console import fail, note, print_table, progress


def run(
    experiment: Annotated[Path, typer.Argument(help="experiments/NAME.yaml")],
    *,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="A parameter of the notebook; repeatable."
        ),
    ] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="Run small, to NAME-smoke.")] = False,
    if_changed: Annotated[
        bool,
        typer.Option(
            "--if-changed", help="Keep a report whose notebook, package and data are the same."
        ),
    ] = False,
    output: Annotated[Path, typer.Option(help="Folder of all reports.")] = Path("reports"),
) -> None:
    """Run the notebook of an experiment; leave a report and rebuild the index."""
    from nextcall.runs.experiment import load_experiment
    from nextcall.runs.index import write_index
    from nextcall.runs.notebook import NotebookError, declared_parameters
    from nextcall.runs.parameters import parse_settings
    from nextcall.runs.result import format_result
    from nextcall.runs.run import run_experiment
    from nextcall.runs.table import table_rows

    loaded = load_experiment(experiment)
    overrides = parse_settings(declared_parameters(loaded.notebook_path), settings or [])
    note(f"{loaded.name}: {loaded.question}")
    try:
        done = run_experiment(
            loaded,
            output=output,
            overrides=overrides,
            smoke=smoke,
            if_changed=if_changed,
            progress=progress,
        )
    except NotebookError as error:
        fail(str(error))
    if not done.executed:
        note("Nothing changed since the report was made; it was kept.")
    names = done.manifest.figures or {name: name for name in done.result}
    print_table(
        ["figure", "value"],
        [[label, format_result(done.result, name)] for name, label in names.items()],
    )
    if loaded.table:
        note("")
        print_table(
            [loaded.table.metric, *loaded.table.sets.values()],
            table_rows(loaded.table, done.result),
        )
    index = write_index(output)
    note(f"Report: {done.report}\nIndex:  {index}")


def report(
    *,
    reports: Annotated[Path, typer.Option(help="Folder of all reports.")] = Path("reports"),
    readme: Annotated[
        bool, typer.Option("--readme", help="Also write the table of results of the README.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 where the README is stale.")
    ] = False,
    readme_path: Annotated[Path, typer.Option(help="The README.")] = Path("README.md"),
    experiments: Annotated[
        Path, typer.Option(help="Folder of the experiments whose tables the README shows.")
    ] = Path("experiments"),
) -> None:
    """List all runs and build the index page over them."""
    from nextcall.runs.experiment import load_experiment
    from nextcall.runs.index import read_index, write_index
    from nextcall.runs.readme import update_readme

    if readme or check:
        tables = [load_experiment(path) for path in sorted(experiments.glob("*.yaml"))]
        fresh = update_readme(readme_path, tables, reports=reports, check=check)
        if check:
            note(
                f"{readme_path} is {'up to date' if fresh else 'stale: nextcall report --readme'}."
            )
            raise typer.Exit(code=0 if fresh else 1)
        note(f"{readme_path} {'was up to date' if fresh else 'was written'}.")
    columns = ["name", "figures", "finished", "commit", "state"]
    print_table(
        columns,
        [
            [
                run.folder.name,
                "; ".join(f"{label} {value}" for label, value in run.figures.items()),
                run.manifest.finished,
                (run.manifest.commit or "")[:10],
                ", ".join(run.flags),
            ]
            for run in read_index(reports).runs
        ],
    )
    note(f"Index: {write_index(reports)}")
