"""The system under test: a house of these tests' own, or the one at TASKYARD_URL, and somebody to run it.

| Variable | Means |
|---|---|
| `TASKYARD_URL` | a running system; without it these tests start one |
| `TASKYARD_ADMIN_USER`, `TASKYARD_ADMIN_PASSWORD` | its administrator; on a fresh system this account is made |
| `TASKYARD_E2E_FILES` | a directory of this machine in which the system's transfer workers may work |
| `TASKYARD_E2E_FILES_THERE` | the same directory's path as the transfer workers see it, when that differs |
| `TASKYARD_RESET_TIMED_OUT_TASKS_INTERVAL` | what the system's tracker has for it, if that is a few seconds |
| `TASKYARD_TEST_AMQP_URL` | (without `TASKYARD_URL`) the flow across services runs on this RabbitMQ too |
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded import postgres
from embedded.house import House
from workqueue_service.transfer.testing_storages import Servers

sys.path.insert(0, str(Path(__file__).parent))

from actors import PASSWORD, Machine, Person
from share import Share

URL = os.environ.get("TASKYARD_URL", "").rstrip("/")
# Time-outs are looked at each second, a lost transfer worker is missed soon, storages of tests lie on this host,
# functions may ask one address of it, and nobody is throttled for logging in too often.
QUICK = {
    "TASKYARD_WORKQUEUE_NETWORKS": "127.0.0.0/8",
    "TASKYARD_TRANSFER_LEASE": "10",
    "TASKYARD_RESET_TIMED_OUT_TASKS_INTERVAL": "1",
    "TASKYARD_GATE_THROTTLE_BURST": "100000",
    "TASKYARD_SCHEDULER_HTTP_NETWORKS": "127.0.0.2/32",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out, against a system elsewhere, what looks into or kills the processes of a house of its own."""
    skip = pytest.mark.skip(reason="needs a house of its own; TASKYARD_URL names one elsewhere")
    for item in items:
        own = item.get_closest_marker("embedded") or "house" in getattr(item, "fixturenames", ())
        if URL and own:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def data_directory() -> Iterator[Path]:
    """A directory that PostgreSQL's own account can reach when root runs the tests."""
    directory = Path(tempfile.mkdtemp(prefix="taskyard-e2e-"))
    postgres.own(directory)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def house(data_directory: Path) -> Iterator[House]:
    """A running system whose processes a test may look into and kill."""
    with House(data_directory / "house", environment=QUICK, start_timeout=180) as house:
        yield house


@pytest.fixture(scope="session")
def system(request: pytest.FixtureRequest) -> str:
    """Where the system under test answers."""
    if URL:
        return URL
    house: House = request.getfixturevalue("house")
    return house.url


@pytest.fixture(scope="session")
def admin(system: str) -> Person:
    """The administrator: the first account of a fresh system."""
    name = os.environ.get("TASKYARD_ADMIN_USER", "admin")
    person = Person.enter(system, name, os.environ.get("TASKYARD_ADMIN_PASSWORD", PASSWORD))
    assert person.is_admin, f"{name} is no administrator at {system}: set TASKYARD_ADMIN_USER and _PASSWORD"
    return person


@pytest.fixture(scope="session")
def gate(system: str, admin: Person) -> str:
    """The gate's address, once the administrator has registered: nobody else may be the first."""
    return system


@pytest.fixture
def person(gate: str) -> Person:
    """Somebody with an account and no more rights than others."""
    return Person.register(gate)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """Storage servers on this machine."""
    running = Servers(tmp_path)
    yield running
    running.stop()


@pytest.fixture
def share(request: pytest.FixtureRequest) -> Share:
    """A directory that this test and the transfer workers both reach."""
    if not URL:
        files = request.getfixturevalue("house").data / "files"
        return Share(files, str(files))
    here = os.environ.get("TASKYARD_E2E_FILES")
    if not here:
        pytest.skip("TASKYARD_E2E_FILES names no directory that the transfer workers of TASKYARD_URL reach")
    return Share(Path(here), os.environ.get("TASKYARD_E2E_FILES_THERE", here))


@pytest.fixture
def project(admin: Person) -> int:
    """A public project."""
    return admin.create_project(public=True)


@pytest.fixture
def machine(gate: str, admin: Person, project: int) -> Machine:
    """A worker that may submit to the project."""
    machine = Machine.create(gate)
    admin.admit(machine, project)
    return machine
