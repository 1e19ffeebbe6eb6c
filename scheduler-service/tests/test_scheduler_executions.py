"""Executions over HTTP (spec: scheduler 5.1)."""

import json
import threading
from typing import Any
from uuid import uuid4

import pytest

from chassis.database import Database
from chassis.identity import Identity
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals
from chassis.testing.waiting import eventually
from scheduler_service import executions
from scheduler_service.app import make_app
from scheduler_service.container import assemble
from scheduler_service.losses import Loss, expire


def start(client: Any, **fields: Any) -> Any:
    fields.setdefault("function_id", client.function())
    status, execution = client.post("/v1/executions", {"sync": False, **fields})
    assert status == 201, execution
    return execution


def end(database: Database, execution: Any, status: str, output: object, logs: str | None = None) -> bool:
    with database.transaction() as tx:
        return executions.finish(tx, execution["id"], status, executions.result(output, 0.0444), logs)


def test_an_execution_begins(client: Any, sent: Any) -> None:
    """spec: scheduler 5.1.1."""
    function_id = client.function()
    execution = start(client, function_id=function_id, input='{"a":1}', description="try")
    assert {name: execution[name] for name in execution if name not in ("id", "created_at")} == {
        "function_id": function_id,
        "function_version": 0,
        "function_alias": None,
        "description": "try",
        "status": "running",
        "sync": False,
        "input": '{"a":1}',
        "result": None,
        "project_id": "3",
        "updated_at": None,
    }
    assert client.get(f"/v1/executions/{execution['id']}") == (200, execution)
    assert client.get(f"/v1/functions/{function_id}")[1]["count"] == 1
    [[told]] = [event["executions"] for event in sent("scheduler.executions.started")]
    assert (told["execution_id"], told["job_id"], told["planned_time"]) == (execution["id"], None, None)


def test_an_execution_ends_once(client: Any, database: Database, sent: Any) -> None:
    """spec: scheduler 5.1.1, Q31."""
    execution = start(client)
    assert client.open("GET", f"/v1/executions/{execution['id']}/log").status_code == 204
    assert end(database, execution, "success", "hi", "Hello, Taskyard\n")
    assert not end(database, execution, "failed", "no")
    ended = client.get(f"/v1/executions/{execution['id']}")[1]
    assert (ended["status"], json.loads(ended["result"])) == ("success", {"duration": 0.044, "output": "hi"})
    log = client.open("GET", f"/v1/executions/{execution['id']}/log", headers={"Accept": "application/json"})
    assert (log.status_code, log.text) == (200, "Hello, Taskyard\n")
    assert [event["status"] for event in sent("scheduler.execution.finished")] == ["success"]


def test_a_synchronous_one_is_not_waited_for_endlessly(client: Any, container: Any) -> None:
    """spec: scheduler 5.1.1, sync."""
    status, execution = client.post("/v1/executions", {"function_id": client.function()})
    assert (status, execution["status"], execution["sync"]) == (201, "running", True)
    assert len(container.endings) == 0


@pytest.mark.parametrize(
    ("given", "shown", "members"),
    [
        (None, None, {}),
        ("", None, {}),
        ("null", None, {}),
        ('{"a": 1}', '{"a":1}', {"a": 1}),
        ("6", "6", {}),
        ("hello", "hello", {}),
        ("[1, 2]", "[1, 2]", {}),
        ("1.5", "1.5", {}),
        ('"x"', '"x"', {}),
        ("true", "true", {}),
        ('{"__function_input": "x"}', "x", {}),
    ],
)
def test_inputs(client: Any, database: Database, given: str | None, shown: str | None, members: Any) -> None:
    """spec: scheduler 5.1.2, Q23."""
    from scheduler_service import inputs

    assert start(client, input=given)["input"] == shown
    assert inputs.members(inputs.stored(given)) == members


def test_refused_executions(client: Any) -> None:
    """spec: scheduler 5.1.1, other errors."""

    def refused(**body: Any) -> tuple[int, str]:
        status, answer = client.post("/v1/executions", body)
        return status, answer["faultstring"]

    function_id, unknown = client.function(), str(uuid4())
    assert refused() == (400, "Either function_alias or function_id must be provided.")
    assert refused(function_id=unknown) == (404, f"Function not found [id={unknown}]")
    assert refused(function_alias="x") == (404, "FunctionAlias not found [name=x]")
    assert refused(function_id=client.package(), function_version=3)[0] == 404
    assert refused(function_id=function_id, status="success")[0] == 400
    assert refused(function_id=function_id, x=1) == (400, "Unknown attribute for argument body: x")
    assert refused(function_id=function_id, sync="perhaps")[0] == 400


def test_an_alias_is_kept_in_what_it_began(client: Any) -> None:
    """spec: scheduler 5.1.1: counters, function_alias."""
    function_id = client.package()
    client.post(f"/v1/functions/{function_id}/versions", {})
    client.post("/v1/aliases", {"name": "one", "function_id": function_id, "function_version": 1})
    execution = start(client, function_alias="one", function_id=None)
    assert (execution["function_alias"], execution["function_version"]) == ("one", 1)
    assert client.get(f"/v1/functions/{function_id}/versions/1")[1]["count"] == 1
    assert client.get(f"/v1/functions/{function_id}")[1]["count"] == 0


def test_lists_and_filters(client: Any, other: Any, database: Database) -> None:
    """spec: scheduler 1.5, 5.1.1."""
    one, two = start(client, description="Created by Job 1"), start(client, description="100%")
    end(database, two, "failed", "x")

    def listed(**query: str) -> list[str]:
        return [item["id"] for item in client.get("/v1/executions", **query)[1]["executions"]]

    assert listed() == [one["id"], two["id"]]
    assert listed(status="neq:running") == [two["id"]]
    assert listed(description="has:Job 1") == [one["id"]]
    assert listed(description="has:_") == []
    assert listed(function_id=f"in:{one['function_id']},x") == [one["id"]]
    assert client.get("/v1/executions", limit="1")[0] == 400
    assert other.get("/v1/executions")[1] == {"executions": []}


def test_deletion_and_bad_ids(client: Any, other: Any) -> None:
    """spec: scheduler 5.1.1."""
    execution, unknown = start(client), str(uuid4())
    assert other.delete(f"/v1/executions/{execution['id']}")[0] == 404
    assert client.delete(f"/v1/executions/{execution['id']}") == (204, b"")
    assert client.get(f"/v1/executions/{unknown}")[1]["faultstring"] == f"Execution not found [id={unknown}]"
    assert client.get("/v1/executions/x")[0] == 400
    assert client.get("/v1/executions/x/log")[0] == 404
    assert client.put(f"/v1/executions/{unknown}", {})[0] == 405


def test_an_execution_that_nobody_takes_ends_in_error(client: Any, database: Database, sent: Any) -> None:
    """spec: scheduler 4.4, rule 8, Q37."""
    lost, kept = start(client), start(client)
    assert expire(database, Loss()) == 0
    database.execute("UPDATE execution SET lease_until = now() - interval '1 s' WHERE id = %s", [lost["id"]])
    assert expire(database, Loss()) == 1
    ended = client.get(f"/v1/executions/{lost['id']}")[1]
    assert (ended["status"], ended["result"]) == ("error", '{"output": "Function execution failed."}')
    assert client.get(f"/v1/executions/{kept['id']}")[1]["status"] == "running"
    assert [event["execution_id"] for event in sent("scheduler.execution.finished")] == [lost["id"]]


def test_a_job_can_be_run_now(client: Any) -> None:
    """design 11."""
    job = client.job(function_input="hello", count=3)
    status, execution = client.post(f"/v1/jobs/{job['id']}/run")
    assert (status, execution["description"]) == (202, f"Created by Job {job['id']}")
    assert (execution["input"], execution["sync"]) == ("hello", False)
    assert client.get(f"/v1/jobs/{job['id']}") == (200, job)
    [run] = client.get(f"/v1/jobs/{job['id']}/runs")[1]["runs"]
    assert (run["execution_id"], run["planned_time"], run["lateness"]) == (execution["id"], None, None)
    client.put(f"/v1/jobs/{job['id']}", {"status": "cancelled"})
    assert client.post(f"/v1/jobs/{job['id']}/run")[0] == 400


def test_upcoming_times(client: Any) -> None:
    job = client.job(pattern="0 9 * * *", timezone="Europe/Berlin")
    path = f"/v1/jobs/{job['id']}/next"
    first = ["2026-11-22T08:00:00Z", "2026-11-23T08:00:00Z", "2026-11-24T08:00:00Z"]
    assert client.get(path, count="3") == (200, {"next": first})
    assert len(client.get(path)[1]["next"]) == 5
    for bad in ("0", "101", "x", "-1"):
        assert client.get(path, count=bad)[0] == 400
    short = client.job(count=2)
    assert len(client.get(f"/v1/jobs/{short['id']}/next")[1]["next"]) == 2
    once = client.job(first_execution_time="2026-11-22T06:42:54Z")
    assert client.get(f"/v1/jobs/{once['id']}/next") == (200, {"next": ["2026-11-22T06:42:54Z"]})
    client.put(f"/v1/jobs/{once['id']}", {"status": "cancelled"})
    assert client.get(f"/v1/jobs/{once['id']}/next") == (200, {"next": []})


def test_a_synchronous_one_is_answered_when_it_ends(
    settings: Any, database: Database, known: KnownPrincipals, clock: Any, client: Any
) -> None:
    """spec: scheduler 5.1.1: sync is what an absent field means, and a failed run is a 201 too."""
    patient = settings.model_copy(update={"scheduler_sync_wait": 30})
    container = assemble(patient, database, Identity(known, known, session_cookie="tt"), clock)
    app = make_app(container)
    app.test_client_class = ContractClient
    container.listener.start()
    assert container.listener.wait_until_listening(10)
    body, headers, answers = {"function_id": client.function()}, known.add_account(3, "ada"), []

    def run() -> None:
        answers.append(app.test_client(use_cookies=False).post("/v1/executions", json=body, headers=headers))

    thread = threading.Thread(target=run)
    thread.start()
    execution = eventually(lambda: database.one("SELECT id FROM execution"))
    assert end(database, execution, "failed", "no")
    thread.join(20)
    container.listener.stop(10)
    [answer] = answers
    assert (answer.status_code, answer.json["status"], answer.json["sync"]) == (201, "failed", True)
    assert json.loads(answer.json["result"]) == {"duration": 0.044, "output": "no"}


def test_an_id_of_the_caller_is_not_taken(client: Any) -> None:
    """spec: scheduler 5.1.1."""
    chosen = str(uuid4())
    assert start(client, id=chosen)["id"] != chosen


def test_a_version_of_what_has_none(client: Any) -> None:
    """spec: scheduler 5.1.1, Q39: the message names the type."""
    for code, name in ((None, "poller"), ({"source": "image", "image": "hello"}, "image")):
        body = {"function_id": client.function(code), "function_version": 1}
        status, answer = client.post("/v1/executions", body)
        assert (status, answer["faultstring"]) == (400, f"Can not specify version for {name} type function.")


def test_a_version_that_is_null(client: Any) -> None:
    """spec: scheduler 5.1.1, Q22."""
    assert start(client, function_version=None)["function_version"] == 0


def test_a_runtime_that_is_not_available(client: Any, admin: Any, database: Database) -> None:
    """spec: scheduler 5.1.1."""
    runtime = admin.post("/v1/runtimes", {"image": "python3"})[1]["id"]
    database.execute("UPDATE runtime SET status = 'available'")
    function_id = client.package(runtime_id=runtime)
    database.execute("UPDATE runtime SET status = 'error' WHERE id = %s", [runtime])
    status, answer = client.post("/v1/executions", {"function_id": function_id})
    assert (status, answer["faultstring"]) == (409, f"Runtime {runtime} is not available.")
