"""The retry policy of jobs: how often, after which pauses, and what ends it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from chassis.database import Database
from chassis.events import Event
from scheduler_service import executions
from scheduler_service.engine.firing import Firing
from scheduler_service.engine.plans import Rules
from scheduler_service.losses import Loss, expire
from scheduler_service.sources import commands
from scheduler_service.sources.leases import Leases

WAITS = "SELECT extract(epoch FROM lease_until - clock_timestamp())::float8 FROM execution WHERE stage = 'waiting'"


@pytest.fixture
def fire(database: Database, clock: Any) -> Callable[[], int]:
    """Fire what is due a minute later."""
    firing = Firing(database, Rules(), 3600, lambda _: clock.now)

    def fire() -> int:
        clock.forward(minutes=1)
        return firing.fire()

    return fire


@pytest.fixture
def end(database: Database) -> Callable[[str], None]:
    """Take the execution that is ready and end it."""
    leases = Leases(database)

    def end(status: str) -> None:
        row = leases.take(["package"], "3")
        assert row is not None
        with database.transaction() as tx:
            assert executions.finish(tx, row["id"], status, json.dumps({"output": status}), "log", row["lease_token"])

    return end


@pytest.fixture
def begin_again(database: Database) -> Callable[[], int]:
    """Let the pauses be over and return how many executions are begun again or ended."""

    def begin_again() -> int:
        database.execute("UPDATE execution SET lease_until = now() - interval '1 s' WHERE stage = 'waiting'")
        return expire(database, Loss())

    return begin_again


def only_run(client: Any, job: Any) -> Any:
    """Return the job's one run."""
    [run] = client.get(f"/v1/jobs/{job['id']}/runs")[1]["runs"]
    return run


def shown(client: Any, run: Any) -> Any:
    return client.get(f"/v1/executions/{run['execution_id']}")[1]


@pytest.mark.parametrize("last", ["success", "failed", "error"])
def test_an_execution_is_begun_again_after_growing_pauses(
    client: Any, fire: Any, end: Any, begin_again: Any, database: Database, sent: Any, last: str
) -> None:
    job = client.job(function_id=client.package(), count=1, retries=2, retry_delay=100)
    assert (job["retries"], job["retry_delay"]) == (2, 100)
    assert fire() == 1
    for pause in (100, 200):
        end("failed")
        assert pause - 60 < database.value(WAITS) <= pause
        assert shown(client, only_run(client, job))["status"] == "running"
        assert expire(database, Loss()) == 0
        assert begin_again() == 1
    assert sent("scheduler.execution.finished") == []
    end(last)
    assert (only_run(client, job)["status"], only_run(client, job)["attempts"]) == (last, 3)
    assert shown(client, only_run(client, job))["result"] == json.dumps({"output": last})
    assert [event["status"] for event in sent("scheduler.execution.finished")] == [last]
    assert begin_again() == 0


def test_what_asks_for_no_retries_gets_none(client: Any, fire: Any, end: Any) -> None:
    job = client.job(function_id=client.package(), count=1)
    assert not {"retries", "retry_delay"} & set(job)
    fire()
    end("failed")
    assert (only_run(client, job)["status"], only_run(client, job)["attempts"]) == ("failed", 1)


def test_pauses_are_bounded(client: Any, fire: Any, end: Any, begin_again: Any, database: Database) -> None:
    client.job(function_id=client.package(), count=1, retries=10, retry_delay=2000)
    fire()
    end("failed")
    begin_again()
    end("failed")
    assert 3000 < database.value(WAITS) <= 3600


def test_a_runner_that_is_lost_counts_as_a_failure(client: Any, fire: Any, end: Any, database: Database) -> None:
    job = client.job(function_id=client.package(), count=1, retries=1)
    fire()
    assert Leases(database).take(["package"], "3") is not None
    database.execute("UPDATE execution SET lease_until = now() - interval '1 s'")
    assert expire(database, Loss()) == 1
    assert 0 < database.value(WAITS) <= 10
    assert only_run(client, job)["status"] == "running"


@pytest.mark.parametrize("status", ["paused", "cancelled", None])
def test_pausing_cancelling_or_deleting_the_job_ends_what_waits(
    client: Any, fire: Any, end: Any, begin_again: Any, sent: Any, status: str | None
) -> None:
    job = client.job(function_id=client.package(), retries=3)
    fire()
    end("failed")
    run = only_run(client, job)
    path = f"/v1/jobs/{job['id']}"
    assert client.put(path, {"name": "still waits"})[0] == 202
    assert shown(client, run)["status"] == "running"
    assert (client.put(path, {"status": status}) if status else client.delete(path))[0] in (202, 204)
    assert (shown(client, run)["status"], shown(client, run)["result"]) == ("failed", '{"output": "failed"}')
    assert len(sent("scheduler.execution.finished")) == 1
    assert begin_again() == 0


def test_what_runs_while_the_job_is_deleted_is_not_begun_again(client: Any, fire: Any, end: Any) -> None:
    job = client.job(function_id=client.package(), retries=3)
    fire()
    run = only_run(client, job)
    client.delete(f"/v1/jobs/{job['id']}")
    end("failed")
    assert shown(client, run)["status"] == "failed"


def test_a_retry_that_comes_to_wait_after_its_job_is_gone_ends(
    client: Any, fire: Any, end: Any, begin_again: Any, database: Database
) -> None:
    """Deleting the job and the end of an execution may pass each other."""
    job = client.job(function_id=client.package(), retries=3)
    fire()
    end("failed")
    run = only_run(client, job)
    database.execute("DELETE FROM job")
    assert begin_again() == 1
    assert (shown(client, run)["status"], shown(client, run)["result"]) == ("failed", '{"output": "failed"}')


@pytest.mark.parametrize(("policy", "statuses"), [("forbid", ["running"]), ("replace", ["failed", "running"])])
def test_what_waits_for_a_retry_counts_as_running(
    client: Any, fire: Any, end: Any, policy: str, statuses: list[str]
) -> None:
    job = client.job(function_id=client.package(), retries=3, overlap_policy=policy)
    fire()
    end("failed")
    fire()
    assert [run["status"] for run in client.get(f"/v1/jobs/{job['id']}/runs")[1]["runs"]] == statuses


def test_a_command_is_sent_again_under_a_new_id(
    client: Any, fire: Any, begin_again: Any, database: Database, sent: Any
) -> None:
    """Its receiver carries out one command of an id, so a retry of the same id would never do anything."""
    job = client.job(count=1, retries=1)
    fire()
    sender = commands.Sender(database, 60.0)
    assert sender.send() == 1
    first = only_run(client, job)["execution_id"]
    answer(database, first, ok=False)
    begin_again()
    assert sender.send() == 1
    ids = [event["command_id"] for event in sent("poller.job.submit")]
    assert ids[0] == first
    assert ids[1] != first
    answer(database, first, ok=True)
    assert only_run(client, job)["status"] == "running"
    answer(database, ids[1], ok=True)
    assert (only_run(client, job)["status"], only_run(client, job)["attempts"]) == ("success", 2)


@pytest.mark.parametrize(
    "fields", [{"retries": 11}, {"retries": -1}, {"retry_delay": 0}, {"retry_delay": 3601}, {"retries": "x"}]
)
def test_values_that_are_refused(client: Any, fields: dict[str, Any]) -> None:
    body = {"function_id": client.function(), "pattern": "* * * * *", **fields}
    assert client.post("/v1/jobs", body)[0] == 400


def test_retries_can_be_changed(client: Any) -> None:
    job = client.job()
    status, changed = client.put(f"/v1/jobs/{job['id']}", {"retries": "4", "retry_delay": 1})
    assert (status, changed["retries"], changed["retry_delay"]) == (202, 4, 1)


def answer(database: Database, command_id: str, *, ok: bool) -> None:
    """Answer a command as the poller would."""
    data = {"command_id": command_id, "ok": ok, "job_id": 1 if ok else None, "reason": None if ok else "away"}
    event = Event.new("poller.command.answered", f"command/{command_id}", data, service="poller")
    with database.transaction() as tx:
        commands.answered(tx, event)
