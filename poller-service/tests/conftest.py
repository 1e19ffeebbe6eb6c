"""An application of poller-service on a database of its own, with a twin of auth-service."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from poller_service.app import make_app
from poller_service.container import Container, assemble
from poller_service.paths import MIGRATIONS
from poller_service.settings import PollerSettings

URL = "/poller/update/"
Json = Any


class Poller:
    """A client of the poller: each method gives the status and the parsed answer of one request."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, **parameters: object) -> tuple[int, Json]:
        """GET with a query string."""
        response = self.client.get(URL, query_string=parameters)
        return response.status_code, orjson.loads(response.data)

    def post(self, **parameters: object) -> tuple[int, Json]:
        """POST a form, as ``requests.post(url, data=...)`` does."""
        response = self.client.post(URL, data=parameters, content_type="application/x-www-form-urlencoded")
        return response.status_code, orjson.loads(response.data)

    def json(self, **parameters: object) -> tuple[int, Json]:
        """POST a JSON object."""
        response = self.client.post(URL, json=parameters)
        return response.status_code, orjson.loads(response.data)

    def create(self, user: str = "ada", **fields: object) -> int:
        """Create a job and return its id."""
        status, job = self.post(request="new", user=user, **fields)
        assert status == 200, job
        return int(job["job_id"])

    def move(self, job_id: int, status: str) -> None:
        """Give a job a status."""
        answer = self.post(request=status, job_id=job_id)
        assert answer[0] == 200, answer

    def job(self, job_id: int) -> Json:
        """Return a job."""
        return self.get(request="job", job_id=job_id)[1]


def make_settings(**more: Any) -> PollerSettings:
    return PollerSettings(
        port=0,
        database_url=SecretStr("postgresql://nobody@nowhere.invalid/none"),
        amqp_url=SecretStr("amqp://nowhere.invalid"),
        auth_url="http://nowhere.invalid",
        internal_key=SecretStr("k" * 32),
        **more,
    )


@pytest.fixture
def settings() -> PollerSettings:
    """The usual settings."""
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
    """A migrated, empty database, open."""
    shared_database.execute("TRUNCATE job, answered_command, sent_event, outbox, inbox, idempotency")
    return shared_database


@pytest.fixture
def known() -> KnownPrincipals:
    """Who exists: `known.add_worker(7)` and `known.add_account(3)` return the headers to send."""
    return KnownPrincipals()


@pytest.fixture
def container(settings: PollerSettings, database: Database, known: KnownPrincipals) -> Container:
    """The parts of the application; the listener is not running."""
    return assemble(settings, database, Identity(known, known, session_cookie="tt"))


@pytest.fixture
def listening(container: Container) -> Iterator[Container]:
    """The container, hearing of new jobs."""
    container.listener.start()
    assert container.listener.wait_until_listening(10)
    yield container
    container.listener.stop(10)


@pytest.fixture
def app(container: Container) -> Flask:
    """The application; its test clients hold every answer against the contract."""
    app = make_app(container)
    app.test_client_class = ContractClient
    return app


@pytest.fixture
def poller(app: Flask) -> Poller:
    """A client in a trusted network."""
    return Poller(app.test_client())


@pytest.fixture
def new_poller(app: Flask) -> Callable[[], Poller]:
    """Make another client, for another thread."""
    return lambda: Poller(app.test_client())


@pytest.fixture
def sent(database: Database) -> Callable[..., list[Json]]:
    """Return the data of the events in the outbox, of one type or of all, oldest first."""

    def read(type_: str | None = None) -> list[Json]:
        rows = database.all("SELECT type, envelope FROM outbox ORDER BY id")
        return [orjson.loads(row["envelope"])["data"] for row in rows if type_ in (None, row["type"])]

    return read


@pytest.fixture
def meanwhile() -> Callable[..., Any]:
    """Run something in a thread while the block runs; the list given to the block then holds what it returned."""

    @contextmanager
    def run(work: Callable[[], Any], times: int = 1) -> Iterator[list[Any]]:
        results: list[Any] = []
        threads = [threading.Thread(target=lambda: results.append(work())) for _ in range(times)]
        for thread in threads:
            thread.start()
        try:
            yield results
        finally:
            for thread in threads:
                thread.join(60)
        assert len(results) == times

    return run


@pytest.fixture
def eventually() -> Callable[[Callable[[], Any]], Any]:
    """Wait until a condition is true and return its value."""

    def wait(condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + 20
        while not (found := condition()):
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.002)
        return found

    return wait
