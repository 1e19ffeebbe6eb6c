"""Clients that check every answer against a contract."""

from collections.abc import Iterator
from threading import Thread

import pytest
import requests
from flask import Flask, Response
from werkzeug.serving import make_server

from chassis import envelope
from chassis.contracts import ContractViolation
from chassis.testing.contract_client import ContractClient, contract_checked, gate_path

TEXT = "text/plain; charset=utf-8"


@pytest.fixture
def app() -> Flask:
    app = Flask("tracker", static_folder=None)
    app.test_client_class = ContractClient
    app.add_url_rule("/task/release", view_func=lambda: envelope.ok({"updated": True}), methods=["POST"], endpoint="a")
    app.add_url_rule("/task/renew", view_func=lambda: envelope.ok({"task_id": "1"}), methods=["POST"], endpoint="b")
    app.add_url_rule("/healthz", view_func=lambda: Response("fine"), endpoint="c")
    app.add_url_rule("/internal/x", view_func=lambda: Response("fine"), endpoint="d")
    app.add_url_rule("/extra", view_func=lambda: Response("fine"), endpoint="e")
    app.register_error_handler(404, lambda error: Response("Not found", 404, content_type=TEXT))
    return app


def test_good_answers_pass(app: Flask) -> None:
    assert app.test_client().post("/task/release").get_json() == {"ok": True, "content": {"updated": True}}


def test_bad_answers_raise(app: Flask) -> None:
    with pytest.raises(ContractViolation, match="task_renew 200"):
        app.test_client().post("/task/renew")


def test_routes_without_a_contract_must_not_exist(app: Flask) -> None:
    assert app.test_client().get("/nowhere").status_code == 404
    with pytest.raises(ContractViolation, match="undocumented path or method"):
        app.test_client().get("/extra")


def test_documented_routes_must_exist(app: Flask) -> None:
    with pytest.raises(ContractViolation, match="project_list: status 404"):
        app.test_client().get("/project/list")


def test_wrong_methods_are_unrouted(app: Flask) -> None:
    with pytest.raises(ContractViolation, match="answered with 405"):
        app.test_client().get("/task/release")


@pytest.mark.parametrize("path", ["/healthz", "/internal/x"])
def test_pages_and_internal_routes_are_not_checked(app: Flask, path: str) -> None:
    assert app.test_client().get(path).status_code == 200


def test_preflights_are_not_checked(app: Flask) -> None:
    assert app.test_client().options("/extra").status_code == 200


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/task/get/1?count=2", "/task/get/1"),
        ("/api/task/get/1", "/task/get/1"),
        ("//task///get/1", "/task/get/1"),
        ("//api//logs", "/logs"),
        ("/api", "/api"),
        ("/api/", "/"),
        ("/apis/1", "/apis/1"),
        ("/task/get/%31", "/task/get/1"),
    ],
)
def test_a_service_sees_the_gates_path(url: str, path: str) -> None:
    assert gate_path(url) == path


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_sessions_check_what_comes_through_the_gate(address: str) -> None:
    with contract_checked(requests.Session()) as session:
        assert session.post(f"{address}/task/release").json()["ok"]
        assert session.get(f"{address}/extra").text == "fine"
        with pytest.raises(ContractViolation, match="task_renew 200"):
            session.post(f"{address}/task/renew")
        with pytest.raises(ContractViolation, match="worker_create: status 404"):
            session.post(f"{address}/worker/create")
