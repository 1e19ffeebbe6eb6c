"""Calls between services."""

import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.serving import make_server

from chassis.app import create_app
from chassis.errors import ApiError, Unavailable
from chassis.identity import Session
from chassis.identity.resolver import AuthResolver
from chassis.internal import InternalClient, require_service, service_token
from chassis.settings import Settings
from chassis.testing.identity import KnownPrincipals

KEY = "k" * 40


@pytest.fixture
def app(settings: Settings) -> Flask:
    app = create_app("tracker", settings, style="tracker")

    @app.post("/internal/who")
    def who() -> dict[str, str]:
        return {"caller": require_service(KEY, "tracker")}

    @app.post("/internal/resolve")
    def resolve() -> dict[str, str]:
        return {"access_token": require_service(KEY, "tracker")}

    @app.get("/internal/broken")
    def broken() -> str:
        raise ApiError(500, "no")

    return app


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        service_token("z" * 40, "auth", "tracker"),
        service_token(KEY, "auth", "workqueue"),
    ],
)
def test_only_a_service_may_call(app: Flask, token: str) -> None:
    answer = app.test_client().post("/internal/who", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401


def test_a_service_is_known_by_its_name(address: str) -> None:
    client = InternalClient(address, service="tracker", caller="auth", key=KEY)
    assert client.post("/internal/who", {}) == (200, {"caller": "auth"})


def test_a_failing_or_absent_service_is_unavailable(address: str) -> None:
    with pytest.raises(Unavailable):
        InternalClient(address, service="tracker", caller="auth", key=KEY).get("/internal/broken")
    with pytest.raises(Unavailable):
        InternalClient("http://127.0.0.1:1", service="tracker", caller="auth", key=KEY).get("/internal/who")


def test_while_keys_differ_nobody_is_refused_but_asked_to_come_again(address: str) -> None:
    """The key between services is being replaced: the client's credential may be right."""
    client = InternalClient(address, service="tracker", caller="poller", key="z" * 40)
    with pytest.raises(Unavailable):
        AuthResolver(client, KnownPrincipals()).resolve(Session("of somebody"), "192.0.2.1")
