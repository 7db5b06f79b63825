"""The verb `demo`: the main job on real input, from the installed packages to a report."""

from pathlib import Path
from typing import Annotated

import typer

from nextcall.cli.console import note, print_frame, print_table, progress

_EXAMPLE = "attach the policy to the role"
_HISTORY = ("iam:CreatePolicy", "iam:CreateRole")


def demo(
    *,
    experiment: Annotated[Path, typer.Option(help="The experiment whose report is made.")] = Path(
        "experiments/next-call.yaml"
    ),
    output: Annotated[Path, typer.Option(help="Folder of all reports.")] = Path("reports"),
) -> None:
    """Build the AWS catalogue, train, evaluate, report, and answer one prompt.

    What was built is kept, keyed by content: a second run only looks.
    """
    from nextcall.catalog.aws import read_aws
    from nextcall.cli.experiments import run
    from nextcall.locations import cache_dir, data_dir
    from nextcall.ranking.model_files import load_ranker
    from nextcall.sessions import calls_of
    from nextcall.sessions.awscli_examples import read_awscli_examples
    from nextcall.sessions.jsonl import write_queries
    from nextcall.training.opening import open_for_model, open_index

    catalog = read_aws(progress=progress)
    catalog_path = data_dir() / "catalogs" / "aws.parquet"
    catalog.save(catalog_path)
    prompts = read_awscli_examples(catalog, progress=progress)
    write_queries(prompts, data_dir() / "catalogs" / "aws-prompts.jsonl")
    note(
        f"{catalog_path}: {len(catalog):,} operations of {len(catalog.services)} services, "
        f"{len(prompts):,} real prompts."
    )
    open_index(catalog, cache=cache_dir(), progress=progress)  # so that its progress is seen
    run(experiment, settings=None, smoke=False, if_changed=True, output=output)
    model = data_dir() / "models" / "aws"
    ranker, card = load_ranker(model)
    index = open_for_model(catalog, model, card, cache=cache_dir(), progress=progress)
    answers = ranker.rank(index, _EXAMPLE, calls_of(_HISTORY), k=5)
    typer.echo(f"\n{_EXAMPLE!r} after {', '.join(_HISTORY)}:")
    print_table(
        ("rank", "operation", "confidence", "summary"),
        [
            (a.rank, a.operation.operation_id, a.confidence, a.operation.summary[:60])
            for a in answers
        ],
    )
    reasons = ranker.explain(index, _EXAMPLE, calls_of(_HISTORY), k=1)
    typer.echo("\nWhat spoke most for the first answer:")
    named = reasons[reasons["feature"] != "(base)"]
    print_frame(named.head(4)[["feature", "value", "contribution"]])
    typer.echo(f"\nModel of {card.trained_at}: {model}")
    typer.echo(f"Report: {output / experiment.stem / 'report.html'}")
    typer.echo(f"All reports: {output / 'index.html'}")
    typer.echo('Ask it: nextcall predict "list my buckets", or over HTTP: make serve')
