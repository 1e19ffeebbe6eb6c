"""What managers do to all tasks of a project, and what the background process does for the table."""

from collections.abc import Callable
from typing import Any

import pytest

from chassis.database import Database
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals
from tracker_service.maintenance import Vacuum
from tracker_service.roles import Role

MANAGER = 2
MakeProject = Callable[..., int]
CALLS = ("reset_failed_tasks", "hard_reset", "reclaim_assigned_tasks")


@pytest.fixture
def project(make_project: MakeProject, database: Database) -> int:
    """A project with two new, three leased and four failed tasks, beside another with one of each."""
    project, other = make_project(chain=make_project()), make_project()
    for target, new, leased, failed in ((project, 2, 3, 4), (other, 1, 1, 1)):
        for count, status, assignee in ((new, 1, None), (leased, 1, 7), (failed, 2, None)):
            database.execute(
                "INSERT INTO task (project, recipe, max_assign_time, priority, max_retries, verification_count,"
                " status, retries, assignee, assign_time, lease_until)"
                " SELECT %(project)s, 'a', 60, 0, 2, 2, %(status)s, 2, %(assignee)s,"
                " CASE WHEN %(assignee)s::bigint IS NULL THEN NULL ELSE now() END,"
                " CASE WHEN %(assignee)s::bigint IS NULL THEN NULL ELSE now() END FROM generate_series(1, %(count)s)",
                {"project": target, "status": status, "assignee": assignee, "count": count},
            )
    database.execute("INSERT INTO task_verification SELECT id, 7, 5 FROM task")
    return project


def shape(database: Database, project: int) -> tuple[int, int, int]:
    """How many tasks are new, leased and failed."""
    row = database.one(
        "SELECT count(*) FILTER (WHERE status = 1 AND assignee IS NULL) AS new,"
        " count(*) FILTER (WHERE assignee IS NOT NULL) AS leased, count(*) FILTER (WHERE status = 2) AS failed"
        " FROM task WHERE project = %s",
        [project],
    )
    assert row is not None
    return row["new"], row["leased"], row["failed"]


@pytest.mark.parametrize(
    ("call", "affected", "after"),
    [("reset_failed_tasks", 4, (6, 3, 0)), ("reclaim_assigned_tasks", 3, (5, 0, 4)), ("hard_reset", 9, (0, 0, 0))],
)
def test_what_each_call_does(
    client: ContractClient,
    manager: dict[str, str],
    give_role: Callable[..., None],
    project: int,
    database: Database,
    call: str,
    affected: int,
    after: tuple[int, int, int],
) -> None:
    """spec: tracker 5.6, Q-40, Q-41; bodies are ignored"""
    give_role(MANAGER, project, Role.MAINTENANCE)
    for expected in (affected, 0):
        answer = client.post(f"/project/{call}/{project}", headers=manager, data="anything")
        assert answer.json == {"ok": True, "content": {"affected_tasks": expected}}
    assert shape(database, project) == after
    assert shape(database, project + 1) == (1, 1, 1)
    assert database.value("SELECT sum(closed_task_count) FROM project") == 0
    assert database.value("SELECT count(*) FROM task_verification") == sum(after) + 3
    retries: list[Any] = database.all("SELECT DISTINCT retries FROM task WHERE project = %s ORDER BY 1", [project])
    if call == "reset_failed_tasks":
        assert [row["retries"] for row in retries] == [0, 2]


@pytest.mark.parametrize("call", CALLS)
def test_checks_come_in_order(
    client: ContractClient, manager: dict[str, str], give_role: Callable[..., None], project: int, call: str
) -> None:
    """spec: tracker 4.3"""
    for number in ("0", "x", "-1", "9223372036854775808"):
        answer = client.post(f"/project/{call}/{number}")
        assert (answer.status_code, answer.json) == (400, {"ok": False, "message": "Invalid project id"})
    give_role(MANAGER, project, int(Role.READ | Role.EDIT | Role.MANAGE_ACCESS | Role.SECRET))
    for headers in ({}, manager):
        answer = client.post(f"/project/{call}/{project}", headers=headers)
        assert (answer.status_code, answer.json) == (403, {"ok": False, "message": "Unauthorized"})


@pytest.mark.parametrize("call", CALLS)
def test_an_unknown_project_has_no_tasks(client: ContractClient, admin: dict[str, str], call: str) -> None:
    """spec: tracker 4.3, Q-05"""
    for number in (99, 2_147_483_648, (1 << 63) - 1):
        answer = client.post(f"/project/{call}/{number}", headers=admin)
        assert answer.json == {"ok": True, "content": {"affected_tasks": 0}}


@pytest.mark.parametrize("call", CALLS)
def test_workers_may_not_maintain(client: ContractClient, known: KnownPrincipals, project: int, call: str) -> None:
    """spec: tracker 2.5"""
    assert client.post(f"/project/{call}/{project}", headers=known.add_worker(7)).status_code == 403


def test_vacuum_cleans_when_there_is_reason_to(
    make_project: MakeProject, database: Database, wait_until: Callable[..., Any]
) -> None:
    """DESIGN 9: dead entries at the head of the ready index"""

    def vacuums() -> int:
        return int(database.value("SELECT vacuum_count FROM pg_stat_user_tables WHERE relname = 'task'"))

    vacuum, before = Vacuum(database), vacuums()
    project = make_project()
    database.execute(
        "INSERT INTO task (project, recipe, max_assign_time, priority, max_retries, verification_count)"
        " SELECT %s, 'a', 60, 0, 0, 1 FROM generate_series(1, %s)",
        [project, Vacuum.DEAD],
    )
    database.execute("DELETE FROM task")

    def vacuumed() -> bool:
        vacuum()
        return vacuums() > before

    wait_until(vacuumed)
