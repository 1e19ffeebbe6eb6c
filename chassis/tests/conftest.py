"""Fixtures of the chassis' tests."""

import io
from collections.abc import Iterator

import pytest
import structlog

from chassis import logs
from chassis.settings import Settings

KEY = "k" * 40


@pytest.fixture
def settings() -> Settings:
    """Settings of a service that talks to nobody."""
    return Settings(
        port=0,
        database_url="postgresql://nobody@127.0.0.1:1/none",
        amqp_url="amqp://127.0.0.1:1",
        auth_url="http://127.0.0.1:1",
        internal_key=KEY,
    )


@pytest.fixture
def log_lines() -> Iterator[io.StringIO]:
    """What the process logs, a JSON object a line."""
    stream = io.StringIO()
    logs.configure("demo", stream=stream)
    yield stream
    structlog.reset_defaults()
