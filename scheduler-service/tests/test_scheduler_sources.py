"""Executions carried out: by commands over the bus and by runners here (design 5, 11; spec: scheduler 4.4)."""

import json
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from chassis.database import Database
from chassis.events import Event
from scheduler_service.losses import Loss, expire
from scheduler_service.sources import commands
from scheduler_service.sources.commands import HELD_SECONDS, IDLE_SECONDS, MOST, SHARE, Sender
from scheduler_service.sources.leases import Leases
from scheduler_service.sources.pool import Pool
from scheduler_service.sources.work import Ending, Outcome, Work

TASK = {"source": "task", "project": 1, "recipe": '{"frame": 17}', "max_retries": 3}
TRANSFER = {"source": "transfer", "type": "COPY", "src_siteid": 3, "src_filepath": "/a", "dst_siteid": 5}
HTTP = {"source": "http", "url": "https://example.org/"}
ADA = {"kind": "account", "id": 3}


@pytest.fixture
def sender(database: Database) -> Sender:
    """Sends commands when it is told to."""
    return Sender(database, 3600)


def start(client: Any, code: Any = None, **fields: Any) -> str:
    body = {"function_id": client.function(code), "sync": False, **fields}
    status, execution = client.post("/v1/executions", body)
    assert status == 201, execution
    return str(execution["id"])


def answer(database: Database, type_: str, command_id: str, **data: Any) -> None:
    """Let the handler do its work as the consumer does, in one transaction."""
    event = Event.new(type_, "x", {"command_id": command_id, **data}, service=type_.partition(".")[0])
    handle = commands.handlers.find(type_)
    assert handle
    with database.transaction() as tx:
        handle(tx, Event.parse(event.dump()))


@pytest.mark.parametrize(
    ("code", "type_", "expected"),
    [
        (None, "poller.job.submit", {"user": "ada", "config": {"model": "CMIP5"}}),
        (TASK, "tracker.task.submit", {"task": {k: v for k, v in TASK.items() if k != "source"}}),
        (TRANSFER, "workqueue.job.submit", {"job": {k: v for k, v in TRANSFER.items() if k != "source"}}),
    ],
)
def test_a_command_is_sent_once(
    client: Any, sender: Sender, sent: Any, code: Any, type_: str, expected: dict[str, Any]
) -> None:
    execution_id = start(client, code)
    assert sender.send() == 1
    assert sender.send() == 0
    assert sent(type_) == [{"command_id": execution_id, "principal": ADA, **expected}]


def test_the_input_takes_the_place_of_details(client: Any, sender: Sender, sent: Any) -> None:
    start(client, TASK, input='{"recipe": "other", "source": "http", "url": "http://x"}')
    start(client, None, input="plain text changes nothing")
    sender.send()
    [task] = sent("tracker.task.submit")
    assert task["task"] == {"project": 1, "recipe": "other", "max_retries": 3, "url": "http://x"}
    assert len(sent("poller.job.submit")) == 1


@pytest.mark.parametrize(
    ("type_", "code", "result"),
    [
        ("poller.command.answered", None, {"job_id": 12}),
        ("workqueue.command.answered", TRANSFER, {"job_id": 12}),
        ("tracker.command.answered", TASK, {"project_id": 1}),
    ],
)
def test_the_answer_ends_the_execution(
    client: Any, sender: Sender, database: Database, sent: Any, type_: str, code: Any, result: dict[str, int]
) -> None:
    execution_id = start(client, code)
    sender.send()
    for _ in range(2):
        answer(database, type_, execution_id, ok=True, reason=None, **result)
    ended = client.get(f"/v1/executions/{execution_id}")[1]
    assert ended["status"] == "success"
    assert json.loads(ended["result"])["output"] == result
    assert json.loads(ended["result"])["duration"] >= 0
    assert [event["status"] for event in sent("scheduler.execution.finished")] == ["success"]
    assert database.value("SELECT count(*) FROM pending_command") == 0


def test_a_refusal_fails_the_execution(client: Any, sender: Sender, database: Database) -> None:
    execution_id = start(client)
    sender.send()
    answer(database, "poller.command.answered", execution_id, ok=False, job_id=None, reason="no such user")
    ended = client.get(f"/v1/executions/{execution_id}")[1]
    assert (ended["status"], json.loads(ended["result"])["output"]) == ("failed", "no such user")


def test_answers_to_others_change_nothing(client: Any, sender: Sender, database: Database, sent: Any) -> None:
    execution_id = start(client)
    answer(database, "poller.command.answered", execution_id, ok=True, job_id=1, reason=None)
    answer(database, "poller.command.answered", str(uuid.uuid4()), ok=True, job_id=1, reason=None)
    assert client.get(f"/v1/executions/{execution_id}")[1]["status"] == "running"


def test_an_answer_after_the_end_changes_nothing(client: Any, sender: Sender, database: Database) -> None:
    execution_id = start(client)
    sender.send()
    database.execute("UPDATE execution SET lease_until = now() - interval '1 s'")
    expire(database, Loss())
    answer(database, "poller.command.answered", execution_id, ok=True, job_id=1, reason=None)
    assert client.get(f"/v1/executions/{execution_id}")[1]["status"] == "error"


def test_what_cannot_be_sent_fails_and_stops_no_other(
    client: Any, sender: Sender, database: Database, sent: Any
) -> None:
    spoiled = start(client, None, input='{"user": 7}')
    gone = start(client)
    database.execute("DELETE FROM function WHERE id = (SELECT function_id FROM execution WHERE id = %s)", [gone])
    start(client)
    assert sender.send() == 3
    statuses = [item["status"] for item in client.get("/v1/executions")[1]["executions"]]
    assert statuses == ["failed", "failed", "running"]
    result = json.loads(client.get(f"/v1/executions/{spoiled}")[1]["result"])
    assert result["output"] == 'Invalid code: "user" must be given.'
    assert len(sent("poller.job.submit")) == 1


def test_what_cannot_even_be_read_stops_no_other(client: Any, sender: Sender, database: Database, sent: Any) -> None:
    """Must show: one broken function never delays another's job."""
    broken = start(client)
    start(client)
    deep = '{"config": {"a": ' + "[" * 400 + "]" * 400 + "}}"
    database.execute("UPDATE execution SET input = %s WHERE id = %s", [deep, broken])
    assert sender.send() == 2
    assert client.get(f"/v1/executions/{broken}")[1]["status"] == "error"
    assert len(sent("poller.job.submit")) == 1


def nested(levels: int) -> str:
    return '{"config": {"a": ' + "[" * levels + "]" * levels + "}}"


def test_inputs_that_no_message_could_carry_are_refused(client: Any, sender: Sender, sent: Any) -> None:
    """orjson reads them, but does not write them: they were errors of the server."""
    function_id, hook = client.function(), "/v1/webhooks"
    fields = {"function_id": function_id, "pattern": "* * * * *"}
    webhook = client.post(hook, {"function_id": function_id})[1]["id"]
    job = client.job(**fields)["id"]
    for status, body in (
        client.post("/v1/executions", {"function_id": function_id, "input": nested(250)}),
        client.post("/v1/jobs", {**fields, "function_input": nested(400)}),
        client.put(f"/v1/jobs/{job}", {"function_input": nested(400)}),
        client.post(f"{hook}/{webhook}/invoke", data=nested(400), content_type="application/json"),
        client.post("/v1/functions", {"code": json.loads(nested(400)) | {"source": "poller", "user": "ada"}}),
    ):
        assert status == 400
        assert "nested too deeply" in body["faultstring"]
    start(client, None, input=nested(190))
    sender.send()
    [command] = sent("poller.job.submit")
    assert command["config"] == json.loads(nested(190))["config"]


READY = """
INSERT INTO execution (id, project_id, owner_kind, owner_id, function_id, source, status, stage, sync, lease_until)
SELECT gen_random_uuid(), '3', 'account', 3, %(function)s, 'poller', 'running', 'ready', false, now() + interval '1 h'
FROM generate_series(1, %(count)s)
"""


def test_the_commands_of_a_flood_let_others_pass(
    client: Any, other: Any, sender: Sender, database: Database, sent: Any
) -> None:
    """Must show: no tenant delays another: the flood waits here, not in the queue that all share."""
    database.execute(READY, {"function": client.function(), "count": MOST + 50})
    start(other)
    assert sender.send() == SHARE + 1
    assert sent("poller.job.submit")[-1]["principal"] == {"kind": "account", "id": 4}
    start(client, TASK)
    assert sender.turn() == HELD_SECONDS
    assert (len(sent("poller.job.submit")), len(sent("tracker.task.submit"))) == (MOST + 1, 1)
    start(other)
    assert sender.send() == 1
    for command in sent("poller.job.submit")[:30]:
        answer(database, "poller.command.answered", command["command_id"], ok=True, job_id=1, reason=None)
    assert sender.send() == 30
    for command in sent("poller.job.submit")[30:60]:
        answer(database, "poller.command.answered", command["command_id"], ok=True, job_id=1, reason=None)
    assert sender.turn() == IDLE_SECONDS


def test_packages_and_images_wait_for_a_runner(client: Any, sender: Sender, database: Database) -> None:
    function_id = client.package()
    client.post("/v1/executions", {"function_id": function_id, "sync": False})
    assert sender.send() == 0
    assert database.value("SELECT stage FROM execution") == "ready"


class Twin:
    """A runner that waits until the test lets it go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.works: list[Work] = []
        self.error: Exception | None = None

    def run(self, work: Work, ending: Ending) -> Outcome:
        self.works.append(work)
        assert self.go.wait(20)
        if self.error:
            raise self.error
        return Outcome("success", {"done": work.code["url"]}, 0.5, "a\x00b")


@pytest.fixture
def twin() -> Twin:
    """The one runner."""
    return Twin()


@pytest.fixture
def pool(database: Database, twin: Twin) -> Iterator[Pool]:
    """A pool of eight threads, of which one project gets two; its own thread does not run."""
    made = Pool(Leases(database), {"http": twin}, 8)
    made._thread = threading.Thread(target=lambda: None)
    made._thread.start()
    yield made
    twin.go.set()
    made.stop(10)


def eventually(condition: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def test_a_runner_carries_out_and_the_end_is_stored(client: Any, pool: Pool, twin: Twin) -> None:
    execution_id = start(client, HTTP, input='{"url": "https://example.org/other"}')
    twin.go.set()
    pool.turn()
    eventually(lambda: client.get(f"/v1/executions/{execution_id}")[1]["status"] == "success")
    ended = client.get(f"/v1/executions/{execution_id}")[1]
    assert json.loads(ended["result"]) == {"duration": 0.5, "output": {"done": "https://example.org/other"}}
    assert client.get(f"/v1/executions/{execution_id}/log")[1] == b"a\\x00b"
    assert [(work.execution_id, work.timeout) for work in twin.works] == [(execution_id, 5)]


def test_a_runner_that_breaks_is_an_error_without_its_text(client: Any, pool: Pool, twin: Twin) -> None:
    twin.error = RuntimeError("secret")
    execution_id = start(client, HTTP)
    twin.go.set()
    pool.turn()
    eventually(lambda: client.get(f"/v1/executions/{execution_id}")[1]["status"] == "error")
    assert client.get(f"/v1/executions/{execution_id}")[1]["result"] == '{"output": "Function execution failed."}'


def test_a_bad_input_fails_without_running(client: Any, pool: Pool, twin: Twin) -> None:
    execution_id = start(client, HTTP, input='{"url": "ftp://example.org"}')
    pool.turn()
    eventually(lambda: client.get(f"/v1/executions/{execution_id}")[1]["status"] == "failed")
    assert twin.works == []


def test_one_project_does_not_delay_another(client: Any, other: Any, pool: Pool, twin: Twin) -> None:
    """Must show: no broken function or tenant holds up the rest."""
    for _ in range(5):
        start(client, HTTP)
    theirs = start(other, HTTP)
    pool.turn()
    eventually(lambda: len(twin.works) == 3)
    assert [work.project for work in twin.works].count("3") == 2
    assert theirs in [work.execution_id for work in twin.works]


def test_the_lease_of_what_runs_is_renewed(client: Any, pool: Pool, twin: Twin, database: Database) -> None:
    """spec: scheduler 4.4, rule 8: a dead worker's is not, and ends."""
    start(client, HTTP)
    pool.turn()
    database.execute("UPDATE execution SET lease_until = now() - interval '1 s'")
    pool.turn()
    assert expire(database, Loss()) == 0
    database.execute("UPDATE execution SET lease_until = now() - interval '1 s'")
    assert expire(database, Loss()) == 1
    twin.go.set()
    eventually(lambda: not pool._held)
    assert [item["status"] for item in client.get("/v1/executions")[1]["executions"]] == ["error"]
