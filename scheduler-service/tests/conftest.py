"""An application of scheduler-service on a database of its own, at a time that the test sets, with known callers."""

import io
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr

from chassis.database import Database
from chassis.identity import Identity
from chassis.migrations import migrate
from chassis.testing import Server
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals
from scheduler_service.app import make_app
from scheduler_service.container import Container, assemble
from scheduler_service.paths import MIGRATIONS
from scheduler_service.settings import SchedulerSettings

NOW = datetime(2026, 11, 22, 5, 42, 54, tzinfo=UTC)
POLLER = {"source": "poller", "user": "ada", "config": {"model": "CMIP5"}}
PYTHON = "b5b1a4f0-6a9d-4e0c-8f57-2f1d7f0c3a11"
Json = Any


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **amount: float) -> None:
        """Let time pass; the keywords are those of timedelta."""
        self.now += timedelta(**amount)


class Client:
    """A client with one credential: each method gives the status and the parsed answer."""

    def __init__(self, client: FlaskClient, headers: dict[str, str]) -> None:
        self._client = client
        self._headers = headers

    def open(self, method: str, path: str, **sent: Any) -> Any:
        """Make a request and return the whole answer."""
        headers = {**self._headers, **sent.pop("headers", {})}
        return self._client.open(path, method=method, headers=headers, **sent)

    def request(self, method: str, path: str, body: Json = None, **sent: Any) -> tuple[int, Json]:
        if body is not None:
            sent["json"] = body
        response = self.open(method, path, **sent)
        return response.status_code, orjson.loads(response.data) if response.is_json else response.data

    def get(self, path: str, **query: Any) -> tuple[int, Json]:
        return self.request("GET", path, query_string=query)

    def post(self, path: str, body: Json = None, **sent: Any) -> tuple[int, Json]:
        return self.request("POST", path, body, **sent)

    def put(self, path: str, body: Json = None, **sent: Any) -> tuple[int, Json]:
        return self.request("PUT", path, body, **sent)

    def delete(self, path: str) -> tuple[int, Json]:
        return self.request("DELETE", path)

    def function(self, code: Json = None, **fields: Any) -> str:
        """Create a function and return its id."""
        status, function = self.post("/v1/functions", {"code": code or POLLER, **fields})
        assert status == 201, function
        return str(function["id"])

    def package(self, text: str = "def main(**kwargs): return 1", **fields: Any) -> str:
        """Create a function from a ZIP and return its id."""
        data = {"code": '{"source": "package"}', "runtime_id": PYTHON, "package": make_zip(text), **fields}
        status, function = self.post("/v1/functions", data=data)
        assert status == 201, function
        return str(function["id"])

    def job(self, **fields: Any) -> Json:
        """Create a job, by default one that runs a new poller function every minute."""
        if not fields.get("function_id") and not fields.get("function_alias"):
            fields["function_id"] = self.function()
        if not fields.get("first_execution_time"):
            fields.setdefault("pattern", "* * * * *")
        status, job = self.post("/v1/jobs", fields)
        assert status == 201, job
        return job


def make_zip(text: str) -> tuple[io.BytesIO, str]:
    """Return a package with one module, as a form's file."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo("main.py"), text)
    content.seek(0)
    return content, "main.zip"


def make_settings(**more: Any) -> SchedulerSettings:
    return SchedulerSettings(
        port=0,
        database_url=SecretStr("postgresql://nobody@nowhere.invalid/none"),
        amqp_url=SecretStr("amqp://nowhere.invalid"),
        auth_url="http://nowhere.invalid",
        internal_key=SecretStr("k" * 32),
        **{"scheduler_sync_wait": 0.05, **more},
    )


@pytest.fixture
def settings() -> SchedulerSettings:
    """The usual settings; nobody waits long."""
    return make_settings()


@pytest.fixture(scope="session")
def shared_database(postgres_server: Server) -> Iterator[Database]:
    """One migrated database for all tests: to make one takes longer than most tests."""
    dsn = postgres_server.create_database()
    migrate(dsn, MIGRATIONS)
    with Database(dsn, name="test", max_size=8) as database:
        yield database


@pytest.fixture
def database(shared_database: Database) -> Database:
    """A migrated database with nothing but the built-in runtime, open."""
    shared_database.execute(
        "TRUNCATE job, execution, webhook, function, function_version, function_package, function_alias, outbox, inbox,"
        " idempotency, pending_command, answered_command"
    )
    shared_database.execute("DELETE FROM runtime WHERE id <> %(id)s", {"id": PYTHON})
    return shared_database


@pytest.fixture
def known() -> KnownPrincipals:
    """Who exists."""
    return KnownPrincipals()


@pytest.fixture
def clock() -> Clock:
    """The application's clock."""
    return Clock()


@pytest.fixture
def container(settings: SchedulerSettings, database: Database, known: KnownPrincipals, clock: Clock) -> Container:
    """The parts of the application; the listener is not running."""
    return assemble(settings, database, Identity(known, known, session_cookie="tt"), clock)


@pytest.fixture
def app(container: Container) -> Flask:
    """The application; its test clients hold every answer against the contract."""
    app = make_app(container)
    app.test_client_class = ContractClient
    return app


@pytest.fixture
def client(app: Flask, known: KnownPrincipals) -> Client:
    """An account; its project is "3"."""
    return Client(app.test_client(use_cookies=False), known.add_account(3, "ada"))


@pytest.fixture
def unchecked(app: Flask, known: KnownPrincipals) -> Client:
    """The same account, with answers that the contract is not asked about."""
    plain = FlaskClient(app, app.response_class, use_cookies=False)
    return Client(plain, known.add_account(3, "ada"))


@pytest.fixture
def other(app: Flask, known: KnownPrincipals) -> Client:
    """An account of another project, "4"."""
    return Client(app.test_client(use_cookies=False), known.add_account(4, "bob"))


@pytest.fixture
def admin(app: Flask, known: KnownPrincipals) -> Client:
    """An admin; the own project is "1"."""
    return Client(app.test_client(use_cookies=False), known.add_account(1, "root", admin=True))


@pytest.fixture
def sent(database: Database) -> Callable[..., list[Json]]:
    """Return the data of the events in the outbox, of one type or of all, oldest first."""

    def read(type_: str | None = None) -> list[Json]:
        rows = database.all("SELECT type, envelope FROM outbox ORDER BY id")
        return [orjson.loads(row["envelope"])["data"] for row in rows if type_ in (None, row["type"])]

    return read


@pytest.fixture
def zipped() -> Callable[[str], tuple[io.BytesIO, str]]:
    """Make a package with one module, as a form's file."""
    return make_zip
