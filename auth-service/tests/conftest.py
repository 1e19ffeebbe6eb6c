"""Fixtures of auth-service's tests."""

from collections.abc import Callable

import pytest
from cryptography.fernet import Fernet

from auth_service.checks import MIGRATIONS
from auth_service.settings import AuthSettings
from auth_service.testing import House
from chassis.testing import MakeDatabase

MakeHouse = Callable[..., House]


@pytest.fixture
def make_house(make_database: MakeDatabase) -> MakeHouse:
    """Make services, each on a database of its own; keywords are settings."""

    def make(**settings: object) -> House:
        database = make_database(MIGRATIONS)
        given = {
            "port": 0,
            "database_url": database.dsn,
            "amqp_url": "amqp://127.0.0.1:1",
            "auth_url": "http://127.0.0.1:1",
            "internal_key": "k" * 40,
            "secret_key": Fernet.generate_key().decode(),
            **settings,
        }
        return House(AuthSettings(**given), database)

    return make


@pytest.fixture
def house(make_house: MakeHouse) -> House:
    """One service with the usual settings."""
    return make_house()
