"""The Flask application that every service starts from."""

import time
import uuid
from collections.abc import Mapping
from typing import cast

import structlog
from flask import Flask, Request, Response, g, request
from werkzeug.exceptions import HTTPException

from chassis import metrics
from chassis.errors import ApiError, Unavailable, render
from chassis.health import Check, readiness
from chassis.settings import Settings

log = structlog.get_logger()

REQUEST_ID = "X-Request-ID"
MAX_REQUEST_ID = 128


def create_app(name: str, settings: Settings, *, style: str, checks: Mapping[str, Check] | None = None) -> Flask:
    """Return an application with request ids, errors in ``style``, a body limit, health pages and metrics.

    ``checks`` are what ``/readyz`` looks at.
    """
    app = Flask(name, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.url_map.merge_slashes = False
    app.extensions["settings"] = settings
    app.before_request(_begin)
    app.after_request(_finish)
    _add_errors(app, style)
    _add_pages(app, checks or {})
    return app


def _begin() -> None:
    # A proxy looks up its object at each use, and this runs for each request.
    now = g._get_current_object()
    now.started = time.perf_counter()
    given = request.headers.get(REQUEST_ID, "")
    now.request_id = given if given.isascii() and 0 < len(given) <= MAX_REQUEST_ID else uuid.uuid4().hex


def _finish(response: Response) -> Response:
    answered: Request = request._get_current_object()  # type: ignore[attr-defined]
    route = answered.url_rule.rule if answered.url_rule else "unrouted"
    metrics.count(answered.method, route, response.status_code, time.perf_counter() - g.started)
    response.headers[REQUEST_ID] = g.request_id
    return response


def _add_errors(app: Flask, style: str) -> None:
    def answer(error: ApiError) -> Response:
        body, media_type = render(style, error.status, error.message, error.extra)
        return Response(body, error.status, error.headers, content_type=media_type)

    def on_api_error(error: ApiError) -> Response:
        if isinstance(error, Unavailable):
            log.warning("dependency_unavailable", dependency=error.reason, exc_info=error)
        return answer(error)

    def on_http(error: HTTPException) -> Response:
        status = error.code or 500
        # spec: tracker 1.1: an unknown path and a wrong method are one and the same "not found".
        if status == 404 or (status == 405 and style == "tracker"):
            return answer(ApiError(404, "Not found"))
        headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
        return answer(ApiError(status, error.name, headers=headers))

    def on_crash(error: Exception) -> Response:
        log.error("request_failed", method=request.method, route=str(request.url_rule), exc_info=error)
        return answer(ApiError(500, "Internal server error"))

    app.register_error_handler(ApiError, on_api_error)
    app.register_error_handler(HTTPException, on_http)
    app.register_error_handler(Exception, on_crash)


def _add_pages(app: Flask, checks: Mapping[str, Check]) -> None:
    def healthz() -> Response:
        return Response(b'{"alive":true}', content_type="application/json")

    def readyz() -> Response:
        status, body = readiness(checks)
        return Response(body, status, content_type="application/json")

    def metrics_page() -> Response:
        body, headers = metrics.page()
        return Response(body, headers=headers)

    for view in (healthz, readyz):
        app.add_url_rule(f"/{view.__name__}", view_func=view)
    app.add_url_rule("/metrics", view_func=metrics_page)


def settings_of(app: Flask) -> Settings:
    """Return the settings that the application was made with."""
    return cast(Settings, app.extensions["settings"])
