"""Creating requests sent again (DESIGN 11)."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import psycopg
import pytest
from cryptography.fernet import Fernet
from flask import Flask, Response, request
from werkzeug.test import TestResponse

from chassis.app import create_app
from chassis.database import Database, Transaction
from chassis.errors import ApiError, Unavailable
from chassis.idempotency import Idempotency, install, once
from chassis.settings import Settings
from chassis.testing import MakeDatabase

Post = Callable[..., TestResponse]


@pytest.fixture
def database(make_database: MakeDatabase) -> Database:
    database = make_database()
    database.execute("CREATE TABLE thing (id int GENERATED ALWAYS AS IDENTITY, name text)")
    return database


@pytest.fixture
def app(settings: Settings, database: Database) -> Flask:
    """Things are created by their name; ``bad`` is refused, ``crash`` is a mistake of ours."""
    app = create_app("demo", settings, style="tracker")
    install(app, Idempotency(database))

    def create() -> Response:
        name = request.get_data(as_text=True)
        if name == "bad":
            raise ApiError(400, "bad thing")
        if name == "crash":
            raise RuntimeError
        number = database.value("INSERT INTO thing (name) VALUES (%s) RETURNING id", [name])
        return Response(str(number), 201, {"Location": f"/things/{number}", "Set-Cookie": "a=b"}, "text/x-thing")

    @app.post("/things")
    def things() -> Response:
        return once(request.headers.get("X-Caller", "anyone"), create)

    @app.post("/early")
    def early() -> Response:
        request.get_data(cache=False)
        return once("anyone", create)

    return app


@pytest.fixture
def post(app: Flask) -> Post:
    def send(body: str, key: str | None = "key-1", path: str = "/things", **headers: str) -> TestResponse:
        given = {"Idempotency-Key": key} if key is not None else {}
        return app.test_client().post(path, data=body, headers={**given, **headers})

    return send


def test_the_same_request_gets_the_same_answer(post: Post, database: Database) -> None:
    first, second = post("a"), post("a")
    assert (first.status_code, first.data) == (201, b"1") == (second.status_code, second.data)
    for name in ("Location", "Set-Cookie", "Content-Type", "Content-Length"):
        assert first.headers[name] == second.headers[name]
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]
    assert database.value("SELECT count(*) FROM thing") == 1


def test_another_body_is_refused(post: Post) -> None:
    post("a")
    answer = post("b")
    assert (answer.status_code, answer.json) == (
        422,
        {"ok": False, "message": "This Idempotency-Key was used with another body"},
    )


def test_no_key_means_no_memory(post: Post, database: Database) -> None:
    assert [post("a", None).data, post("a", None).data] == [b"1", b"2"]
    assert database.value("SELECT count(*) FROM idempotency") == 0


def test_keys_belong_to_their_caller(post: Post) -> None:
    """Nobody gets somebody else's answer."""
    answers = [post("a", **{"X-Caller": caller}).data for caller in ("x", "y", "x")]
    assert answers == [b"1", b"2", b"1"]


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\tbed", "é"])
def test_a_bad_key_is_refused(post: Post, key: str) -> None:
    answer = post("a", key)
    assert (answer.status_code, answer.json) == (400, {"ok": False, "message": "Invalid Idempotency-Key"})


@pytest.mark.parametrize("key", [" ", "x" * 255, "~!\"'%"])
def test_a_good_key(post: Post, key: str) -> None:
    assert [post("a", key).data, post("a", key).data] == [b"1", b"1"]


@pytest.mark.parametrize(("body", "status"), [("bad", 400), ("crash", 500)])
def test_what_created_nothing_frees_the_key(post: Post, database: Database, body: str, status: int) -> None:
    assert [post(body).status_code, post(body).status_code] == [status, status]
    assert post("good").status_code == 201


def test_an_answer_is_kept_for_a_day(post: Post, database: Database, app: Flask) -> None:
    post("a")
    database.execute("UPDATE idempotency SET began_at = began_at - interval '23 hours 59 minutes'")
    app.extensions["idempotency"].prune()
    assert post("a").data == b"1"
    database.execute("UPDATE idempotency SET began_at = began_at - interval '2 minutes'")
    assert post("b").data == b"2"
    assert post("b").data == b"2"
    database.execute("UPDATE idempotency SET began_at = began_at - interval '25 hours'")
    app.extensions["idempotency"].prune()
    assert database.value("SELECT count(*) FROM idempotency") == 0


def test_while_the_first_runs_the_second_is_told_to_wait(app: Flask) -> None:
    running, finish = threading.Event(), threading.Event()

    @app.post("/slow")
    def slow() -> Response:
        def run() -> Response:
            running.set()
            assert finish.wait(10)
            return Response("done")

        return once("anyone", run)

    headers = {"Idempotency-Key": "k"}
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(lambda: app.test_client().post("/slow", data="a", headers=headers))
        assert running.wait(10)
        second = app.test_client().post("/slow", data="a", headers=headers)
        finish.set()
        assert first.result().data == b"done"
    assert (second.status_code, second.headers["Retry-After"]) == (409, "1")
    assert app.test_client().post("/slow", data="a", headers=headers).data == b"done"


def test_of_equal_requests_at_the_same_moment_one_creates(post: Post, database: Database) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: post("a").status_code, range(16)))
    assert set(answers) <= {201, 409}
    assert database.value("SELECT count(*) FROM thing") == 1


def test_a_run_of_an_older_version_does_not_block_its_key(post: Post, database: Database) -> None:
    """It had stored its request before it ran; should it still run, its own check finds that the place is taken."""
    post("a")
    database.execute("UPDATE idempotency SET answer = NULL")
    before = database.value("SELECT run FROM idempotency")
    assert [post("a").data for _ in range(2)] == [b"2", b"2"]
    assert database.value("SELECT run FROM idempotency") != before


def test_a_body_read_too_early_is_a_mistake_that_shows(post: Post) -> None:
    assert post("a", path="/early").status_code == 500


def test_what_is_stored_can_be_encrypted(app: Flask, post: Post, database: Database) -> None:
    fernet = Fernet(Fernet.generate_key())
    install(app, Idempotency(database, fernet.encrypt, fernet.decrypt))
    assert [post("a secret").data, post("a secret").data] == [b"1", b"1"]
    assert post("another").status_code == 422
    row = database.one("SELECT request, answer FROM idempotency")
    assert row is not None
    assert b"things" not in bytes(row["answer"])
    install(app, Idempotency(database, fernet.encrypt, lambda _: None))
    assert post("a secret").status_code == 422


def test_an_answer_that_cannot_be_stored_undoes_what_was_created(app: Flask, post: Post, database: Database) -> None:
    """Here because a process of an older version, which does not know the lock, has been faster."""
    post("a")
    database.execute("CREATE TABLE faster AS SELECT * FROM idempotency")
    database.execute("DELETE FROM idempotency")

    def run() -> Response:
        database.execute("INSERT INTO thing (name) VALUES ('late')")
        with ThreadPoolExecutor(1) as elsewhere:
            elsewhere.submit(database.execute, "INSERT INTO idempotency SELECT * FROM faster").result()
        return Response("created")

    app.view_functions["things"] = lambda: once("anyone", run)
    answer = post("a")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert database.value("SELECT count(*) FROM thing") == 1
    assert post("a").data == b"1"


def test_a_process_that_dies_before_its_answer_is_stored_has_created_nothing(
    post: Post, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session ends, as it does with its process, when the view is done and the answer is not stored yet."""

    def die(tx: Transaction, *_: object) -> None:
        tx.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with monkeypatch.context() as patch:
        patch.setattr(Idempotency, "_keep", lambda _, tx, *rest: die(tx))
        assert post("a").status_code == 503
    assert database.value("SELECT count(*) FROM thing") == 0
    assert [post("a").status_code for _ in range(3)] == [201] * 3, "the key is free at once"
    assert database.value("SELECT count(*) FROM thing") == 1


def test_a_commit_that_succeeded_unheard_keeps_its_answer(
    post: Post, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Database.joined

    @contextmanager
    def deaf(self: Database) -> Iterator[Transaction]:
        with real(self) as tx:
            yield tx
        raise Unavailable("database")

    with monkeypatch.context() as patch:
        patch.setattr(Database, "joined", deaf)
        assert post("a").status_code == 503
    answer = post("a")
    assert (answer.status_code, answer.headers["Idempotency-Replayed"]) == (201, "true")
    assert database.value("SELECT count(*) FROM thing") == 1


def test_an_error_that_the_view_catches_spoils_nothing(app: Flask, database: Database) -> None:
    database.execute("CREATE UNIQUE INDEX ON thing (name)")
    database.execute("INSERT INTO thing (name) VALUES ('taken')")

    @app.post("/named")
    def named() -> Response:
        def run() -> Response:
            with suppress(psycopg.errors.UniqueViolation):
                database.execute("INSERT INTO thing (name) VALUES ('taken')")
            database.execute("INSERT INTO thing (name) VALUES ('free')")
            return Response("created")

        return once("anyone", run)

    assert app.test_client().post("/named", headers={"Idempotency-Key": "k"}).status_code == 200
    assert database.value("SELECT count(*) FROM thing") == 2
