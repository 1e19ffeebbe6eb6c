"""Pytest plugin: migrated databases and twins of the outside world.

| fixture | gives |
|---|---|
| ``make_database`` | a function: migration directories → a :class:`chassis.database.Database` of its own, migrated |
| ``amqp_url`` | the RabbitMQ at ``TASKYARD_TEST_AMQP_URL``; skips when that is not set |
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from chassis.database import Database
from chassis.migrations import migrate


class Server(Protocol):
    """A PostgreSQL server that makes databases (see ``embedded.testing``)."""

    def create_database(self, template: str | None = None) -> str:
        """Return the DSN of a new database, empty or a copy of ``template`` (a database's name)."""


MakeDatabase = Callable[..., Database]


@pytest.fixture(scope="session")
def database_templates() -> dict[tuple[Path, ...], str]:
    """The DSN of one migrated, otherwise empty database for each set of migrations."""
    return {}


@pytest.fixture
def make_database(postgres_server: Server, database_templates: dict[tuple[Path, ...], str]) -> Iterator[MakeDatabase]:
    """Make databases that close with the test."""
    with ExitStack() as stack:

        def make(*migrations: Path) -> Database:
            if migrations not in database_templates:
                dsn = postgres_server.create_database()
                migrate(dsn, *migrations)
                database_templates[migrations] = dsn
            template = database_templates[migrations].rpartition("/")[2].partition("?")[0]
            dsn = postgres_server.create_database(template=template)
            return stack.enter_context(Database(dsn, name="test", max_size=8))

        yield make


@pytest.fixture(scope="session")
def amqp_url() -> str:
    """The RabbitMQ of this run; the test is skipped when there is none."""
    url = os.environ.get("TASKYARD_TEST_AMQP_URL")
    if not url:
        pytest.skip("TASKYARD_TEST_AMQP_URL is not set")
    return url
