"""Which trace a request belongs to (DESIGN 3, 5)."""

import io
import json
import re

import pytest
import structlog
from flask import Flask, Response

from chassis.app import create_app
from chassis.events import Event
from chassis.settings import Settings
from chassis.tracing import trace_id, traceparent

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
REQUEST_ID = "0192f0c1-5b7a-7c3e-8f00-0123456789ab"


@pytest.fixture
def app(settings: Settings) -> Flask:
    """A request that tells of something and logs it."""
    app = create_app("demo", settings, style="tracker")

    @app.get("/tell")
    def tell() -> Response:
        structlog.get_logger().info("told")
        data = {"project_id": 1, "count": 2}
        return Response(Event.new("tracker.tasks.submitted", "project/1", data, service="tracker").traceparent)

    return app


def ask(app: Flask, log_lines: io.StringIO, **headers: str) -> tuple[str, str]:
    """Return the context of the request's event, and the trace id of its log line."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    told = app.test_client().get("/tell", headers=names).text
    return told, json.loads(log_lines.getvalue().splitlines()[-1])["trace_id"]


def test_a_trace_that_came_goes_on(app: Flask, log_lines: io.StringIO) -> None:
    assert ask(app, log_lines, traceparent=TRACE) == (TRACE, TRACE.split("-")[1])


@pytest.mark.parametrize("given", ["rubbish", "", f"00-{'0' * 32}-00f067aa0ba902b7-01", TRACE.upper()])
def test_without_one_the_request_id_names_the_trace(app: Flask, log_lines: io.StringIO, given: str) -> None:
    told, logged = ask(app, log_lines, traceparent=given, X_Request_ID=REQUEST_ID)
    assert re.fullmatch(f"00-{REQUEST_ID.replace('-', '')}-[0-9a-f]{{16}}-00", told)
    assert logged == REQUEST_ID.replace("-", "")


@pytest.mark.parametrize("request_id", ["r-1", "", "x" * 500])
def test_any_request_id_names_a_trace_and_always_the_same(app: Flask, log_lines: io.StringIO, request_id: str) -> None:
    first, second = (ask(app, log_lines, X_Request_ID=request_id)[1] for _ in range(2))
    assert re.fullmatch("[0-9a-f]{32}", first)
    assert (first == second) == (request_id == "r-1")


def test_outside_of_requests_and_events_there_is_none() -> None:
    assert (traceparent(), trace_id()) == (None, None)
    with structlog.contextvars.bound_contextvars(traceparent=TRACE):
        assert (traceparent(), trace_id()) == (TRACE, TRACE.split("-")[1])
