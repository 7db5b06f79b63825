"""The verb `synth`: sessions over a catalogue, and the truth about them."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from nextcall.cli.console import note, print_frame, progress


class SessionFormat(StrEnum):
    """Files that hold a session table."""

    PARQUET = "parquet"
    JSONL = "jsonl"


def synth(
    *,
    catalog: Annotated[Path, typer.Option(help="A built catalogue, or catalog.jsonl.")],
    output: Annotated[Path, typer.Option(help="Folder for sessions, truth and manifest.")],
    sessions: Annotated[int, typer.Option(min=1, help="How many sessions.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 0,
    days: Annotated[int, typer.Option(min=1, help="Span of the sessions, in days.")] = 30,
    users: Annotated[int, typer.Option(min=1, help="How many users.")] = 500,
    noise: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of calls that fail, are mistaken or the last."),
    ] = 0.0,
    drift_day: Annotated[
        float | None, typer.Option(help="Day on which workflow and popularity change.")
    ] = None,
    learn: Annotated[
        Path | None, typer.Option(help="Sessions to learn the workflow from; else a prior.")
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="Queries (JSONL) whose prompts users say; else summaries.")
    ] = None,
    session_format: Annotated[
        SessionFormat, typer.Option("--format", help="File format of the sessions.")
    ] = SessionFormat.PARQUET,
) -> None:
    """Simulate sessions over a catalogue, with prompts, times and users."""
    import numpy as np

    from nextcall.catalog.load import load_catalog
    from nextcall.files import sha256_file
    from nextcall.sessions.table import load_sessions
    from nextcall.synth.fidelity import fidelity
    from nextcall.synth.noise import Noise
    from nextcall.synth.save import load_prompts, save_simulation
    from nextcall.synth.settings import SimulationSettings
    from nextcall.synth.simulate import simulate
    from nextcall.synth.users import UserHabits
    from nextcall.synth.workflow import learn_workflow

    settings = SimulationSettings(
        days=days, users=UserHabits(users=users), noise=Noise.of_level(noise), drift_day=drift_day
    )
    operations = load_catalog(catalog)
    workflow = None
    if learn is not None:
        seen = load_sessions(learn).groupby("session_id", sort=False)["operation_id"]
        workflow = learn_workflow(operations, (list(calls) for _, calls in seen))
    simulation = simulate(
        operations,
        rng=np.random.default_rng(seed),
        n_sessions=sessions,
        workflow=workflow,
        prompts=None if prompts is None else load_prompts(prompts),
        settings=settings,
        progress=progress,
    )
    inputs = {"catalog": catalog, "learn": learn, "prompts": prompts}
    written = save_simulation(
        simulation,
        output,
        session_format=session_format.value,
        manifest={
            "seed": seed,
            "sessions": sessions,
            "inputs": {
                name: {"file": path.name, "sha256": sha256_file(path)}
                for name, path in inputs.items()
                if path is not None
            },
        },
    )
    print_frame(fidelity(simulation)[["name", "value", "limit", "passes"]])
    note(f"Wrote {len(simulation.sessions):,} calls to {written}.")
