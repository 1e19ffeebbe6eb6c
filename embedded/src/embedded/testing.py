"""Pytest plugin: databases for tests.

| fixture | gives |
|---|---|
| `postgres_server` | the embedded PostgreSQL of this test run, one for all xdist workers, started at first use |
| `external_postgres` | the server at TASKYARD_TEST_DATABASE_URL; skips when that is not set |
| `each_postgres` | first the one, then (when set) the other |
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded import postgres
from embedded.server import DatabaseServer

EXTERNAL = "TASKYARD_TEST_DATABASE_URL"
_SERVERS = ["embedded", "external"] if os.environ.get(EXTERNAL) else ["embedded"]
_DIRECTORY = pytest.StashKey[Path]()


def _directory_of_run() -> Path:
    # Not in pytest's own directory: PostgreSQL's account could not enter that when root runs the tests.
    directory = Path(tempfile.mkdtemp(prefix="taskyard-test-"))
    postgres.own(directory)
    return directory


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the directory of this run; xdist workers get it from their controller."""
    given = getattr(config, "workerinput", {}).get("taskyard_directory")
    config.stash[_DIRECTORY] = Path(given) if given else _directory_of_run()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tell an xdist worker where its run's server lives and whose end ends it."""
    node.workerinput["taskyard_directory"] = str(node.config.stash[_DIRECTORY])  # type: ignore[attr-defined]
    node.workerinput["taskyard_main_process"] = os.getpid()  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what a run leaves that never started a server; the keeper does the rest."""
    if not hasattr(config, "workerinput") and not (config.stash[_DIRECTORY] / "address").exists():
        shutil.rmtree(config.stash[_DIRECTORY], ignore_errors=True)


def _start_keeper(directory: Path, main_process: int) -> None:
    with (directory / "keeper").open("wb") as output:
        keeper = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "embedded.keeper", str(directory), str(main_process)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + 60
    while not (directory / "address").exists():
        if keeper.poll() is not None or time.monotonic() > deadline:
            report = (directory / "keeper").read_text()
            raise postgres.PostgresFailed(f"The test run's PostgreSQL did not start: {report[-2000:]}")
        time.sleep(0.02)
    keeper.returncode = 0  # it lives on, and Popen must not warn about that


def _shared_server(config: pytest.Config) -> DatabaseServer:
    directory = config.stash[_DIRECTORY]
    main_process = getattr(config, "workerinput", {}).get("taskyard_main_process", os.getpid())
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "address").exists():
            _start_keeper(directory, main_process)
    return DatabaseServer((directory / "address").read_text())


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> DatabaseServer:
    """The embedded PostgreSQL of this run. Its databases go with it: nobody needs to drop them."""
    return _shared_server(pytestconfig)


@pytest.fixture(scope="session")
def external_postgres() -> Iterator[DatabaseServer]:
    """The server at TASKYARD_TEST_DATABASE_URL; databases made through this object are dropped at the end."""
    if not os.environ.get(EXTERNAL):
        pytest.skip(f"{EXTERNAL} is not set")
    with DatabaseServer(os.environ[EXTERNAL]) as server:
        yield server


@pytest.fixture(scope="session", params=["embedded", "external"] if os.environ.get(EXTERNAL) else ["embedded"])
def each_postgres(request: pytest.FixtureRequest) -> DatabaseServer:
    """The embedded PostgreSQL, and the external one when there is one."""
    name = "postgres_server" if request.param == "embedded" else "external_postgres"
    server: DatabaseServer = request.getfixturevalue(name)
    return server
