"""The web application: every door that takes HTTP, the staff's pages, the citizens' pages, and how the server feels."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from sqlalchemy import text

import agent_console
import public_portal
from channels.contract import RawResponse
from foundation.groups import GroupWriter
from foundation.logs import kind_of_error
from foundation.pages import PAGE_HEADERS, SECURITY_HEADERS, STATIC_FOLDER, STATIC_PATH
from foundation.security import who_may_call
from hotline.intake import FrontDoor, raw_request
from hotline.office import Office
from hotline.retrying import retry

log = structlog.get_logger(__name__)


MAX_BODY = 1_048_576  # bytes; no door and no form takes more, letters do not come by HTTP


def create_app(office: Office, writer: GroupWriter, *, is_ready: Callable[[], bool] = lambda: True) -> FastAPI:
    """Return the application for one installation.

    is_ready   whether the parts beside HTTP (job runner, mail door) are at work
    """
    app = FastAPI(title="Citizen hotline", docs_url=None, redoc_url=None, openapi_url=None, max_body_size=MAX_BODY)
    app.state.office = office
    app.state.database = office.database
    app.state.reception = FrontDoor(office, writer)
    app.state.retry = retry
    app.state.is_ready = is_ready
    for adapter in office.doors.adapters.values():
        for path in adapter.paths:
            app.add_api_route(path, _door(adapter.name, adapter.max_body), methods=["POST"])
    app.add_api_route("/healthz", healthz, methods=["GET"])
    app.add_api_route("/readyz", readyz, methods=["GET"])
    app.include_router(agent_console.router)
    app.include_router(public_portal.router)
    app.mount(STATIC_PATH, StaticFiles(directory=STATIC_FOLDER), name="static")
    app.add_exception_handler(Exception, _failed)
    app.middleware("http")(_secure)
    return app


def _door(name: str, max_body: int) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of one path of an adapter."""

    @who_may_call("provider")
    async def take(request: Request) -> Response:
        body = await _body(request, max_body)
        if body is None:
            return Response("The request is larger than this door takes.\n", status_code=413, media_type="text/plain")
        peer = request.client.host if request.client else ""
        raw = raw_request(request.method, _path_and_query(request), request.headers, body, peer)
        reply = await request.app.state.reception(name, raw)
        return _response(reply.response)

    return take


async def _body(request: Request, limit: int) -> bytes | None:
    """Return the body, None when it is larger than `limit` bytes; no more than that is ever held."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            return None
        parts.append(part)
    return b"".join(parts)


def _path_and_query(request: Request) -> str:
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope.get("query_string", b"")
    return (raw + (b"?" + query if query else b"")).decode("latin-1")


def _response(raw: RawResponse) -> Response:
    return Response(raw.body, raw.status, dict(raw.headers), raw.content_type)


@who_may_call("anyone")
def healthz() -> JSONResponse:
    """Say that the process answers."""
    return JSONResponse({"status": "ok"})


@who_may_call("anyone")
def readyz(request: Request) -> JSONResponse:
    """Say whether contacts can be taken: the database answers and jobs are being done."""
    office: Office = request.app.state.office
    problems = []
    try:
        with office.database.read() as session:
            session.execute(text("select 1"))
    except Exception as error:  # noqa: BLE001 - whatever it is, the database is not there
        log.error("not_ready", error=type(error).__name__)
        problems.append("database")
    if not request.app.state.is_ready():
        problems.append("jobs")
    return JSONResponse({"status": "failing" if problems else "ok", "problems": problems}, status_code=503 if problems else 200)


async def _failed(_request: Request, error: Exception) -> Response:
    """Answer what nobody foresaw: no words of the error, nothing that a browser may keep."""
    log.error("request_failed", error=kind_of_error(error))
    headers = SECURITY_HEADERS | PAGE_HEADERS | {"Retry-After": "5"}
    return Response("Something went wrong here. Please try again.\n", status_code=503, headers=headers, media_type="text/plain")


async def _secure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    is_asset = request.url.path.startswith(f"{STATIC_PATH}/")
    for name, value in (SECURITY_HEADERS | ({} if is_asset else PAGE_HEADERS)).items():
        response.headers.setdefault(name, value)
    return response
