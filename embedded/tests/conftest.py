"""Houses whose services do nothing."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from embedded import postgres
from embedded.house import House
from embedded.services import ServiceRow

FAKES = Path(__file__).parent / "fakes"
ROWS = (ServiceRow("one", "fake_service", keeps_secrets=True), ServiceRow("two", "fake_service", ("api",)))

FLAVOURS: dict[str, tuple[str, ...]] = {"gevent": (), "threads": ()}

MakeHouse = Callable[..., House]


def fake_house(data: Path, **options: Any) -> House:
    """A house of two services and a gate that do nothing."""
    environment = {"PYTHONPATH": str(FAKES), **options.pop("environment", {})}
    usual = {
        "services": ROWS,
        "common": FLAVOURS,
        "grace": 5,
        "start_timeout": 30,
        "database_settings": postgres.THROWAWAY,
    }
    return House(data, gate_module="fake_gate", environment=environment, **{**usual, **options})


@contextlib.contextmanager
def reachable_directory() -> Iterator[Path]:
    """A directory that PostgreSQL's account can enter, which pytest's own is not when root runs the tests."""
    directory = Path(tempfile.mkdtemp(prefix="taskyard-house-"))
    directory.chmod(0o755)
    try:
        yield directory / "data"
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def data() -> Iterator[Path]:
    """A data directory that does not exist yet."""
    with reachable_directory() as directory:
        yield directory


@pytest.fixture
def make_house(data: Path) -> Iterator[MakeHouse]:
    """Makes houses, usually on `data`; those still running at the end are stopped."""
    made: list[House] = []

    def make(**options: Any) -> House:
        made.append(fake_house(options.pop("data", data), **options))
        return made[-1]

    yield make
    for house in made:
        if house.processes:
            house.stop()


@pytest.fixture(scope="session")
def news() -> list[str]:
    """What `house` reported."""
    return []


@pytest.fixture(scope="session")
def house(news: list[str]) -> Iterator[House]:
    """A running house for tests that leave it as they found it."""
    with reachable_directory() as directory, fake_house(directory, report=news.append) as running:
        yield running
