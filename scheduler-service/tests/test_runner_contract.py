"""What a function is given, and what becomes of what it does: real processes (spec: scheduler 5.7)."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chassis.database import Database
from scheduler_service.runner.package_runner import PackageRunner
from scheduler_service.runner.packages import Packages
from scheduler_service.runner.process import Processes
from scheduler_service.sources.leases import Leases
from scheduler_service.sources.pool import Pool

FIRST_USER = 60800
RESOURCES = "Function execution failed because of too much resource consumption"


@pytest.fixture(scope="module")
def processes() -> Processes:
    """The sandbox; that it works at all is the first thing to know."""
    made = Processes(FIRST_USER)
    assert made.check() is None
    return made


@pytest.fixture
def pool(database: Database, processes: Processes) -> Iterator[Pool]:
    """A runner of eight slots in this process, which looks for work when it is told to."""
    made = Pool(Leases(database), {"package": PackageRunner(Packages(database), processes)}, 8)
    made.start()
    yield made
    made.stop(30)


Run = Callable[..., tuple[str, Any, str]]


@pytest.fixture
def run(client: Any, pool: Pool, database: Database) -> Run:
    """Run a module and return status, result and log of its execution."""

    def start(text: str, given: str | None = None, **fields: Any) -> tuple[str, Any, str]:
        function_id = client.package(text, **fields)
        body = {"function_id": function_id, "sync": False, "input": given}
        execution = client.post("/v1/executions", body)[1]
        pool.ring()
        path = f"/v1/executions/{execution['id']}"
        ended = threading.Event()
        while (shown := client.get(path)[1])["status"] == "running":
            ended.wait(0.02)
        log = client.get(f"{path}/log")[1].decode()
        first, *lines, last = log.splitlines()
        assert (first, last) == (f"Start execution: {execution['id']}", f"Finished execution: {execution['id']}")
        return shown["status"], json.loads(shown["result"]), "\n".join(lines)

    return start


HELLO = """
def main(name="World", **kwargs):
    print(f"Hello, {name}")
    return f"Hello, {name}"
"""


@pytest.mark.parametrize(("given", "name"), [(None, "World"), ('{"name": "Taskyard"}', "Taskyard"), ("ada", "ada")])
def test_input_log_and_result(run: Run, given: str | None, name: str) -> None:
    """spec: scheduler 5.7: Call, Result, Log; the example of the reference's tests."""
    status, result, log = run(HELLO, given)
    assert (status, result["output"], log) == ("success", f"Hello, {name}", f"Hello, {name}")
    assert 0 < result["duration"] < 60
    assert result["duration"] == round(result["duration"], 3)
