"""Who holds an execution: one at a time, fairly among projects, and never for ever (spec: scheduler 4.4, rule 8)."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from chassis.database import Database
from scheduler_service import executions
from scheduler_service.losses import Loss, expire
from scheduler_service.sources.hold import Hold
from scheduler_service.sources.leases import Leases
from scheduler_service.sources.pool import Pool
from scheduler_service.sources.work import Ending, GivenUp, Outcome, Work


def wait_for(condition: Callable[[], Any]) -> Any:
    waited = threading.Event()
    for _ in range(4000):
        if found := condition():
            return found
        waited.wait(0.02)
    raise AssertionError("it did not happen in time")


def start(client: Any, function_id: str | None = None) -> str:
    body = {"function_id": function_id or client.package(), "sync": False}
    status, execution = client.post("/v1/executions", body)
    assert status == 201, execution
    return str(execution["id"])


def shown(client: Any, execution_id: str) -> Any:
    return client.get(f"/v1/executions/{execution_id}")[1]


def let_leases_end(database: Database) -> None:
    database.execute("UPDATE execution SET lease_until = now() - interval '1 s' WHERE stage = 'taken'")


def test_a_report_under_an_older_lease_is_refused(client: Any, database: Database) -> None:
    """Fencing: whoever was taken for dead and comes back changes nothing."""
    execution_id, leases = start(client), Leases(database, loss=Loss(retries=1))
    first = leases.take(["package"], "3")
    let_leases_end(database)
    assert expire(database, leases.loss) == 1
    second = leases.take(["package"], "3")
    assert first is not None
    assert second is not None
    assert (first["id"], first["attempts"], second["attempts"]) == (second["id"], 1, 2)
    with database.transaction() as tx:
        assert not executions.finish(tx, first["id"], "failed", "{}", None, first["lease_token"])
    assert shown(client, execution_id)["status"] == "running"
    holds = {execution_id: Hold(first["lease_token"], "3", threading.Event(), 60, 0)}
    assert leases.renew(holds) == set()
    with database.transaction() as tx:
        assert executions.finish(tx, second["id"], "success", "{}", None, second["lease_token"])
    assert shown(client, execution_id)["status"] == "success"


@pytest.mark.parametrize("retries", [0, 2])
def test_a_lost_execution_is_begun_again_as_often_as_the_policy_says(
    client: Any, database: Database, sent: Any, retries: int
) -> None:
    execution_id, loss = start(client), Loss(retries=retries)
    leases = Leases(database, loss=loss)
    for _ in range(retries + 1):
        assert leases.take(["package"], "3") is not None
        let_leases_end(database)
        assert expire(database, loss) == 1
    assert leases.take(["package"], "3") is None
    assert (shown(client, execution_id)["status"], shown(client, execution_id)["result"]) == (
        "error",
        '{"output": "Function execution failed."}',
    )
    assert len(sent("scheduler.execution.finished")) == 1


def test_nobody_else_takes_what_is_held(client: Any, database: Database) -> None:
    start(client)
    leases = Leases(database)
    assert leases.waiting(["package"]) == ["3"]
    assert leases.take(["package"], "3") is not None
    assert leases.take(["package"], "3") is None
    assert leases.waiting(["package"]) == []


def test_a_hold_stops_before_its_lease_ends() -> None:
    ending = threading.Event()
    from time import monotonic

    assert not Hold("t", "3", ending, 60, monotonic()).must_stop()
    assert Hold("t", "3", ending, 60, monotonic() - 41).must_stop()
    cut = Hold("t", "3", ending, 60, monotonic())
    cut.cut()
    assert cut.must_stop()
    assert cut.wait(0)


class Slow:
    """A runner whose executions go on until they must stop, or the test lets them end."""

    def __init__(self) -> None:
        self.works: list[Work] = []
        self.go = threading.Event()

    def run(self, work: Work, ending: Ending) -> Outcome:
        self.works.append(work)
        while not self.go.wait(0.01):
            if ending.must_stop():
                raise GivenUp
        return Outcome("success", 1, 0.1)


@pytest.fixture
def slow() -> Slow:
    """The runner of a pool."""
    return Slow()


def pool_of(database: Database, slow: Slow, **loss: Any) -> Pool:
    return Pool(Leases(database, loss=Loss(**loss)), {"package": slow}, 8)


@pytest.mark.parametrize(("retries", "after"), [(0, "error"), (1, "running")])
def test_a_process_that_stops_hands_back_what_it_cannot_finish(
    client: Any, database: Database, slow: Slow, retries: int, after: str
) -> None:
    execution_id, pool = start(client), pool_of(database, slow, retries=retries)
    pool.start()
    wait_for(lambda: slow.works)
    pool.stop(4)
    assert shown(client, execution_id)["status"] == after
    assert (Leases(database).take(["package"], "3") is not None) == (after == "running")


def test_what_is_removed_or_replaced_is_stopped(client: Any, database: Database, slow: Slow) -> None:
    execution_id, pool = start(client), pool_of(database, slow)
    pool.start()
    wait_for(lambda: slow.works)
    assert client.delete(f"/v1/executions/{execution_id}")[0] == 204
    pool.ring()
    wait_for(lambda: not pool._held)
    pool.stop(4)


def test_a_flood_of_one_project_delays_no_other(
    client: Any, other: Any, admin: Any, database: Database, slow: Slow
) -> None:
    """Must show: no tenant holds up another; of those that wait, the one served the longest ago is next."""
    function_id = client.package()
    for _ in range(20):
        start(client, function_id)
    start(other)
    start(admin)
    pool = pool_of(database, slow)
    pool.start()
    wait_for(lambda: len(slow.works) == 4)
    assert sorted(work.project for work in slow.works) == ["1", "3", "3", "4"]
    slow.go.set()
    wait_for(lambda: database.value("SELECT count(*) FROM execution WHERE status = 'running'") == 0)
    pool.stop(10)
    assert len({work.execution_id for work in slow.works}) == len(slow.works) == 22


def runner_process(dsn: str, **settings: str) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "TASKYARD_PORT": "0",
        "TASKYARD_DATABASE_URL": dsn,
        "TASKYARD_AMQP_URL": "amqp://nowhere.invalid",
        "TASKYARD_AUTH_URL": "http://nowhere.invalid",
        "TASKYARD_INTERNAL_KEY": "k" * 32,
        "TASKYARD_SCHEDULER_RUNNER": "process",
        **settings,
    }
    return subprocess.Popen([sys.executable, "-m", "scheduler_service", "runner"], env=environment)


def test_a_runner_that_is_killed_leaves_nothing_running(client: Any, database: Database) -> None:
    """kill -9: the execution ends exactly once, by another runner that begins it again."""
    function_id = client.package("import time\ndef main(**kw):\n  time.sleep(3)\n  return 'done'", timeout="60")
    execution_id = start(client, function_id)
    first = runner_process(database.dsn, TASKYARD_SCHEDULER_LEASE="5")
    try:
        wait_for(lambda: database.value("SELECT stage FROM execution") == "taken")
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    assert shown(client, execution_id)["status"] == "running"
    wait_for(lambda: expire(database, Loss(retries=1)) == 1)
    second = runner_process(database.dsn)
    try:
        wait_for(lambda: shown(client, execution_id)["status"] != "running")
    finally:
        second.terminate()
        assert second.wait(60) == 0
    ended = shown(client, execution_id)
    assert (ended["status"], json.loads(ended["result"])["output"]) == ("success", "done")
    assert database.value("SELECT attempts FROM execution") == 2
