"""Routes of A/B tests."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from nextcall.access.audit_event import AuditEvent
from nextcall.access.audit_log import AuditLog
from nextcall.serve.bodies import BODY_REFUSALS, Body, BodyRoute, body_schema, read_as, refused
from nextcall.serve.door.admission import admission_of
from nextcall.serve.problems import UNSAFE, Problem, RefusedError, json_response
from nextcall.serve.safety.safety import Safety
from nextcall.serve.trials.answers import (
    AnalysisAnswer,
    AssignAnswer,
    ChangeAnswer,
    HistoryAnswer,
    RecordAnswer,
    TrialAnswer,
    TrialsAnswer,
)
from nextcall.serve.trials.schemas import (
    AssignAsked,
    ChangeAsked,
    RecordAsked,
    StepAsked,
    TrialAsked,
)
from nextcall.trials.definition import TestType
from nextcall.trials.errors import RefusedError as TrialRefusedError
from nextcall.trials.errors import UnknownTrialError
from nextcall.trials.life import Status, Trial
from nextcall.trials.trials import Also, Trials

_TESTS = "/api/ab-testing/tests"
_Responses = dict[int | str, dict[str, Any]]
_AWAY: Final[_Responses] = {
    503: {"model": Problem, "description": "The database is out of reach; ask again."},
}
_ASKED: Final[_Responses] = {**_AWAY, 422: BODY_REFUSALS[422]}
_UNKNOWN: Final[_Responses] = {
    **_ASKED,
    404: {"model": Problem, "description": "There is no such test."},
}
_REFUSALS: Final[_Responses] = {
    **_UNKNOWN,
    **BODY_REFUSALS,
    409: {"model": Problem, "description": "The test stands against it; the reason is told."},
}


def sighting_routes(trials: Trials) -> APIRouter:
    """Make ``POST /api/ab-testing/tests/{test_id}/assign`` and ``record``."""
    router = APIRouter(prefix=_TESTS, tags=["A/B tests"], route_class=BodyRoute)

    @router.post(
        "/{test_id}/assign",
        responses={200: {"model": AssignAnswer}, **_REFUSALS},
        openapi_extra=_asks(AssignAsked),
    )
    async def assign(test_id: str, body: Body) -> Response:
        """Give the variant that a user sees."""
        user = read_as(AssignAsked, body).user_id
        with _told(checked=True):
            variant = await trials.assign_async(test_id, user)
        answer = AssignAnswer(
            test_id=test_id,
            user_id=user,
            variant_id=variant.variant_id,
            variant_name=variant.variant_name,
            configuration=variant.configuration,
        )
        return json_response(answer)

    @router.post(
        "/{test_id}/record",
        responses={200: {"model": RecordAnswer}, **_REFUSALS},
        openapi_extra=_asks(RecordAsked),
    )
    async def record(test_id: str, body: Body) -> Response:
        """Keep what a user did; it is on disk when the answer comes."""
        asked = read_as(RecordAsked, body)
        with _told(checked=True):
            kept = await trials.record_async(
                test_id, asked.user_id, asked.variant_id, asked.metrics, event_id=asked.event_id
            )
        answer = RecordAnswer(test_id=test_id, recorded=kept.recorded, repeated=kept.repeated)
        return json_response(answer)

    return router


def trial_routes(trials: Trials, safety: Safety, audit: AuditLog | None = None) -> APIRouter:
    """Make the other routes below ``/api/ab-testing/tests``; changes are told to the audit log."""
    router = APIRouter(prefix=_TESTS, tags=["A/B tests"])

    @router.post(
        "",
        status_code=HTTPStatus.CREATED,
        responses={201: {"model": TrialAnswer}, 400: UNSAFE, **_AWAY, **BODY_REFUSALS},
        openapi_extra=_asks(TrialAsked),
    )
    def create(request: Request, body: Body) -> Response:
        """Keep a new test, as a draft."""
        asked = read_as(TrialAsked, body)
        with _told(checked=True):
            definition = asked.definition()
        marks = safety.check_trial(_TESTS, asked).marks
        kept = trials.create(definition, also=_kept(audit, "create", request))
        answer = TrialAnswer.of(kept, safety_flags=marks)
        return json_response(answer, status=HTTPStatus.CREATED)

    @router.get("", responses=_ASKED)
    def find(
        status: Status | None = None,
        test_type: TestType | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    ) -> TrialsAnswer:
        """Give tests, the newest first."""
        found = trials.find(status=status, test_type=test_type, limit=limit, offset=offset)
        return TrialsAnswer(tests=[TrialAnswer.of(each) for each in found])

    @router.get("/{test_id}", responses=_UNKNOWN)
    def get(test_id: str) -> TrialAnswer:
        """Give a test as it stands."""
        with _told():
            found = trials.get(test_id)
        return TrialAnswer.of(found)

    @router.put(
        "/{test_id}",
        responses={200: {"model": TrialAnswer}, 400: UNSAFE, **_REFUSALS},
        openapi_extra=_asks(ChangeAsked),
    )
    def change(test_id: str, request: Request, body: Body) -> Response:
        """Give a draft another definition."""
        asked = read_as(ChangeAsked, body)
        with _told(checked=True):
            definition = asked.definition()
        marks = safety.check_trial(f"{_TESTS}/{{test_id}}", asked).marks
        with _told():
            also = _kept(audit, "change", request)
            changed = trials.change(test_id, definition, version=asked.version, also=also)
        return json_response(TrialAnswer.of(changed, safety_flags=marks))

    @router.get("/{test_id}/history", responses=_UNKNOWN)
    def history(test_id: str) -> HistoryAnswer:
        """Give every change of a test, oldest first."""
        with _told():
            found = trials.history(test_id)
        return HistoryAnswer(test_id=test_id, changes=[ChangeAnswer.of(each) for each in found])

    steps = (
        ("start", trials.start, "Run a draft."),
        ("stop", trials.stop, "End a running test for good."),
        ("archive", trials.archive, "Put a draft or a stopped test away."),
    )
    for name, take, told in steps:
        _add_step(router, name, take, told, audit)

    @router.post("/{test_id}/analyze", responses=_UNKNOWN)
    @router.get("/{test_id}/analyze", responses=_UNKNOWN)
    def analyze(test_id: str) -> AnalysisAnswer:
        """Say what a test says now; a winner only where one may be named."""
        with _told():
            found = trials.analyze(test_id)
        return AnalysisAnswer.of(found)

    return router


def _add_step(
    router: APIRouter, name: str, take: Callable[..., Trial], told: str, audit: AuditLog | None
) -> None:
    def step(test_id: str, request: Request, body: Body) -> Response:
        version = read_as(StepAsked, body).version if body else None
        with _told():
            taken = take(test_id, version=version, also=_kept(audit, name, request))
        return json_response(TrialAnswer.of(taken))

    router.add_api_route(
        f"/{{test_id}}/{name}",
        step,
        methods=["POST"],
        name=name,
        description=told,
        responses={200: {"model": TrialAnswer}, **_REFUSALS},
        openapi_extra=_asks(StepAsked, required=False),
    )


def _kept(audit: AuditLog | None, action: str, request: Request) -> Also | None:
    """Give what tells the audit log of a change, in the change's own transaction."""
    if audit is None:
        return None
    admission = admission_of(request)
    name = None if admission.principal is None else admission.principal.name
    told = {"request_id": getattr(request.state, "request_id", None)}
    if admission.user != name:
        told["of_user"] = admission.user

    def keep(connection: Any, trial: Trial) -> None:
        details = {"test_id": trial.test_id, "version": trial.version, **told}
        event = AuditEvent(
            at=datetime.now(UTC), kind="data", action=f"test: {action}", user=name, details=details
        )
        audit.append(connection, event)

    return keep


@contextmanager
def _told(*, checked: bool = False) -> Iterator[None]:
    """Turn what the tests refuse into answers; where arguments are checked, their faults too."""
    try:
        yield
    except UnknownTrialError as error:
        raise RefusedError(Problem(error=str(error)), status=HTTPStatus.NOT_FOUND) from error
    except TrialRefusedError as error:
        raise RefusedError(Problem(error=str(error)), status=HTTPStatus.CONFLICT) from error
    except ValueError as error:
        if not checked:
            raise
        raise refused("body", str(error), None) from error


def _asks(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{model.__name__}"}
    return body_schema(reference, required=required)
