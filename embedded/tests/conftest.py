"""Houses whose services do nothing."""

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
ROWS = (ServiceRow("one", "fake_service", keeps_secrets=True), ServiceRow("two", "fake_service", has_worker=False))

MakeHouse = Callable[..., House]


@pytest.fixture
def data() -> Iterator[Path]:
    """A data directory that PostgreSQL's account can enter, which pytest's own is not when root runs the tests."""
    directory = Path(tempfile.mkdtemp(prefix="taskyard-house-"))
    directory.chmod(0o755)
    yield directory / "data"
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def make_house(data: Path) -> Iterator[MakeHouse]:
    """Makes houses on `data`; those still running at the end are stopped."""
    made: list[House] = []

    def make(*, environment: dict[str, str] | None = None, **options: Any) -> House:
        house = House(
            options.pop("data", data),
            services=options.pop("services", ROWS),
            gate_module="fake_gate",
            environment={"PYTHONPATH": str(FAKES), **(environment or {})},
            database_settings=postgres.THROWAWAY,
            grace=options.pop("grace", 5),
            start_timeout=20,
            **options,
        )
        made.append(house)
        return house

    yield make
    for house in made:
        if house.processes:
            house.stop()
