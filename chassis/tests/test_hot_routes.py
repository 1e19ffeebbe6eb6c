"""Hot routes: whatever is asked, the short way and Flask's own give the same answer and leave the same traces."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from flask import Blueprint, Flask, Response, abort, current_app, g, request
from prometheus_client import REGISTRY
from werkzeug.test import TestResponse

from chassis import hot_routes, tracker_dialect
from chassis.app import create_app
from chassis.envelope import ok
from chassis.errors import ApiError, Unavailable


def make_app(*, hot: bool) -> Flask:
    """One application; ``hot`` is all that differs."""
    app = create_app("demo", SimpleNamespace(max_body_bytes=100), style="tracker")  # type: ignore[arg-type]
    tracker_dialect.install(app)
    things = Blueprint("things", __name__)

    @things.get("/thing/<name>")
    def get(name: str) -> Response:
        if name == "refused":
            raise ApiError(403, "Unauthorized", headers={"Retry-After": "7"})
        if name == "away":
            raise Unavailable("database")
        if name == "broken":
            raise KeyError("secret")
        if name == "aborted":
            abort(405)
        return ok({"name": name, "query": request.args, "id": g.request_id, "app": current_app.name})

    @things.post("/thing")
    def post() -> Response:
        return ok({"body": request.get_data().decode(), "rule": str(request.url_rule)})

    app.register_blueprint(things)
    if hot:
        hot_routes.install(app, "things.get", "things.post")
    return app


def ask(app: Flask, method: str, path: str, body: bytes = b"") -> tuple[int, list[tuple[str, str]], bytes]:
    answer: TestResponse = app.test_client().open(path, method=method, data=body, headers={"X-Request-ID": "one"})
    return answer.status_code, sorted(answer.headers), answer.data


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "PUT", "BREW"])
@pytest.mark.parametrize(
    "path",
    [
        "/thing/1", "/thing/1?a=b&a=c", "/thing/%C3%BC", "/thing/a%2Fb", "/thing/a b", "/thing/", "/thing", "/thing//1",
        "//thing/1", "/thing/1/2", "/thing/<name>", "/", "/thing/refused", "/thing/away", "/thing/broken",
        "/thing/aborted",
    ],
)  # fmt: skip
def test_both_ways_answer_alike(method: str, path: str) -> None:
    body = b"text" if method == "POST" else b""
    assert ask(make_app(hot=True), method, path, body) == ask(make_app(hot=False), method, path, body)


def test_a_body_over_the_limit_is_refused_on_both_ways() -> None:
    answers = [ask(make_app(hot=hot), "POST", "/thing", b"x" * 101) for hot in (True, False)]
    assert answers[0] == answers[1]
    assert answers[0][0] == 413


def test_requests_count_under_their_route() -> None:
    labels = {"method": "GET", "route": "/thing/<name>", "status": "200"}
    before = REGISTRY.get_sample_value("http_requests_total", labels) or 0
    ask(make_app(hot=True), "GET", "/thing/1")
    assert REGISTRY.get_sample_value("http_requests_total", labels) == before + 1


def test_hot_routes_do_not_ask_flask(monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(hot=True)
    monkeypatch.setattr(app, "full_dispatch_request", lambda: pytest.fail("came to Flask"))
    assert ask(app, "GET", "/thing/1")[0] == 200
    assert ask(app, "POST", "/thing")[0] == 200


def test_nothing_of_a_request_is_left_behind() -> None:
    app = make_app(hot=True)
    ask(app, "GET", "/thing/broken")
    assert not request
    assert not current_app


def _teardown(app: Flask) -> None:
    app.teardown_request(lambda _: None)


def _hook(app: Flask) -> None:
    app.before_request_funcs["things"] = [lambda: None]


def _two_arguments(app: Flask) -> None:
    app.add_url_rule("/<a>/<b>", "things.two", str)


def _converter(app: Flask) -> None:
    app.add_url_rule("/number/<int:a>", "things.number", str)


@pytest.mark.parametrize("need", [_teardown, _hook, _two_arguments, _converter])
def test_what_needs_more_of_flask_cannot_be_hot(need: Callable[[Flask], None]) -> None:
    app = make_app(hot=False)
    need(app)
    endpoints = [rule.endpoint for rule in app.url_map.iter_rules() if rule.endpoint.startswith("things.")]
    with pytest.raises(hot_routes.NotHot):
        hot_routes.install(app, *endpoints)
