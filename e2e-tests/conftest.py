"""The whole house, started once for these tests, and somebody to run it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded import postgres
from embedded.house import House

sys.path.insert(0, str(Path(__file__).parent))

from actors import Machine, Person

# Time-outs are looked at each second, and nobody is throttled for logging in too often.
QUICK = {
    "TASKYARD_RESET_TIMED_OUT_TASKS_INTERVAL": "1",
    "TASKYARD_GATE_THROTTLE_BURST": "100000",
}


@pytest.fixture(scope="session")
def data_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory that PostgreSQL's own account can reach when root runs the tests."""
    import shutil
    import tempfile

    directory = Path(tempfile.mkdtemp(prefix="taskyard-e2e-"))
    postgres.own(directory)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def house(data_directory: Path) -> Iterator[House]:
    """The running system."""
    with House(data_directory / "house", environment=QUICK) as house:
        yield house


@pytest.fixture(scope="session")
def admin(house: House) -> Person:
    """The first account, which is the administrator."""
    return Person.register(house.url, "admin")


@pytest.fixture(scope="session")
def gate(house: House, admin: Person) -> str:
    """The gate's address, once the administrator has registered: nobody else may be the first."""
    return house.url


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
