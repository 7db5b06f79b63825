"""Routes of the model that answers."""

from dataclasses import asdict
from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response

from nextcall.access.audit_event import AuditEvent
from nextcall.access.audit_log import AuditLog
from nextcall.ranking.model_versions import UnreadableModelError
from nextcall.serve.door.admission import admission_of
from nextcall.serve.jobs.schemas import RollbackAnswer
from nextcall.serve.models.swap import ModelSwap
from nextcall.serve.problems import Problem, RefusedError, json_response


def model_routes(swap: ModelSwap, audit: AuditLog | None = None) -> APIRouter:
    """Make ``POST /api/admin/rollback-model``; who asks is in the audit log."""
    router = APIRouter(prefix="/api/admin", tags=["operation"])

    @router.post(
        "/rollback-model",
        responses={
            200: {"model": RollbackAnswer},
            409: {"model": Problem, "description": "There is none before, or it is damaged."},
            503: {
                "model": Problem,
                "description": "Another process changes the model, or which is in use cannot be"
                " seen; ask again.",
            },
        },
    )
    def rollback_model(request: Request) -> Response:
        """Answer by the model before the one in use, from the next request on.

        Other workers follow within some seconds.
        """
        try:
            done = swap.roll_back()
        except UnreadableModelError as error:
            told = Problem(error=str(error))
            raise RefusedError(told, status=HTTPStatus.SERVICE_UNAVAILABLE) from error
        except ValueError as error:
            raise RefusedError(Problem(error=str(error)), status=HTTPStatus.CONFLICT) from error
        except TimeoutError as error:
            told = Problem(error="Another process changes which model is in use; ask again.")
            raise RefusedError(told, status=HTTPStatus.SERVICE_UNAVAILABLE) from error
        if audit is not None:
            principal = admission_of(request).principal
            event = AuditEvent(
                at=datetime.now(UTC),
                kind="system",
                action="model rolled back",
                user=None if principal is None else principal.name,
                details={
                    "request_id": getattr(request.state, "request_id", None),
                    "version": done.version,
                },
            )
            audit.try_write(event)
        values = asdict(done)
        del values["quality"]  # nobody judges on the way back
        return json_response(RollbackAnswer(**values))

    return router
