"""Routes of jobs: ask for one, see how far it is, cancel it."""

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from nextcall.access.audit_event import AuditEvent
from nextcall.access.audit_log import AuditLog
from nextcall.jobs.job import Job, JobEndedError, JobsFullError, UnknownJobError
from nextcall.jobs.store import Also
from nextcall.serve.bodies import BODY_REFUSALS, Body, body_schema, read_as, refused
from nextcall.serve.door.admission import admission_of
from nextcall.serve.jobs.kinds import GENERATE, TRAIN, data_file
from nextcall.serve.jobs.schemas import GenerateAsked, JobAnswer, JobsAnswer, TrainAsked
from nextcall.serve.jobs.service_jobs import ServiceJobs
from nextcall.serve.problems import Problem, RefusedError, json_response

Form = TypeVar("Form", TrainAsked, GenerateAsked)
_Responses = dict[int | str, dict[str, Any]]

_AWAY: Final[_Responses] = {
    503: {"model": Problem, "description": "The database is out of reach; ask again."},
}
_UNKNOWN: Final[_Responses] = {
    **_AWAY,
    404: {"model": Problem, "description": "There is no such job."},
    422: BODY_REFUSALS[422],
}
_TAKEN: Final[_Responses] = {
    202: {
        "model": JobAnswer,
        "description": "The job is kept, and waits.",
        "headers": {
            "Location": {
                "description": "Where the job is told, from here.",
                "schema": {"type": "string"},
            }
        },
    },
    409: {"model": Problem, "description": "As many jobs wait as may."},
    **_AWAY,
    **BODY_REFUSALS,
}


def job_routes(jobs: ServiceJobs, audit: AuditLog | None = None) -> APIRouter:
    """Make ``POST /train``, ``POST /generate-data`` and ``/jobs``; who asks is in the audit log."""
    router = APIRouter(tags=["jobs"])

    @router.post(
        "/train",
        status_code=HTTPStatus.ACCEPTED,
        responses=_TAKEN,
        openapi_extra=_asks(TrainAsked),
    )
    def train(request: Request, body: Body) -> Response:
        """Train a model over the catalogue that is served; it is put into use if it is as good."""
        return _asked(jobs, TRAIN, read_as(TrainAsked, body), request, audit)

    @router.post(
        "/generate-data",
        status_code=HTTPStatus.ACCEPTED,
        responses=_TAKEN,
        openapi_extra=_asks(GenerateAsked, required=False),
    )
    def generate_data(request: Request, body: Body) -> Response:
        """Simulate sessions over the catalogue that is served, and the truth about them."""
        asked = read_as(GenerateAsked, body) if body else GenerateAsked()
        return _asked(jobs, GENERATE, asked, request, audit)

    @router.get("/jobs", responses={**_AWAY, 422: BODY_REFUSALS[422]})
    def page(
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    ) -> JobsAnswer:
        """Give jobs, the newest first."""
        found, now = jobs.store.page(limit=limit, offset=offset), datetime.now(UTC)
        return JobsAnswer(jobs=[JobAnswer.of(each, now=now) for each in found])

    @router.get("/jobs/{job_id}", responses=_UNKNOWN)
    def get(job_id: str) -> JobAnswer:
        """Give a job as it stands."""
        found = _told(lambda: jobs.store.get(job_id))
        return JobAnswer.of(found, now=datetime.now(UTC))

    @router.post(
        "/jobs/{job_id}/cancel",
        responses={
            **_UNKNOWN,
            409: {"model": Problem, "description": "The job has ended."},
        },
    )
    def cancel(job_id: str, request: Request) -> JobAnswer:
        """Cancel a job: at once where it waits, else within seconds."""
        also, now = _kept(audit, "cancel", request), datetime.now(UTC)
        found = _told(lambda: jobs.store.cancel(job_id, now=now, also=also))
        return JobAnswer.of(found, now=now)

    return router


def _asked(
    jobs: ServiceJobs, kind: str, asked: Form, request: Request, audit: AuditLog | None
) -> Response:
    """Keep a job, and say where it is told."""
    for field, name in asked.files().items():
        if name is not None:
            try:
                data_file(jobs.settings.data_dir, name)
            except ValueError as error:
                raise refused(field, str(error), name) from error
    now = datetime.now(UTC)
    job = _told(
        lambda: jobs.store.add(
            kind,
            asked.model_dump(mode="json"),
            scope=jobs.scope,
            now=now,
            asked_by=_name(request),
            also=_kept(audit, kind, request),
        )
    )
    jobs.runner.wake()
    response = json_response(JobAnswer.of(job, now=now), status=HTTPStatus.ACCEPTED)
    response.headers["location"] = f"jobs/{job.job_id}"
    return response


def _told(ask: Callable[[], Job]) -> Job:
    """Turn what the queue refuses into answers."""
    try:
        return ask()
    except UnknownJobError as error:
        raise RefusedError(Problem(error=str(error)), status=HTTPStatus.NOT_FOUND) from error
    except (JobEndedError, JobsFullError) as error:
        raise RefusedError(Problem(error=str(error)), status=HTTPStatus.CONFLICT) from error


def _name(request: Request) -> str | None:
    principal = admission_of(request).principal
    return None if principal is None else principal.name


def _kept(audit: AuditLog | None, action: str, request: Request) -> Also | None:
    """Give what tells the audit log of a job, in the transaction that keeps it."""
    if audit is None:
        return None
    name, user = _name(request), admission_of(request).user
    told = {"request_id": getattr(request.state, "request_id", None)}
    if user != name:
        told["of_user"] = user

    def keep(connection: Any, job: Job) -> None:
        details = {"job_id": job.job_id, **told}
        event = AuditEvent(
            at=datetime.now(UTC), kind="system", action=f"job: {action}", user=name, details=details
        )
        audit.append(connection, event)

    return keep


def _asks(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{model.__name__}"}
    return body_schema(reference, required=required)
