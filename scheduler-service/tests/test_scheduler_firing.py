"""Firing on a database: once, all, never early, nobody disturbed (spec: scheduler 4.2, 4.4)."""

import json
import threading
import time
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from prometheus_client import REGISTRY

from chassis.database import Database
from chassis.errors import Unavailable
from chassis.listen import Listener
from scheduler_service.engine import firing as firings
from scheduler_service.engine.engine import HELD_SECONDS, IDLE_SECONDS, Engine, database_time
from scheduler_service.engine.firing import BATCH, Firing
from scheduler_service.engine.plans import Rules
from scheduler_service.jobs import DUE
from scheduler_service.sources.commands import Sender

MANY = """
INSERT INTO job (id, project_id, owner_kind, owner_id, function_id, pattern, first_execution_time,
    next_execution_time, due_at)
SELECT gen_random_uuid(), '3', 'account', 3, %(function)s, '* * * * *', %(due)s, %(due)s, %(due)s
FROM generate_series(1, %(count)s)
"""


@pytest.fixture
def firing(database: Database, clock: Any) -> Firing:
    """A firing by the test's clock, as if it were the database's."""
    return Firing(database, Rules(), 3600, lambda _: clock.now)


@pytest.fixture
def many(database: Database) -> Any:
    """Make many jobs that are due at one time."""

    def make(function_id: str, due: datetime, count: int) -> None:
        database.execute(MANY, {"function": function_id, "due": due, "count": count})

    return make


def executions(database: Database) -> list[dict[str, Any]]:
    return database.all("SELECT * FROM execution ORDER BY planned_time, created_at, id")


def test_nothing_fires_early(firing: Firing, client: Any, clock: Any, database: Database) -> None:
    """spec: scheduler Q1."""
    client.job()
    clock.forward(seconds=5.999)
    assert firing.fire() == 0
    clock.forward(seconds=0.001)
    assert firing.fire() == 1
    assert firing.fire() == 0
    assert len(executions(database)) == 1


def test_an_occurrence_becomes_an_execution(
    firing: Firing, client: Any, clock: Any, sent: Any, database: Database
) -> None:
    """spec: scheduler 4.4, rules 3, 4, 9; 9, steps 3 to 5."""
    job = client.job(first_execution_time="2026-11-22T05:44:00Z", function_input='{"a": 1}')
    clock.forward(seconds=66)
    before = REGISTRY.get_sample_value("scheduler_lateness_seconds_count") or 0
    assert firing.fire() == 1
    assert REGISTRY.get_sample_value("scheduler_lateness_seconds_count") == before + 1
    [execution] = client.get("/v1/executions", description=f"has:{job['id']}")[1]["executions"]
    assert execution["description"] == f"Created by Job {job['id']}"
    assert (execution["status"], execution["sync"], execution["input"]) == ("running", False, '{"a":1}')
    assert (execution["function_id"], execution["function_alias"]) == (job["function_id"], None)
    done = client.get(f"/v1/jobs/{job['id']}")[1]
    assert (done["status"], done["count"], done["next_execution_time"]) == ("done", 0, "2026-11-22T05:44:00Z")
    assert done["updated_at"] is not None
    assert client.get(f"/v1/functions/{job['function_id']}")[1]["count"] == 1
    [[told]] = [event["executions"] for event in sent("scheduler.executions.started")]
    assert (told["job_id"], told["planned_time"]) == (job["id"], "2026-11-22T05:44:00Z")
    assert [event["status"] for event in sent("scheduler.job.finished")] == ["done"]
    [run] = client.get(f"/v1/jobs/{job['id']}/runs")[1]["runs"]
    assert (run["planned_time"], run["status"]) == ("2026-11-22T05:44:00Z", "running")
    assert isinstance(run["lateness"], float)


def test_a_count_of_two(firing: Firing, client: Any, clock: Any, database: Database) -> None:
    """spec: scheduler 9, step 7."""
    job = client.job(count=2)
    for _ in range(5):
        clock.forward(minutes=1)
        firing.fire()
    planned = [row["planned_time"].strftime("%H:%M") for row in executions(database)]
    assert planned == ["05:43", "05:44"]
    assert client.get(f"/v1/jobs/{job['id']}")[1]["status"] == "done"


def test_only_running_jobs_fire(firing: Firing, client: Any, clock: Any, database: Database) -> None:
    """spec: scheduler Q3; 9, step 8."""
    paused, cancelled, deleted = client.job(), client.job(), client.job()
    client.put(f"/v1/jobs/{paused['id']}", {"status": "paused"})
    client.put(f"/v1/jobs/{cancelled['id']}", {"status": "cancelled"})
    client.delete(f"/v1/jobs/{deleted['id']}")
    clock.forward(minutes=2)
    assert firing.fire() == 0
    client.put(f"/v1/jobs/{paused['id']}", {"status": "running"})
    assert firing.fire() == 0
    clock.forward(minutes=1)
    assert firing.fire() == 1
    assert [row["planned_time"].minute for row in executions(database)] == [45]


def test_an_occurrence_has_one_execution_whatever_the_clock_does(
    firing: Firing, client: Any, clock: Any, database: Database
) -> None:
    """spec: scheduler 4.4, rules 2 and 10."""
    job = client.job()
    clock.forward(seconds=10)
    firing.fire()
    back = "UPDATE job SET next_execution_time = next_execution_time - interval '1 min', due_at = %s WHERE id = %s"
    database.execute(back, [clock.now, job["id"]])
    assert firing.fire() == 1
    assert len(executions(database)) == 1
    assert client.get(f"/v1/jobs/{job['id']}")[1]["next_execution_time"] == "2026-11-22T05:44:00Z"


def test_an_hour_forward_and_back(firing: Firing, client: Any, clock: Any, database: Database) -> None:
    """spec: scheduler 4.4, rule 10; Must show: a clock step."""
    job = client.job()
    clock.forward(hours=1)
    firing.fire()
    clock.forward(hours=-1)
    for _ in range(3):
        clock.forward(minutes=1)
        firing.fire()
    assert [row["planned_time"].strftime("%H:%M") for row in executions(database)] == ["05:43"]
    assert client.get(f"/v1/jobs/{job['id']}")[1]["next_execution_time"] == "2026-11-22T06:43:00Z"


def test_engines_share_the_work(client: Any, database: Database, many: Any, clock: Any) -> None:
    """spec: scheduler 4.4, rule 2; 9, step 11: no occurrence twice, none left."""
    due = clock.now
    many(client.function(), due, 300)
    firing = Firing(database, Rules(), 3600, lambda _: due)

    def fire_all() -> None:
        quiet = 0
        while quiet < 3:
            quiet = 0 if firing.fire(7) else quiet + 1

    threads = [threading.Thread(target=fire_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    while firing.fire():
        pass
    counts = Counter(row["job_id"] for row in executions(database))
    assert len(counts) == 300
    assert set(counts.values()) == {1}
    assert database.value("SELECT count FROM function") == 300


def test_ten_thousand_at_once_among_a_hundred_thousand_idle(
    firing: Firing, client: Any, clock: Any, database: Database, many: Any
) -> None:
    """Each fires once, and nobody looks at the idle ones; how fast that is, `make bench` says."""
    function_id = client.function()
    many(function_id, clock.now + timedelta(days=1), 100_000)
    many(function_id, clock.now, 10_000)
    database.execute("ANALYZE job")
    while firing.fire() == BATCH:
        pass
    assert database.value("SELECT count(*) FROM execution") == 10_000
    plan = database.all("EXPLAIN (FORMAT TEXT) SELECT min(due_at) FROM job WHERE status = 'running'")
    assert "job_due" in str(plan)


def test_what_a_job_names_may_be_gone(firing: Firing, client: Any, clock: Any, database: Database, sent: Any) -> None:
    """spec: scheduler 4.2, Q7: an orphan has an execution in error, and disturbs nobody."""
    client.post("/v1/aliases", {"name": "now", "function_id": client.function()})
    orphan, fine = client.job(function_alias="now"), client.job()
    database.execute("DELETE FROM function_alias")
    clock.forward(minutes=1)
    assert firing.fire() == 2
    [ended] = client.get("/v1/executions", description=f"has:{orphan['id']}")[1]["executions"]
    assert (ended["status"], ended["function_id"]) == ("error", None)
    assert json.loads(ended["result"]) == {"output": "FunctionAlias not found [name=now]"}
    assert client.get("/v1/executions", description=f"has:{fine['id']}")[1]["executions"][0]["status"] == "running"
    assert client.get(f"/v1/jobs/{orphan['id']}")[1]["next_execution_time"] == "2026-11-22T05:44:00Z"
    assert [event["status"] for event in sent("scheduler.execution.finished")] == ["error"]


def test_an_alias_is_followed_at_each_firing(firing: Firing, client: Any, other: Any, clock: Any) -> None:
    """spec: scheduler 5.4, Q8, Q36: of the job's project, whoever else has one of this name."""
    one, two = client.function(), client.function()
    other.post("/v1/aliases", {"name": "now", "function_id": other.function()})
    client.post("/v1/aliases", {"name": "now", "function_id": one})
    client.job(function_alias="now")
    clock.forward(minutes=1)
    firing.fire()
    client.put("/v1/aliases/now", {"function_id": two})
    clock.forward(minutes=1)
    firing.fire()
    assert [item["function_id"] for item in client.get("/v1/executions")[1]["executions"]] == [one, two]


def test_a_missing_runtime_is_an_execution_in_error(
    firing: Firing, client: Any, clock: Any, database: Database
) -> None:
    """spec: scheduler 4.2."""
    job = client.job(function_id=client.package())
    database.execute("UPDATE runtime SET status = 'upgrading'")
    try:
        clock.forward(minutes=1)
        firing.fire()
    finally:
        database.execute("UPDATE runtime SET status = 'available'")
    [ended] = client.get("/v1/executions", description=f"has:{job['id']}")[1]["executions"]
    assert ended["status"] == "error"


def test_one_broken_job_is_paused_and_the_others_fire(
    firing: Firing, client: Any, clock: Any, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """spec: scheduler 4.4, rule 5: wherever it breaks."""
    fine, unplanned, spoiling = client.job(), client.job(name="unplanned"), client.job(name="spoiling")
    database.execute("UPDATE job SET pattern = 'x' WHERE name = 'unplanned'")
    described = firings._problem

    def break_on_one(job: dict[str, Any]) -> str | None:
        if job["name"] == "spoiling":
            raise RuntimeError("broken")
        return described(job)

    monkeypatch.setattr(firings, "_problem", break_on_one)
    clock.forward(minutes=1)
    assert firing.fire() == 3
    statuses = {job["id"]: job["status"] for job in client.get("/v1/jobs")[1]["jobs"]}
    assert statuses == {fine["id"]: "running", unplanned["id"]: "paused", spoiling["id"]: "paused"}
    assert [str(row["job_id"]) for row in executions(database)] == [fine["id"]]


def test_a_broken_job_is_found_in_few_steps(
    firing: Firing, client: Any, clock: Any, database: Database, many: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Must show: one broken function does not delay another's job, also not by a search for it."""
    many(client.function(), clock.now, BATCH)
    database.execute("UPDATE job SET name = 'spoiling' WHERE id = (SELECT id FROM job ORDER BY id OFFSET 321 LIMIT 1)")
    described, claims, claim = firings._problem, [], Firing._fire

    def break_on_one(job: dict[str, Any]) -> str | None:
        if job["name"] == "spoiling":
            raise RuntimeError("broken")
        return described(job)

    def counted(self: Firing, limit: int) -> int:
        claims.append(limit)
        return claim(self, limit)

    monkeypatch.setattr(firings, "_problem", break_on_one)
    monkeypatch.setattr(Firing, "_fire", counted)
    assert firing.fire() == BATCH
    assert len(claims) <= 20
    assert database.value("SELECT count(*) FROM execution") == BATCH - 1
    assert database.value("SELECT name FROM job WHERE status = 'paused'") == "spoiling"


@pytest.mark.parametrize("limit", [1, BATCH])
def test_an_outage_costs_no_job(
    firing: Firing, client: Any, clock: Any, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """spec: scheduler 4.2, Q4."""
    job = client.job()
    clock.forward(minutes=1)
    with monkeypatch.context() as away:
        away.setattr(firings, "_problem", lambda _: (_ for _ in ()).throw(psycopg.errors.AdminShutdown()))
        with pytest.raises(Unavailable):
            firing.fire(limit)
    assert client.get(f"/v1/jobs/{job['id']}") == (200, job)
    assert firing.fire() == 1


def test_forbid_and_replace(firing: Firing, client: Any, clock: Any, database: Database) -> None:
    """design 11: overlap policies."""
    forbid, replace = client.job(overlap_policy="forbid", count=9), client.job(overlap_policy="replace")
    for _ in range(2):
        clock.forward(minutes=1)
        firing.fire()

    def statuses(job: Any) -> list[str]:
        return [run["status"] for run in client.get(f"/v1/jobs/{job['id']}/runs")[1]["runs"]]

    assert statuses(forbid) == ["running"]
    assert client.get(f"/v1/jobs/{forbid['id']}")[1]["count"] == 8
    assert sorted(statuses(replace)) == ["failed", "running"]


def test_the_engine_sleeps_until_the_next_job(firing: Firing, client: Any, clock: Any, database: Database) -> None:
    """spec: scheduler 4.4, rule 1: no polling over all jobs."""
    engine = Engine(firing)
    assert engine.turn() == IDLE_SECONDS
    client.job()
    assert engine.turn() == 6
    clock.forward(seconds=6)
    assert engine.turn() == IDLE_SECONDS
    assert len(executions(database)) == 1


def test_an_engine_leaves_locked_jobs_to_the_other(firing: Firing, client: Any, clock: Any, database: Database) -> None:
    """spec: scheduler 4.4, rule 2."""
    client.job()
    clock.forward(minutes=1)
    with database.transaction() as tx:
        tx.all("SELECT * FROM job FOR UPDATE")
        assert Engine(firing).turn() == HELD_SECONDS
    assert executions(database) == []


def test_a_sleeping_engine_wakes_for_an_earlier_job(client: Any, database: Database, many: Any) -> None:
    """Must show: no polling; fired within a few milliseconds of its time by the database's clock."""
    now = database.value("SELECT clock_timestamp()")
    function_id = client.function()
    many(function_id, now + timedelta(hours=1), 1)
    engine, listener = Engine(Firing(database, Rules(), 3600, database_time)), Listener(database.dsn, "engine-test")
    engine.listen(listener)
    listener.start()
    assert listener.wait_until_listening(10)
    engine.start()
    try:
        deadline = time.monotonic() + 20
        while engine._wakes_at < now.timestamp() + 10 and time.monotonic() < deadline:
            time.sleep(0.005)
        due = database.value("SELECT clock_timestamp()") + timedelta(seconds=0.3)
        many(function_id, due, 1)
        ring = "SELECT pg_notify(%s, extract(epoch FROM %s::timestamptz)::text)"
        database.execute(ring, [DUE, due])
        while not (found := executions(database)) and time.monotonic() < deadline:
            time.sleep(0.005)
    finally:
        engine.stop(10)
        listener.stop(10)
    [execution] = found
    assert timedelta(0) <= execution["created_at"] - due < timedelta(seconds=2)


def planned(database: Database, job: Any) -> list[str]:
    """Return the planned times of a job's executions."""
    rows = database.all("SELECT planned_time FROM execution WHERE job_id = %s ORDER BY planned_time", [job["id"]])
    return [row["planned_time"].strftime("%d %H:%M") for row in rows]


def live(firing: Firing, database: Database, clock: Any, until: datetime) -> None:
    """Let an engine live from one due time to the next."""
    while (due := database.value("SELECT min(due_at) FROM job WHERE status = 'running'")) <= until:
        clock.now = max(clock.now, due)
        firing.fire()
    clock.now = until


@pytest.mark.parametrize(
    ("policy", "fired", "then"),
    [
        ("once", ["22 05:43"], "2026-11-22T06:44:00Z"),
        ("none", [], "2026-11-22T06:44:00Z"),
        ("all", [f"22 {5 + minute // 60:02}:{minute % 60:02}" for minute in range(43, 104)], "2026-11-22T06:44:00Z"),
    ],
)
def test_an_outage_of_an_hour(
    firing: Firing, client: Any, clock: Any, database: Database, policy: str, fired: list[str], then: str
) -> None:
    """Must show; spec: scheduler 4.4, rule 6: what the policy says, and then on the minute again."""
    job = client.job(misfire_policy=policy, count=100)
    clock.forward(hours=1, seconds=10)
    while firing.fire():
        pass
    assert planned(database, job) == fired
    after = client.get(f"/v1/jobs/{job['id']}")[1]
    assert (after["next_execution_time"], after["count"]) == (then, 100 - len(fired))
    clock.now = datetime.fromisoformat(then)
    firing.fire()
    assert planned(database, job)[len(fired) :] == ["22 06:44"]


@pytest.mark.parametrize("policy", ["once", "all", "none"])
@pytest.mark.parametrize("step", [1, -1])
def test_a_clock_step_of_an_hour(
    firing: Firing, client: Any, clock: Any, database: Database, policy: str, step: int
) -> None:
    """Must show; spec: scheduler 4.4, rule 10: nothing twice, nothing of the hour that was jumped over but as said."""
    job = client.job(misfire_policy=policy)
    live(firing, database, clock, clock.now + timedelta(minutes=3))
    before = ["22 05:43", "22 05:44", "22 05:45"]
    assert planned(database, job) == before
    clock.forward(hours=step)
    while firing.fire():
        pass
    late = {"once": ["22 05:46"], "none": []}.get(policy)
    jumped = [f"22 {5 + minute // 60:02}:{minute % 60:02}" for minute in range(46, 106)] if late is None else late
    assert planned(database, job) == before + (jumped if step > 0 else [])
    clock.forward(hours=-step)
    live(firing, database, clock, clock.now + timedelta(minutes=2))
    assert planned(database, job) == before + (jumped if step > 0 else ["22 05:46", "22 05:47"])


BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


@pytest.mark.parametrize(
    ("zone", "pattern", "night", "fired"),
    [
        (BERLIN, "30 2 * * *", "2027-03-27T12:00:00Z", ["28 01:00", "29 00:30"]),
        (BERLIN, "30 2 * * *", "2026-10-24T12:00:00Z", ["25 00:30", "26 01:30"]),
        (BERLIN, "*/30 2 * * *", "2027-03-27T12:00:00Z", ["29 00:00", "29 00:30"]),
        (BERLIN, "*/30 2 * * *", "2026-10-24T12:00:00Z",
         ["25 00:00", "25 00:30", "25 01:00", "25 01:30", "26 01:00", "26 01:30"]),
        (NEW_YORK, "30 2 * * *", "2027-03-13T18:00:00Z", ["14 07:00", "15 06:30"]),
        (NEW_YORK, "30 1 * * *", "2026-10-31T18:00:00Z", ["01 05:30", "02 06:30"]),
        (NEW_YORK, "*/30 2 * * *", "2027-03-13T18:00:00Z", ["15 06:00", "15 06:30"]),
        (NEW_YORK, "*/30 1 * * *", "2026-10-31T18:00:00Z",
         ["01 05:00", "01 05:30", "01 06:00", "01 06:30", "02 06:00", "02 06:30"]),
    ],
)  # fmt: skip
def test_the_nights_in_which_clocks_change(
    firing: Firing, client: Any, clock: Any, database: Database, zone: str, pattern: str, night: str, fired: list[str]
) -> None:
    """Must show: what the table in docs/explanation/when-jobs-fire.md says, from the plan to the executions."""
    clock.now = datetime.fromisoformat(night)
    job = client.job(pattern=pattern, timezone=zone)
    live(firing, database, clock, clock.now + timedelta(hours=42))
    assert planned(database, job) == fired


def test_executions_of_a_job_may_overlap(firing: Firing, client: Any, clock: Any, database: Database) -> None:
    """spec: scheduler 4.4, rule 7."""
    client.job()
    for _ in range(3):
        clock.forward(minutes=1)
        firing.fire()
    assert [row["status"] for row in executions(database)] == ["running"] * 3


def test_a_deletion_that_commits_first_wins(firing: Firing, client: Any, clock: Any, database: Database) -> None:
    """spec: scheduler 2.10."""
    job = client.job()
    clock.forward(minutes=1)
    with database.transaction() as tx:
        tx.execute("DELETE FROM job WHERE id = %s", [job["id"]])
        assert firing.fire() == 0
    assert firing.fire() == 0
    assert executions(database) == []


def test_a_job_acts_in_the_name_of_who_made_it(
    firing: Firing, client: Any, admin: Any, clock: Any, database: Database, sent: Any
) -> None:
    """spec: scheduler 4.3: in the job's project, without an admin's rights, whoever has changed it."""
    job = client.job()
    assert admin.put(f"/v1/jobs/{job['id']}", {"name": "seen"})[0] == 202
    clock.forward(minutes=1)
    firing.fire()
    Sender(database, 3600).send()
    [command] = sent("poller.job.submit")
    assert command["principal"] == {"kind": "account", "id": 3}
    [execution] = executions(database)
    assert execution["project_id"] == "3"


def test_without_a_broker_the_execution_waits(
    firing: Firing, client: Any, clock: Any, database: Database, sent: Any
) -> None:
    """spec: scheduler 4.2, broker down: running, and its command is in the outbox."""
    client.job()
    clock.forward(minutes=1)
    firing.fire()
    Sender(database, 3600).send()
    assert [row["status"] for row in executions(database)] == ["running"]
    assert len(sent("poller.job.submit")) == 1
    assert database.value("SELECT count(*) FROM pending_command") == 1


def test_a_flood_of_one_tenant_does_not_hold_up_another(
    firing: Firing, client: Any, other: Any, clock: Any, database: Database, many: Any
) -> None:
    """Must show: a tenant's broken alias, gone function and thousand jobs, and another's one job."""
    client.post("/v1/aliases", {"name": "now", "function_id": client.function()})
    client.job(function_alias="now", pattern="43 * * * *")
    database.execute("DELETE FROM function_alias")
    gone = client.function()
    many(gone, clock.now + timedelta(seconds=6), 2 * BATCH)
    database.execute("DELETE FROM function WHERE id = %s", [gone])
    theirs = other.job(pattern="43 * * * *")
    clock.forward(seconds=6)
    assert firing.fire() == BATCH
    assert planned(database, theirs) == ["22 05:43"]
    assert [firing.fire() for _ in range(3)] == [BATCH, 2, 0]
    assert {row["status"] for row in executions(database) if row["project_id"] == "3"} == {"error"}
    assert database.value("SELECT count(*) FROM job WHERE status <> 'running'") == 0


def test_pause_and_resume_around_a_firing(firing: Firing, client: Any, clock: Any, database: Database) -> None:
    """spec: scheduler Q2: what has fired is not planned again, and what is not due yet has not fired."""
    job = client.job()
    path = f"/v1/jobs/{job['id']}"
    clock.forward(seconds=4)
    assert firing.fire() == 0
    for _ in range(2):
        client.put(path, {"status": "paused"})
        client.put(path, {"status": "running"})
    clock.forward(seconds=2)
    assert firing.fire() == 1
    client.put(path, {"status": "paused"})
    assert client.put(path, {"status": "running"})[1]["next_execution_time"] == "2026-11-22T05:44:00Z"
    assert firing.fire() == 0
    assert planned(database, job) == ["22 05:43"]


def test_a_function_counts_what_was_begun(firing: Firing, client: Any, clock: Any, database: Database) -> None:
    """spec: scheduler Q38: an occurrence that cannot run has an execution, in error, and counts for nothing."""
    function_id = client.package()
    client.job(function_id=function_id)
    database.execute("UPDATE runtime SET status = 'upgrading'")
    clock.forward(minutes=1)
    firing.fire()
    database.execute("UPDATE runtime SET status = 'available'")
    assert client.get(f"/v1/functions/{function_id}")[1]["count"] == 0
    clock.forward(minutes=1)
    firing.fire()
    assert client.get(f"/v1/functions/{function_id}")[1]["count"] == 1
    assert [row["status"] for row in executions(database)] == ["error", "running"]
