"""An application of tracker-service on a database of its own, with a twin of auth-service."""

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, LiteralString, cast

import pytest
from flask import Flask
from psycopg import sql
from pydantic import SecretStr

from chassis.database import Database
from chassis.envelope import UNLIMITED
from chassis.identity import Identity, Principal, WorkerCache
from chassis.migrations import migrate
from chassis.testing import Server
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals
from tracker_service.app import make_app
from tracker_service.container import Container, assemble
from tracker_service.paths import MIGRATIONS
from tracker_service.principals import Account, Worker, store_account, store_worker
from tracker_service.settings import TrackerSettings

KEY = "k" * 32
ADMIN = 1
MANAGER = 2

EMPTY_EVERY_TABLE: LiteralString = """
DO $$ BEGIN EXECUTE (
    SELECT 'TRUNCATE ' || string_agg(quote_ident(tablename), ', ') || ' RESTART IDENTITY'
    FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '%yoyo%'
); END $$
"""


class KnownAccounts(dict[int, Account]):
    """Twin of auth-service's list of accounts."""

    def find(self, account_id: int) -> Account | None:
        """Return the account that the test has put here."""
        return self.get(account_id)


@pytest.fixture
def settings() -> TrackerSettings:
    """The usual settings; `credential_cache_seconds=0` would hide a stale cache, so it stays on."""
    return TrackerSettings(
        port=0,
        database_url=SecretStr("postgresql://nobody@nowhere.invalid/none"),
        amqp_url=SecretStr("amqp://nowhere.invalid"),
        auth_url="http://nowhere.invalid",
        internal_key=SecretStr(KEY),
    )


@pytest.fixture(scope="session")
def tracker_dsn(postgres_server: Server) -> str:
    """A migrated database for one process of the test run: to make one for each test would take most of the time."""
    dsn = postgres_server.create_database()
    migrate(dsn, MIGRATIONS)
    return dsn


@pytest.fixture
def database(tracker_dsn: str) -> Iterator[Database]:
    """A migrated database, open, empty, its ids beginning at 1; a test that changes its tables makes its own."""
    with Database(tracker_dsn, name="test", max_size=8) as database:
        database.execute(EMPTY_EVERY_TABLE)
        yield database


@pytest.fixture
def known() -> KnownPrincipals:
    """Who exists: `known.add_worker(7)` and `known.add_account(3)` return the headers to send."""
    return KnownPrincipals()


@pytest.fixture
def accounts() -> KnownAccounts:
    """Accounts that auth-service knows and the tracker has not met."""
    return KnownAccounts()


@pytest.fixture
def container(
    settings: TrackerSettings, database: Database, known: KnownPrincipals, accounts: KnownAccounts
) -> Container:
    """The parts of the application; its background parts are not running."""

    def make_identity(cache: WorkerCache, on_worker: Callable[[Principal], None]) -> Identity:
        return Identity(known, known, session_cookie="tt", cache=cache, on_worker=on_worker)

    return assemble(settings, database, make_identity, accounts)


@pytest.fixture
def app(container: Container) -> Flask:
    """The application, as a request sees it."""
    return make_app(container)


@pytest.fixture
def admin(known: KnownPrincipals) -> dict[str, str]:
    """The headers of a tracker admin."""
    return known.add_account(ADMIN, "admin", admin=True)


@pytest.fixture
def manager(known: KnownPrincipals) -> dict[str, str]:
    """The headers of an account without any role yet."""
    return known.add_account(MANAGER, "manager")


@pytest.fixture
def client(app: Flask) -> ContractClient:
    """A client that checks every answer against the contract; it keeps no cookies, tests send headers."""
    app.test_client_class = ContractClient
    return cast(ContractClient, app.test_client(use_cookies=False))


@pytest.fixture
def make_project(database: Database) -> Callable[..., int]:
    """Store a project, `make_project("name", public=True, assign_rate=2.0)`, and return its id."""

    def make(name: str = "", **columns: Any) -> int:
        values = {
            "name": name or f"project-{uuid.uuid4().hex[:8]}",
            **dict.fromkeys(("clone_url", "git_repo", "version", "motd"), ""),
            **dict.fromkeys(("public", "hidden", "paused"), False),
            "priority": 0,
            "assign_rate": UNLIMITED,
            "submit_rate": UNLIMITED,
            **columns,
        }
        query = sql.SQL("INSERT INTO project ({}) VALUES ({}) RETURNING id").format(
            sql.SQL(",").join(map(sql.Identifier, values)), sql.SQL(",").join(map(sql.Placeholder, values))
        )
        with database.transaction() as tx:
            row = tx.connection.execute(query, values).fetchone()
        assert row is not None
        return int(row["id"])

    return make


@pytest.fixture
def grant(database: Database) -> Callable[..., None]:
    """Give a worker access: `grant(7, project, assign=True, pending=False)`."""

    def give(worker: int, project: int, *, assign: bool = False, submit: bool = False, pending: bool = False) -> None:
        store_worker(database, Worker(worker, f"worker-{worker}", paused=False, created=1, version=0))
        database.execute(
            "INSERT INTO worker_access (worker, project, assign, submit, pending) VALUES (%s, %s, %s, %s, %s)",
            [worker, project, assign, submit, pending],
        )

    return give


@pytest.fixture
def give_role(database: Database) -> Callable[..., None]:
    """Give an account role bits on a project: `give_role(2, project, Role.EDIT)`."""

    def give(account: int, project: int, role: int) -> None:
        store_account(database, Account(account, f"account-{account}", tracker_admin=False, register_time=1, version=0))
        database.execute(
            "INSERT INTO project_role (account, project, role) VALUES (%s, %s, %s)", [account, project, int(role)]
        )

    return give


@pytest.fixture
def wait_until() -> Callable[..., Any]:
    """`wait_until(condition)` returns what the condition gives as soon as that is true; fails after `seconds`."""

    def wait(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
        deadline = time.monotonic() + seconds
        while not (result := condition()):
            assert time.monotonic() < deadline, "the condition never held"
            time.sleep(0.02)
        return result

    return wait
