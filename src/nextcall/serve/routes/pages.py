"""Pages for people: the documentation of the API, which needs no other host."""

from importlib.resources import files

from fastapi import APIRouter
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

STATIC = "static"
"""Path under which `page_assets` is mounted."""

_DESCRIPTION = "openapi.json"  # relative, so that the pages work below any prefix of a proxy


def page_routes(title: str) -> APIRouter:
    """Make ``GET /``, ``GET /docs`` and ``GET /redoc``."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def start() -> RedirectResponse:
        return RedirectResponse("docs")

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

    return router


def page_assets() -> StaticFiles:
    """Scripts and styles of the pages, out of the package fastapi-offline."""
    return StaticFiles(directory=str(files("fastapi_offline") / "static"))
