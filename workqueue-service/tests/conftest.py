"""An application of workqueue-service on a database of its own, with a twin of auth-service, and a worker's hands."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from cryptography.fernet import Fernet
from flask import Flask
from pydantic import SecretStr

from chassis.database import Database
from chassis.identity import Identity, WorkerCache
from chassis.testing import MakeDatabase
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals
from workqueue_service.app import make_app
from workqueue_service.container import Container, assemble
from workqueue_service.locations import MIGRATIONS
from workqueue_service.settings import WorkqueueSettings
from workqueue_service.testing import SITE, PdmWorker, Person, Worker

KEY = "k" * 32
USER = 3
WORKER = 7


@pytest.fixture
def settings() -> WorkqueueSettings:
    """Settings with which tests need not wait: no pause between attempts."""
    return WorkqueueSettings(
        port=0,
        database_url=SecretStr("postgresql://nobody@nowhere.invalid/none"),
        amqp_url=SecretStr("amqp://nowhere.invalid"),
        auth_url="http://nowhere.invalid",
        internal_key=SecretStr(KEY),
        secret_key=SecretStr(Fernet.generate_key().decode()),
        workqueue_retry_delay=0,
        workqueue_workers=f"{WORKER},8,9",  # type: ignore[arg-type]
        workqueue_file_roots="/srv/taskyard",  # type: ignore[arg-type]
        workqueue_remotes="store",  # type: ignore[arg-type]
    )


@pytest.fixture
def database(make_database: MakeDatabase) -> Database:
    """A migrated database, open."""
    return make_database(MIGRATIONS)


@pytest.fixture
def known() -> KnownPrincipals:
    """Who exists."""
    return KnownPrincipals()


@pytest.fixture
def container(settings: WorkqueueSettings, database: Database, known: KnownPrincipals) -> Container:
    """The parts of the application; the listener is not running."""

    def make_identity(cache: WorkerCache) -> Identity:
        return Identity(known, known, session_cookie="tt", cache=cache)

    return assemble(settings, database, make_identity)


@pytest.fixture
def app(container: Container) -> Flask:
    """The application, as a request sees it."""
    app = make_app(container)
    app.test_client_class = ContractClient
    return app


@pytest.fixture
def client(app: Flask) -> ContractClient:
    """A client that checks every answer against the contract; it keeps no cookies, tests send headers."""
    return cast(ContractClient, app.test_client(use_cookies=False))


@pytest.fixture
def person(client: ContractClient, known: KnownPrincipals) -> Callable[..., Person]:
    """Make somebody with an account: `person(4)`."""

    def make(number: int = USER, *, admin: bool = False) -> Person:
        return Person(client, known.add_account(number, f"user-{number}", admin=admin), number)

    return make


@pytest.fixture
def user(person: Callable[..., Person]) -> Person:
    """Somebody with an account."""
    return person()


@pytest.fixture
def worker(client: ContractClient, known: KnownPrincipals) -> Worker:
    """A trusted worker of Taskyard."""
    return Worker(client, known.add_worker(WORKER), WORKER)


@pytest.fixture
def pdm_worker(client: ContractClient, known: KnownPrincipals) -> PdmWorker:
    """A trusted worker that knows nothing of Taskyard."""
    return PdmWorker(client, known.add_worker(8), 8)


@pytest.fixture
def make_site(user: Person) -> Callable[..., int]:
    """Register a public site: `make_site("a", endpoints=["sftp://h/"])`; file endpoints need no log-in."""

    def make(name: str = "site-a", **more: Any) -> int:
        body = {"site_name": name, "public": True, "endpoints": [f"file:///srv/taskyard/{name}"], **more}
        response = user.post(f"{SITE}/site", body)
        assert response.status_code == 200, response.text
        return int(response.json)

    return make


@pytest.fixture
def site(make_site: Callable[..., int]) -> int:
    """A site whose id is 1."""
    return make_site("lab")


@pytest.fixture
def other_site(site: int, make_site: Callable[..., int]) -> int:
    """A second site."""
    return make_site("store")
