"""What every service's application does with requests, errors and probes."""

import io
import json

import pytest
from flask import Flask, request

from chassis.app import create_app
from chassis.errors import ApiError, Unavailable
from chassis.settings import Settings


def make(settings: Settings, style: str = "tracker", broken: str | None = None) -> Flask:
    app = create_app("demo", settings, style=style, checks={"store": lambda: broken})

    @app.post("/echo")
    def echo() -> bytes:
        return request.get_data()

    @app.get("/crash")
    def crash() -> str:
        raise RuntimeError("SELECT secret FROM vault")

    @app.get("/away")
    def away() -> str:
        raise Unavailable("store", retry_after=3)

    @app.get("/refused")
    def refused() -> str:
        raise ApiError(429, "slow down", headers={"Retry-After": "2"}, extra={"rate_limit_delay": 2.0})

    return app


@pytest.mark.parametrize(
    ("style", "body"),
    [
        ("tracker", {"ok": False, "message": "slow down", "rate_limit_delay": 2.0}),
        ("error", {"error": "slow down", "rate_limit_delay": 2.0}),
        ("faultstring", {"faultstring": "slow down", "debuginfo": None, "rate_limit_delay": 2.0}),
    ],
)
def test_errors_have_the_form_of_the_api(settings: Settings, style: str, body: object) -> None:
    answer = make(settings, style).test_client().get("/refused")
    assert (answer.status_code, answer.json, answer.headers["Retry-After"]) == (429, body, "2")


def test_plain_errors_are_text(settings: Settings) -> None:
    answer = make(settings, "plain").test_client().get("/refused")
    assert (answer.data, answer.mimetype) == (b"slow down", "text/plain")


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_unknown_path_and_wrong_method_are_the_same_not_found(settings: Settings, method: str) -> None:
    """spec: tracker 1.1"""
    client = make(settings).test_client()
    for path in ("/nothing", "/echo"):
        answer = client.open(path, method=method.upper())
        assert (answer.status_code, answer.data, answer.content_type) == (
            404,
            b"Not found",
            "text/plain; charset=utf-8",
        )


def test_elsewhere_a_wrong_method_is_told_the_right_ones(settings: Settings) -> None:
    answer = make(settings, "error").test_client().get("/echo")
    assert (answer.status_code, answer.json) == (405, {"error": "Method Not Allowed"})
    assert answer.allow == {"POST", "OPTIONS"}


def test_a_crash_tells_nothing_to_the_client_and_no_message_to_the_log(
    settings: Settings, log_lines: io.StringIO
) -> None:
    answer = make(settings).test_client().get("/crash", headers={"X-Request-ID": "r-1"})
    assert (answer.status_code, answer.json) == (500, {"ok": False, "message": "Internal server error"})
    line = json.loads(log_lines.getvalue())
    assert (line["event"], line["error"], line["request_id"]) == ("request_failed", "RuntimeError", "r-1")
    assert any("crash" in place for place in line["where"])
    assert "vault" not in log_lines.getvalue()


def test_a_missing_dependency_is_503_with_retry_after(settings: Settings) -> None:
    answer = make(settings).test_client().get("/away")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "3")


def test_a_body_over_the_limit_is_413(settings: Settings) -> None:
    """spec: tracker Q-52"""
    small = settings.model_copy(update={"max_body_bytes": 10})
    answer = make(small).test_client().post("/echo", data=b"x" * 11)
    assert (answer.status_code, answer.json) == (413, {"ok": False, "message": "Request Entity Too Large"})


@pytest.mark.parametrize(("given", "kept"), [("abc-1", True), ("x" * 129, False), ("", False)])
def test_a_request_id_is_kept_or_made(settings: Settings, given: str, kept: bool) -> None:
    answer = make(settings).test_client().post("/echo", data=b"", headers={"X-Request-ID": given})
    assert (answer.headers["X-Request-ID"] == given) is kept
    assert answer.headers["X-Request-ID"]


def test_probes(settings: Settings) -> None:
    assert make(settings).test_client().get("/healthz").status_code == 200
    assert make(settings).test_client().get("/readyz").json == {"ready": True}
    answer = make(settings, broken="on fire").test_client().get("/readyz")
    assert (answer.status_code, answer.json) == (503, {"ready": False, "reasons": {"store": "on fire"}})


def test_requests_are_counted_by_route(settings: Settings) -> None:
    client = make(settings).test_client()
    client.post("/echo", data=b"")
    assert b'http_requests_total{method="POST",route="/echo",status="200"}' in client.get("/metrics").data


def test_an_invented_method_makes_no_series_of_its_own(settings: Settings) -> None:
    client = make(settings).test_client()
    client.open("/echo", method="BREW")
    page = client.get("/metrics").data
    assert b"BREW" not in page
    assert b'method="other"' in page
