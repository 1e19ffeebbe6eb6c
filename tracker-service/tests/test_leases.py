"""Leases that are prolonged and leases that run out."""

from collections.abc import Callable
from typing import Any

import pytest

from chassis.database import Database
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals
from tracker_service import leases

WORKER = 7
MakeProject = Callable[..., int]
LOST = {"ok": False, "message": "Task is not assigned to you"}


@pytest.fixture
def worker(known: KnownPrincipals) -> dict[str, str]:
    return known.add_worker(WORKER)


@pytest.fixture
def lease(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, database: Database
) -> Callable[..., int]:
    """Store a task in a new public project and lease it: `lease(max_assign_time=60)` returns its id."""

    def make(max_assign_time: int) -> int:
        project = make_project(public=True)
        database.execute(
            "INSERT INTO task (project, recipe, max_assign_time, priority, max_retries, verification_count)"
            " VALUES (%s, 'a', %s, 0, 3, 1)",
            [project, max_assign_time],
        )
        return int(client.get(f"/task/get/{project}", headers=worker).json["content"]["task"]["id"])

    return make


def row(database: Database, task: int) -> dict[str, Any]:
    found = database.one("SELECT * FROM task WHERE id = %s", [task])
    assert found is not None
    return found


def pass_time(database: Database, seconds: float) -> None:
    """Move every lease as if so much time had passed."""
    database.execute("UPDATE task SET lease_until = lease_until - make_interval(secs => %s)", [seconds])


def test_a_lease_that_has_run_out_is_taken_back(
    client: ContractClient, worker: dict[str, str], lease: Callable[..., int], database: Database
) -> None:
    """spec: tracker 5.5: retries do not change; the late release is not updated"""
    task, other = lease(60), lease(100)
    assert leases.expire(database) == 0
    pass_time(database, 61)
    assert leases.expire(database) == 1
    after = row(database, task)
    assert (after["assignee"], after["assign_time"], after["retries"], after["status"]) == (None, None, 0, 1)
    assert row(database, other)["assignee"] == WORKER
    answer = client.post("/task/release", headers=worker, json={"task_id": task})
    assert answer.json == {"ok": True, "message": "Task was not marked as closed", "content": {"updated": False}}


def test_no_time_at_all_runs_out_at_the_next_pass(lease: Callable[..., int], database: Database) -> None:
    """spec: tracker Q-34"""
    task = lease(0)
    assert leases.expire(database) == 1
    assert row(database, task)["assignee"] is None


def test_a_huge_time_stops_nothing(lease: Callable[..., int], database: Database) -> None:
    """spec: tracker Q-32"""
    huge, short = lease(2_147_483_647), lease(0)
    assert leases.expire(database) == 1
    assert row(database, huge)["assignee"] == WORKER
    assert row(database, short)["assignee"] is None


def test_more_than_one_piece_is_taken_back_at_once(
    make_project: MakeProject, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_PIECE", 2)
    project = make_project()
    database.execute(
        "INSERT INTO task (project, recipe, max_assign_time, priority, max_retries, verification_count, assignee,"
        " assign_time, lease_until) SELECT %s, 'a', 0, 0, 0, 1, 7, now(), now() - interval '1 hour'"
        " FROM generate_series(1, 5)",
        [project],
    )
    assert leases.expire(database) == 5
    assert database.value("SELECT count(*) FROM task WHERE assignee IS NULL") == 5


def test_renewing_starts_the_lease_anew(
    client: ContractClient, worker: dict[str, str], lease: Callable[..., int], database: Database
) -> None:
    """DESIGN 11"""
    task = lease(60)
    pass_time(database, 50)
    database.execute("UPDATE task SET assign_time = assign_time - interval '50 seconds'")
    answer = client.post("/task/renew", headers=worker, json={"task_id": task})
    now = database.value("SELECT extract(epoch FROM now())::bigint")
    content = answer.json["content"]
    assert abs(content.pop("assign_time") - now) <= 1
    assert content == {"task_id": task, "max_assign_time": 60}
    pass_time(database, 50)
    assert leases.expire(database) == 0
    pass_time(database, 11)
    assert leases.expire(database) == 1


def test_renewing_may_change_the_length(
    client: ContractClient, worker: dict[str, str], lease: Callable[..., int], database: Database
) -> None:
    """DESIGN 11"""
    task = lease(60)
    answer = client.post("/task/renew", headers=worker, json={"task_id": task, "max_assign_time": 7200})
    assert answer.json["content"]["max_assign_time"] == 7200
    pass_time(database, 7100)
    assert leases.expire(database) == 0
    answer = client.post("/task/renew", headers=worker, json={"task_id": task, "max_assign_time": 0})
    assert answer.json["content"]["max_assign_time"] == 0
    assert leases.expire(database) == 1


def test_only_the_holder_renews(
    client: ContractClient, worker: dict[str, str], known: KnownPrincipals, lease: Callable[..., int],
    database: Database,
) -> None:  # fmt: skip
    """DESIGN 11: 200, ok:false with the reason"""
    task = lease(0)
    for headers, number in ((known.add_worker(8), task), (worker, task + 1), (worker, (1 << 63) - 1), (worker, -1)):
        answer = client.post("/task/renew", headers=headers, json={"task_id": number})
        assert (answer.status_code, answer.json) == (200, LOST)
    leases.expire(database)
    assert client.post("/task/renew", headers=worker, json={"task_id": task}).json == LOST


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "Could not parse request"),
        ('{"task_id": "1"}', "Could not parse request"),
        ("{}", "Invalid request"),
        ('{"task_id": 1, "max_assign_time": -1}', "Invalid request"),
        ('{"task_id": 1, "max_assign_time": 2147483648}', "Invalid request"),
    ],
)
def test_bad_renewals_are_refused(client: ContractClient, worker: dict[str, str], body: str, message: str) -> None:
    """contracts/openapi/tracker.yaml: task_renew"""
    assert client.post("/task/renew", data=body).status_code == 403
    answer = client.post("/task/renew", headers=worker, data=body)
    assert (answer.status_code, answer.json["message"]) == (400, message)
