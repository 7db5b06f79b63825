"""What may be asked of jobs over HTTP, and what is told of them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, FiniteFloat, model_validator
from pydantic_core import PydanticCustomError

from nextcall.jobs.job import Job, Status
from nextcall.serve.answers import Answered
from nextcall.serve.schemas import Asked, Whole

DataFile = Annotated[
    str,
    Field(
        max_length=200,
        pattern=r"^([A-Za-z0-9_-][A-Za-z0-9_.-]*/)*[A-Za-z0-9_-][A-Za-z0-9_.-]*\.(jsonl|parquet)$",
        description="A file in the data folder, such as generated/ID/sessions.parquet.",
    ),
]
Seed = Annotated[Whole, Field(ge=0, le=2**31 - 1, description="Of everything that is drawn.")]


class TrainAsked(Asked):
    """What a model is trained on, and how."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"queries": "queries.jsonl"}]})

    queries: DataFile | None = Field(None, description="Prompts with their answers (.jsonl).")
    sessions: DataFile | None = Field(None, description="Observed sessions.")
    seed: Seed = 0
    trees: Whole = Field(150, ge=1, le=2_000, description="The most trees that are grown.")
    simulated: Whole = Field(
        1_200, ge=0, le=20_000, description="Simulated sessions beside what is given."
    )
    encoder: Literal["auto", "static", "minilm"] = Field("auto", description="Encodes prompts.")
    keep_prompts: bool = Field(
        default=True, description="Whether the training prompts are kept beside the model."
    )

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        if self.queries is None and self.sessions is None:
            raise PydanticCustomError("nothing", "Object should name queries or sessions")
        return self

    def files(self) -> dict[str, str | None]:
        """Give the files that are named, by field."""
        return {"queries": self.queries, "sessions": self.sessions}


class GenerateAsked(Asked):
    """What sessions are simulated over the catalogue that is served."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"sessions": 1000, "seed": 7}]})

    sessions: Whole = Field(10_000, ge=1, le=100_000)
    seed: Seed = 0
    days: Whole = Field(30, ge=1, le=3_650, description="Span of the sessions.")
    users: Whole = Field(500, ge=1, le=100_000)
    noise: FiniteFloat = Field(
        0.0, ge=0, le=1, description="Share of calls that fail, are mistaken or the last."
    )
    drift_day: FiniteFloat | None = Field(
        None, ge=0, le=3_650, description="Day on which workflow and popularity change."
    )
    learn: DataFile | None = Field(None, description="Sessions to learn the workflow from.")
    prompts: DataFile | None = Field(None, description="Queries whose prompts users say.")
    format: Literal["parquet", "jsonl"] = Field("parquet", description="Of the sessions.")

    def files(self) -> dict[str, str | None]:
        """Give the files that are named, by field."""
        return {"learn": self.learn, "prompts": self.prompts}


class StageAnswer(Answered):
    """What a job does now."""

    name: str
    done: int
    total: int | None = Field(description="Null where it is not known.")
    percent: float | None = Field(description="Of this stage, not of the job.")
    started_at: datetime
    estimated_end: datetime | None = Field(description="Of this stage, at its pace so far.")


class JobAnswer(Answered):
    """A job as it stands."""

    job_id: str
    kind: str = Field(examples=["train", "generate-data"])
    status: Status = Field(
        description="refused: the work was done, and its outcome was not accepted."
    )
    href: str = Field(description="Where it is told, from the root of the service.")
    arguments: Mapping[str, Any]
    asked_by: str | None
    created_at: datetime
    started_at: datetime | None = Field(description="Of the last attempt.")
    ended_at: datetime | None
    elapsed_seconds: float | None
    attempt: int = Field(description="Times that it was begun.")
    stage: StageAnswer | None
    cancel_asked: bool
    reason: str | None = Field(description="Why it failed, was refused or was begun again.")
    result: Mapping[str, Any] | None

    @classmethod
    def of(cls, job: Job, *, now: datetime) -> Self:
        """Tell of a job."""
        stage, seconds = job.stage, job.seconds(now)
        told = None
        if stage is not None:
            told = StageAnswer(
                name=stage.name,
                done=stage.done,
                total=stage.total,
                percent=stage.percent,
                started_at=stage.started_at,
                estimated_end=None if job.has_ended else stage.estimated_end(now),
            )
        return cls(
            job_id=job.job_id,
            kind=job.kind,
            status=job.status,
            href=f"jobs/{job.job_id}",
            arguments=job.arguments,
            asked_by=job.asked_by,
            created_at=job.created_at,
            started_at=job.started_at,
            ended_at=job.ended_at,
            elapsed_seconds=None if seconds is None else round(seconds, 3),
            attempt=job.attempt,
            stage=told,
            cancel_asked=job.cancel_asked,
            reason=job.reason,
            result=job.result,
        )


class JobsAnswer(Answered):
    """Jobs, the newest first."""

    jobs: list[JobAnswer]


class RollbackAnswer(Answered):
    """One model in the place of another."""

    version: str | None = Field(
        description="Of the model that answers now; null for that of the start."
    )
    before: str | None = Field(description="Of the model that answered until now.")
    model_version: str | None = Field(description="As answers tell it.")
    validation_ndcg: float | None
