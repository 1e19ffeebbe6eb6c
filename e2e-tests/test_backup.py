"""What docs/how-to/deploy.md says about backups: databases and secrets together are the whole system."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from actors import Machine, Person

from embedded import postgres
from embedded.house import House
from embedded.ports import free_port
from embedded.services import SERVICES
from embedded.storage import Storage
from embedded.vault import Vault

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(600)]

SAVED = [row for row in SERVICES if row.name in ("auth", "tracker")]
TASKS = 8


def run(program: str, *words: str) -> None:
    """Run a program of PostgreSQL."""
    result = subprocess.run([str(postgres.programs() / program), *words], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def back_up(house: House, into: Path) -> None:
    """Save the databases and the secrets of a running house."""
    shutil.copytree(house.data / "secrets", into / "secrets")
    for row in SAVED:
        dsn = house.env(row.name)["TASKYARD_DATABASE_URL"]
        run("pg_dump", "--format=custom", "--no-owner", f"--file={into / row.name}", dsn)


def restore(backup: Path, data: Path) -> None:
    """Fill the PostgreSQL of a house that has never run."""
    shutil.copytree(backup / "secrets", data / "secrets")
    vault = Vault(data / "secrets")
    cluster = postgres.Cluster(postgres.place(data / "postgres"), free_port(), vault.get("postgres.password"))
    cluster.create()
    process = cluster.start()
    try:
        cluster.wait_ready(process)
        storage = Storage(cluster.server, vault)
        storage.prepare([row.database for row in SAVED], broker=False)
        for row in SAVED:
            target = f"--dbname={storage.dsn(row.database)}"
            run("pg_restore", "--no-owner", "--exit-on-error", "--single-transaction", target, str(backup / row.name))
    finally:
        postgres.stop(process)


@pytest.fixture
def new_data(data_directory: Path) -> Path:
    """Where a new house may live."""
    directory = Path(tempfile.mkdtemp(dir=data_directory))
    postgres.own(directory)
    (directory / "restored").mkdir(mode=0o711)
    return directory / "restored"


def test_a_new_system_goes_on_where_the_backup_was_taken(
    house: House, admin: Person, project: int, tmp_path: Path, new_data: Path
) -> None:
    person, machine = Person.register(house.url), Machine.create(house.url)
    admin.admit(machine, project)
    machine.submit(project, TASKS)
    held = machine.task(project)
    assert held is not None
    back_up(house, tmp_path)
    restore(tmp_path, new_data)

    with House(new_data, services=SAVED, start_timeout=180) as restored:
        again = Machine(restored.url, id=machine.id, secret=machine.secret)
        assert again.release(held["id"]) is True
        found = [task["id"] for _ in range(TASKS - 1) if (task := again.task(project)) is not None]
        assert len(set(found)) == TASKS - 1
        assert again.task(project) is None
        administrator, somebody = (
            Person(restored.url, username=known.username, password=known.password) for known in (admin, person)
        )
        administrator.login()
        assert administrator.is_admin
        assert administrator.create_project() > project
        somebody.login()
        assert somebody.post("/auth/keys", {"name": "new"}).status_code == 201
        token = again.post("/auth/token", {"worker_id": again.id, "secret": again.secret})
        assert token.status_code == 200, "the signing keys, which the Fernet key encrypts, are readable"
