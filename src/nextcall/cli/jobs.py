"""`nextcall jobs`: list, show and cancel what the service does beside answering."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from nextcall.cli.access_options import DatabaseOption, Recorded, opened
from nextcall.cli.console import note, print_table

app = typer.Typer(
    no_args_is_help=True,
    help="List, show and cancel jobs of the service.",
    rich_markup_mode=None,  # as the whole command line
)
JobId = Annotated[str, typer.Argument(help="As `nextcall jobs list` shows it.")]


@app.command("list")
def list_all(
    *,
    limit: Annotated[int, typer.Option(min=1, help="Jobs at most.")] = 20,
    database: DatabaseOption = None,
) -> None:
    """List jobs, the newest first."""
    from nextcall.jobs.store import JobStore

    now = datetime.now(UTC)
    with opened(database) as kept:
        found = JobStore(kept).page(limit=limit)
    rows = []
    for job in found:
        stage = "" if job.stage is None or job.has_ended else job.stage.name
        asked = f"{job.created_at:%Y-%m-%d %H:%M}"
        rows.append((job.job_id, job.kind, job.status, asked, job.seconds(now), stage))
    print_table(("job", "kind", "status", "asked for", "seconds", "stage"), rows)


@app.command("show")
def show(job_id: JobId, *, database: DatabaseOption = None) -> None:
    """Print a job as JSON, as the service tells it."""
    from nextcall.jobs.job import UnknownJobError
    from nextcall.jobs.store import JobStore
    from nextcall.serve.jobs.schemas import JobAnswer

    with opened(database) as kept:
        try:
            job = JobStore(kept).get(job_id)
        except UnknownJobError as error:
            raise ValueError(str(error)) from error
    typer.echo(JobAnswer.of(job, now=datetime.now(UTC)).model_dump_json(indent=1))


@app.command("cancel")
def cancel(job_id: JobId, *, database: DatabaseOption = None) -> None:
    """Cancel a job: at once where it waits, else within seconds."""
    from nextcall.jobs.job import JobEndedError, UnknownJobError
    from nextcall.jobs.store import JobStore

    recorded = Recorded("system", "job: cancel", job_id=job_id)
    with opened(database) as kept:
        try:
            job = JobStore(kept).cancel(
                job_id, now=recorded.now, also=lambda connection, _: recorded(connection)
            )
        except (UnknownJobError, JobEndedError) as error:
            raise ValueError(str(error)) from error
    note("It is cancelled." if job.has_ended else "It runs; its worker ends it within seconds.")
