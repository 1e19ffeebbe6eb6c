"""The tracker's copy of workers and accounts, and the credentials that its API processes remember (DESIGN 4)."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis.database import Database
from chassis.errors import Unavailable
from chassis.events import Event
from chassis.identity import Kind, Principal
from chassis.internal import service_token
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals
from tracker_service.app import make_app
from tracker_service.container import Container
from tracker_service.events import handlers
from tracker_service.principals import Account, AuthAccounts, ReadModel, Worker, store_account, store_worker

Headers = dict[str, str]
Make = Callable[..., Any]
KEY = "k" * 32

RECORD = {"alias": "node", "paused": True, "created": 1559396382, "version": 5}


def stored(database: Database, worker: int = 7) -> Any:
    return database.one(
        "SELECT alias, paused, extract(epoch FROM created)::bigint AS created, version FROM worker WHERE id = %s",
        [worker],
    )


def receive(database: Database, type_: str, data: dict[str, Any]) -> None:
    handler = handlers.find(type_)
    assert handler is not None
    with database.transaction() as tx:
        handler(tx, Event.parse(Event.new(type_, "worker/7", data, service="auth").dump()))


class TestReadModel:
    """Of two notices about one record the newer stays."""

    def test_newer_versions_replace(self, database: Database) -> None:
        worker = Worker(7, "a", paused=False, created=1, version=2)
        assert store_worker(database, worker)
        assert not store_worker(database, Worker(7, "older", paused=True, created=1, version=1))
        assert not store_worker(database, Worker(7, "same", paused=True, created=1, version=2))
        assert stored(database) == {"alias": "a", "paused": False, "created": 1, "version": 2}
        assert store_worker(database, Worker(7, "b", paused=True, created=1, version=3))
        assert stored(database) == {"alias": "b", "paused": True, "created": 1, "version": 3}

    def test_newer_accounts_replace(self, database: Database) -> None:
        assert store_account(database, Account(3, "a", tracker_admin=False, register_time=1, version=1))
        assert store_account(database, Account(3, "a", tracker_admin=True, register_time=1, version=2))
        assert not store_account(database, Account(3, "a", tracker_admin=False, register_time=1, version=1))
        assert database.value("SELECT tracker_admin FROM account") is True

    def test_counters_stay(self, database: Database) -> None:
        store_worker(database, Worker(7, "a", paused=False, created=1, version=1))
        database.execute("UPDATE worker SET closed_task_count = 9")
        store_worker(database, Worker(7, "b", paused=False, created=1, version=2))
        assert database.value("SELECT closed_task_count FROM worker") == 9

    def test_a_version_costs_one_statement_per_process(self, database: Database) -> None:
        """Tokens name their worker on every request."""
        model = ReadModel(database)
        worker = Principal(Kind.WORKER, 7, "a", version=1)
        model.remember(worker)
        database.execute("DELETE FROM worker")
        model.remember(worker)
        assert stored(database) is None
        model.remember(Principal(Kind.WORKER, 7, "b", version=2))
        assert stored(database)["alias"] == "b"

    def test_is_bounded(self, database: Database) -> None:
        model = ReadModel(database, capacity=1)
        for worker in (1, 2):
            model.remember(Principal(Kind.WORKER, worker, "a", version=1))
        database.execute("DELETE FROM worker")
        for worker in (2, 1):
            model.remember(Principal(Kind.WORKER, worker, "a", version=1))
        assert stored(database, 1) is not None
        assert stored(database, 2) is None

    def test_services_are_not_stored(self, database: Database) -> None:
        ReadModel(database).remember(Principal(Kind.SERVICE, 1, "auth"))
        assert database.value("SELECT count(*) FROM worker") == database.value("SELECT count(*) FROM account") == 0

    def test_whoever_makes_a_request_is_known(
        self, client: ContractClient, known: KnownPrincipals, admin: Headers, database: Database
    ) -> None:
        client.post("/log/info", json={"scope": "s", "message": "m", "timestamp": 1}, headers=known.add_worker(7, "me"))
        client.get("/project/list", headers=admin)
        assert stored(database)["alias"] == "me"
        assert database.value("SELECT username FROM account WHERE id = 1") == "admin"


class TestStats:
    """spec: tracker 4.2, GET /worker/stats"""

    def test_none(self, client: ContractClient) -> None:
        assert client.get("/worker/stats").json == {"ok": True, "content": {"stats": []}}

    def test_every_worker(self, client: ContractClient, database: Database) -> None:
        """The alias is always there (spec: tracker 3)"""
        store_worker(database, Worker(7, "", paused=True, created=1, version=1))
        store_worker(database, Worker(2**40, "x", paused=False, created=1, version=1))
        database.execute("UPDATE worker SET closed_task_count = 4 WHERE id = 7")
        answer: Any = client.get("/worker/stats")
        assert answer.json["content"]["stats"] == [
            {"alias": "", "closed_task_count": 4, "paused": True, "id": 7},
            {"alias": "x", "closed_task_count": 0, "paused": False, "id": 2**40},
        ]

    def test_database_away(self, client: ContractClient, database: Database) -> None:
        database.close()
        assert client.get("/worker/stats").status_code == 503


class TestInternalCall:
    """auth-service tells of a worker directly, so that a pause holds when set_paused has answered (DESIGN 4)."""

    @pytest.fixture
    def caller(self, app: Flask) -> FlaskClient:
        """Internal routes have no public contract."""
        return app.test_client(use_cookies=False)

    def tell(self, caller: FlaskClient, issuer: str = "auth", method: str = "POST", **changes: Any) -> Any:
        headers = {"Authorization": f"Bearer {service_token(KEY, issuer, 'tracker')}"}
        return caller.open("/internal/workers/7", method=method, json={**RECORD, **changes}, headers=headers)

    @pytest.mark.parametrize("method", ["POST", "PUT"])
    def test_stores_the_record(self, caller: FlaskClient, database: Database, method: str) -> None:
        answer = self.tell(caller, method=method)
        assert (answer.status_code, answer.json) == (200, {})
        assert stored(database) == RECORD
        assert self.tell(caller, method=method, version=4, alias="older").status_code == 200
        assert stored(database) == RECORD

    def test_only_auth_service_may(self, caller: FlaskClient, database: Database, admin: Headers) -> None:
        wrong_key = {"Authorization": f"Bearer {service_token('x' * 32, 'auth', 'tracker')}"}
        wrong_audience = {"Authorization": f"Bearer {service_token(KEY, 'auth', 'workqueue')}"}
        for headers in ({}, admin, wrong_key, wrong_audience):
            assert caller.post("/internal/workers/7", json=RECORD, headers=headers).status_code == 401
        assert self.tell(caller, issuer="workqueue").status_code == 403
        assert stored(database) is None

    @pytest.mark.parametrize(
        "changes", [{"alias": 1}, {"paused": None}, {"created": "1"}, {"version": True}, {"version": None}]
    )
    def test_a_bad_record(self, caller: FlaskClient, database: Database, changes: dict[str, Any]) -> None:
        assert self.tell(caller, **changes).status_code == 400
        assert stored(database) is None

    @pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{"])
    def test_no_record(self, caller: FlaskClient, body: bytes) -> None:
        headers = {"Authorization": f"Bearer {service_token(KEY, 'auth', 'tracker')}"}
        assert caller.post("/internal/workers/7", data=body, headers=headers).status_code == 400


class TestEvents:
    """What auth-service tells everybody (DESIGN 5)."""

    @pytest.mark.parametrize("type_", ["auth.worker.created", "auth.worker.updated"])
    def test_workers(self, database: Database, type_: str) -> None:
        receive(database, type_, {"worker_id": 7, **RECORD})
        assert stored(database) == RECORD
        receive(database, type_, {"worker_id": 7, **RECORD, "version": 4, "alias": "late"})
        assert stored(database) == RECORD

    @pytest.mark.parametrize("type_", ["auth.account.created", "auth.account.updated"])
    def test_accounts(self, database: Database, type_: str) -> None:
        data = {"account_id": 3, "username": "ada", "tracker_admin": True, "register_time": 9, "version": 2}
        receive(database, type_, data)
        row = database.one("SELECT id, username, tracker_admin, version FROM account")
        assert row == {"id": 3, "username": "ada", "tracker_admin": True, "version": 2}


class TestCachedCredentials:
    """An API process forgets a worker's credentials when it hears that the worker has changed (DESIGN 4)."""

    @pytest.fixture
    def running(self, container: Container) -> Iterator[Container]:
        """The container with its listener running."""
        container.start()
        assert container.listener.wait_until_listening(15)
        yield container
        container.stop()

    @pytest.fixture
    def ask(self, running: Container, known: KnownPrincipals) -> Callable[[], int]:
        """Make a request as worker 7 and return how often auth-service has been asked since the beginning."""
        client = make_app(running).test_client(use_cookies=False)
        headers = known.add_worker(7)

        def request() -> int:
            client.get("/project/secret/1", headers=headers)
            return known.asked

        return request

    def test_are_remembered(self, ask: Callable[[], int]) -> None:
        assert [ask(), ask(), ask()] == [1, 1, 1]

    def test_are_forgotten_after_an_event(self, ask: Callable[[], int], database: Database, wait_until: Make) -> None:
        ask()
        receive(database, "auth.worker.updated", {"worker_id": 7, **RECORD})
        wait_until(lambda: ask() == 2)

    def test_of_other_workers_stay(self, ask: Callable[[], int], database: Database, running: Container) -> None:
        ask()
        receive(database, "auth.worker.updated", {"worker_id": 8, **RECORD})
        receive(database, "auth.worker.updated", {"worker_id": 8, **RECORD})
        assert ask() == 1

    def test_are_forgotten_after_the_internal_call(
        self, ask: Callable[[], int], running: Container, wait_until: Make
    ) -> None:
        ask()
        headers = {"Authorization": f"Bearer {service_token(KEY, 'auth', 'tracker')}"}
        answer = make_app(running).test_client().put("/internal/workers/7", json=RECORD, headers=headers)
        assert answer.status_code == 200
        wait_until(lambda: ask() == 2)

    def test_are_all_forgotten_when_notices_may_be_missed(
        self, ask: Callable[[], int], database: Database, wait_until: Make
    ) -> None:
        ask()
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'taskyard-tracker-listener' AND datname = current_database()"
        )
        wait_until(lambda: ask() == 2)


class TestAuthAccounts:
    """The answers of auth-service's GET /internal/accounts/<id>."""

    class Client:
        """Twin of `InternalClient`."""

        def __init__(self, status: int, body: Any) -> None:
            self.answer = status, body
            self.path = ""

        def get(self, path: str) -> tuple[int, Any]:
            self.path = path
            return self.answer

    def test_found(self) -> None:
        body = {"id": 8, "username": "x", "tracker_admin": True, "register_time": 2, "version": 3}
        client = self.Client(200, body)
        found = AuthAccounts(client).find(8)  # type: ignore[arg-type]
        assert client.path == "/internal/accounts/8"
        assert found == Account(8, "x", tracker_admin=True, register_time=2, version=3)

    def test_unknown(self) -> None:
        assert AuthAccounts(self.Client(404, None)).find(8) is None  # type: ignore[arg-type]

    def test_refused(self) -> None:
        """A wrong key between services is not "no such account"."""
        with pytest.raises(Unavailable):
            AuthAccounts(self.Client(401, {})).find(8)  # type: ignore[arg-type]


def test_published_events_keep_their_contracts(database: Database, client: ContractClient, admin: Headers) -> None:
    """DESIGN 5: what the outbox holds can be read back by a consumer."""
    client.post("/project/create", json={"name": "x"}, headers=admin)
    for row in database.all("SELECT envelope FROM outbox"):
        event = Event.parse(row["envelope"])
        assert orjson.loads(row["envelope"])["source"] == "/taskyard/tracker"
        assert event.subject == "project/1"
