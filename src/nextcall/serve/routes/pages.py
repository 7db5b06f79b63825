"""Pages for people: a playground, a dashboard, and the documentation of the API.

None needs another host. Every address in them is relative, so that they work below any prefix of a
proxy.
"""

from collections.abc import Mapping
from importlib.resources import files
from os import PathLike, stat_result
from types import MappingProxyType
from typing import Final

from fastapi import APIRouter
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import Scope

STATIC: Final = "static"
"""Path of the documentation's scripts and styles."""

ASSETS: Final = "assets"
"""Path of the scripts and styles of the other pages."""

_POLICY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",  # no text becomes markup, whoever wrote it
        "trusted-types": "'none'",
    }
)

PAGE_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Content-Security-Policy": "; ".join(" ".join(rule) for rule in _POLICY.items()),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-cache",  # kept, and asked for again: pages fit the service that runs
    }
)
"""What a browser is told with the playground, the dashboard and their assets."""

_DESCRIPTION: Final = "openapi.json"


def page_routes(title: str) -> APIRouter:
    """Make ``GET /``, ``GET /dashboard``, ``GET /docs`` and ``GET /redoc``."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def playground() -> HTMLResponse:
        return HTMLResponse(pages["playground"], headers=PAGE_HEADERS)

    @router.get("/dashboard")
    async def dashboard() -> HTMLResponse:
        return HTMLResponse(pages["dashboard"], headers=PAGE_HEADERS)

    @router.get("/docs")
    async def swagger() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url=_DESCRIPTION,
            title=title,
            swagger_js_url=f"{STATIC}/swagger-ui-bundle.js",
            swagger_css_url=f"{STATIC}/swagger-ui.css",
            swagger_favicon_url=f"{STATIC}/favicon.png",
        )

    @router.get("/redoc")
    async def redoc() -> HTMLResponse:
        return get_redoc_html(
            openapi_url=_DESCRIPTION,
            title=title,
            redoc_js_url=f"{STATIC}/redoc.standalone.js",
            redoc_favicon_url=f"{STATIC}/favicon.png",
            with_google_fonts=False,
        )

    own = files("nextcall.serve") / "pages"
    pages = {
        name: (own / f"{name}.html").read_text(encoding="utf-8")
        for name in ("playground", "dashboard")
    }
    return router


def documentation_assets() -> StaticFiles:
    """Scripts and styles of the documentation, out of the package fastapi-offline."""
    return StaticFiles(directory=str(files("fastapi_offline") / "static"))


def page_assets() -> StaticFiles:
    """Scripts and styles of the playground and the dashboard."""
    return _Assets(directory=str(files("nextcall.serve") / "pages" / "assets"))


class _Assets(StaticFiles):
    """Files that leave with the headers of the pages."""

    def file_response(
        self,
        full_path: str | PathLike[str],
        stat_result: stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(PAGE_HEADERS)
        return response
