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


def test_an_object_without_an_entry_of_its_own_and_a_module_in_a_package(run: Run) -> None:
    """spec: scheduler 5.7: Entry."""
    assert run("import helper\ndef go(**kw): return helper.x", entry="main.go")[0] == "failed"
    assert run("class box:\n  go = 1\ndef main(**kw): return sorted(kw)", '{"b": 1, "a": 2}')[1]["output"] == [
        "a",
        "b",
        "context",
    ]


def test_text_beside_members_and_the_context(run: Run) -> None:
    """spec: scheduler 5.7: Call, Extra keyword."""
    given = '{"__function_input": "text", "a": 1}'
    assert run("def main(text, a, context): return [text, a, context]", given)[1]["output"] == [
        "text",
        1,
        {"os_session": None},
    ]


def test_a_function_that_raises(run: Run) -> None:
    """spec: scheduler 5.7: Raised exception, and the traceback in the log."""
    status, result, log = run("def main(**kw):\n  print('before')\n  raise ValueError('no such thing')")
    assert (status, result["output"]) == ("failed", "no such thing")
    assert log.startswith("before\nTraceback (most recent call last):")
    assert log.endswith("ValueError: no such thing")


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("def main(): return 1", "main() got an unexpected keyword argument 'context'"),
        ("x = 1", "module 'main' has no attribute 'main'"),
        ("import nowhere", "No module named 'nowhere'"),
        ("import sys\ndef main(**kw): sys.exit('bye')", "bye"),
    ],
)
def test_what_else_a_function_can_raise(run: Run, text: str, output: str) -> None:
    status, result, _ = run(text)
    assert (status, result["output"]) == ("failed", output)


def test_a_function_that_takes_too_long(run: Run) -> None:
    """spec: scheduler 5.7: Time limit; what it has printed stays."""
    status, result, log = run("def main(**kw):\n  print('on')\n  while True: pass", timeout="1")
    assert (status, result["output"], log) == ("failed", "Function execution timeout.", "on")
    assert result["duration"] >= 1


@pytest.mark.parametrize(
    "text",
    [
        "def main(**kw): return len('x' * 10**9)",
        "import os\ndef main(**kw): os._exit(3)",
        "import os\ndef main(**kw): os.kill(os.getpid(), 9)",
        "import os\ndef main(**kw): os.kill(os.getpid(), 11)",
    ],
)
def test_a_function_that_takes_too_much_or_ends_abnormally(run: Run, text: str) -> None:
    """spec: scheduler 5.7: Killed or abnormal exit."""
    status, result, _ = run(text)
    assert (status, result["output"]) == ("failed", RESOURCES)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("{1, 2}", "Object of type set is not JSON serializable"),
        ("float('nan')", "Out of range float values are not JSON compliant: nan"),
        ("b'x'", "Object of type bytes is not JSON serializable"),
    ],
)
def test_an_output_that_is_no_json(run: Run, value: str, reason: str) -> None:
    """spec: scheduler 5.7: Return value not serialisable: say what happened."""
    status, result, _ = run(f"def main(**kw): return {value}")
    assert status == "failed"
    assert result["output"].startswith("The output of the function can not be written as JSON: ")
    assert reason.partition(":")[0] in result["output"]


@pytest.mark.parametrize("value", ["2**100", "'\\ud800'", "'a\\x00b'", "None", "[1.5, {'ü': []}]"])
def test_an_output_comes_back_as_it_was(run: Run, value: str) -> None:
    assert run(f"def main(**kw): return {value}")[1]["output"] == eval(value)


def test_an_output_that_is_too_long(run: Run) -> None:
    status, result, _ = run("def main(**kw): return 'x' * 2_000_000")
    assert (status, result["output"]) == ("failed", "The output of the function is too long.")


def test_a_version_keeps_its_code(client: Any, run: Run, pool: Pool, zipped: Any) -> None:
    """spec: scheduler 5.3: what an alias or a version names is what runs."""
    function_id = client.package("def main(**kw): return 'old'")
    client.post(f"/v1/functions/{function_id}/versions", {})
    assert (
        client.put(f"/v1/functions/{function_id}", data={"package": zipped("def main(**kw): return 'new'")})[0] == 200
    )
    outputs = []
    for version in (1, 0, 1):
        body = {"function_id": function_id, "function_version": version, "sync": False}
        path = f"/v1/executions/{client.post('/v1/executions', body)[1]['id']}"
        pool.ring()
        while (shown := client.get(path)[1])["status"] == "running":
            threading.Event().wait(0.02)
        outputs.append(json.loads(shown["result"])["output"])
    assert outputs == ["old", "new", "old"]


def test_many_short_executions_at_once_all_end(client: Any, database: Database, pool: Pool) -> None:
    """50 at once of one project, in two slots: none is lost, none runs twice."""
    function_id = client.package("def main(**kw): return 1")
    for _ in range(50):
        assert client.post("/v1/executions", {"function_id": function_id, "sync": False})[0] == 201
    pool.ring()
    waited = threading.Event()
    while database.value("SELECT count(*) FROM execution WHERE status = 'running'"):
        waited.wait(0.05)
    rows = database.all("SELECT status, attempts FROM execution")
    assert [(row["status"], row["attempts"]) for row in rows] == [("success", 1)] * 50
