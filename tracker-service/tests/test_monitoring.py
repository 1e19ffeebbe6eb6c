"""Figures of projects (spec: tracker 4.3, 9, Q-17, Q-33, Q-47)."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from chassis.database import Database
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals
from tracker_service import monitoring
from tracker_service.roles import Role

Headers = dict[str, str]
Make = Callable[..., Any]


def refusal(answer: Any) -> tuple[int, str]:
    assert answer.json["ok"] is False
    return answer.status_code, answer.json["message"]


@pytest.fixture
def add_tasks(database: Database) -> Callable[..., list[int]]:
    """Store tasks: `add_tasks(project, 3, assignee=7)`, `add_tasks(project, 1, status=2)`; returns their ids."""

    def add(project: int, count: int, *, assignee: int | None = None, status: int = 1) -> list[int]:
        rows = database.all(
            "INSERT INTO task (project, assignee, lease_until, max_assign_time, status, max_retries,"
            " priority, verification_count, recipe)"
            " SELECT %(project)s, %(assignee)s, CASE WHEN %(assignee)s::bigint IS NOT NULL THEN now() END, 0,"
            " %(status)s, 1, 0, 1, 'r' FROM generate_series(1, %(count)s) RETURNING id",
            {"project": project, "assignee": assignee, "status": status, "count": count},
        )
        return [row["id"] for row in rows]

    return add


@pytest.fixture
def verify(database: Database) -> Callable[[int, int], None]:
    """Store a worker's verification of a task."""

    def add(task: int, worker: int) -> None:
        database.execute("INSERT INTO task_verification (task, worker, hash) VALUES (%s, %s, 1)", [task, worker])

    return add


@pytest.fixture
def snapshot_at(database: Database) -> Callable[[int, int], None]:
    """Store a snapshot of a project at a Unix time, whose closed tasks are that time."""

    def add(project: int, at: int) -> None:
        database.execute("INSERT INTO snapshot VALUES (%s, to_timestamp(%s), 1, 2, %s, 4, 5)", [project, at, at])

    return add


def times(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.json
    return [snapshot["time_stamp"] for snapshot in answer.json["content"]["snapshots"]]


class TestTaking:
    """spec: tracker 9"""

    def test_one_row_per_project_with_its_counts(
        self,
        client: ContractClient,
        database: Database,
        make_project: Make,
        add_tasks: Make,
        verify: Make,
        grant: Make,
        admin: Headers,
    ) -> None:
        """Assigned tasks are new ones; verified ones count once, and only while they are unfinished (Q-47)."""
        busy, idle = make_project(hidden=True, paused=True, closed_task_count=2**40), make_project()
        grant(7, busy, assign=True)
        grant(8, busy, assign=True, pending=True)
        first, second, *_ = add_tasks(busy, 4)
        add_tasks(busy, 2, assignee=7)
        failed = add_tasks(busy, 3, status=2)
        for task, worker in ((first, 7), (first, 8), (second, 7), (failed[0], 7)):
            verify(task, worker)
        before = int(time.time())
        assert monitoring.take_snapshots(database, 120) == 2
        answer: Any = client.get(f"/project/monitoring/{busy}?count=10", headers=admin)
        (snapshot,) = answer.json["content"]["snapshots"]
        assert before - 1 <= snapshot.pop("time_stamp") <= time.time() + 1
        assert snapshot == {
            "new_task_count": 4,
            "failed_task_count": 3,
            "closed_task_count": 2**40,
            "worker_access_count": 2,
            "awaiting_verification_count": 2,
        }
        answer = client.get(f"/project/monitoring/{idle}?count=10")
        (snapshot,) = answer.json["content"]["snapshots"]
        assert set(snapshot.values()) == {0, snapshot["time_stamp"]}

    def test_replicas_do_not_double_it(self, database: Database, make_project: Make) -> None:
        """Each has its own timer"""
        make_project()
        assert monitoring.take_snapshots(database, 120) == 1
        assert monitoring.take_snapshots(database, 120) == 0
        database.execute("UPDATE snapshot SET taken_at = taken_at - interval '119 seconds'")
        assert monitoring.take_snapshots(database, 120) == 1

    def test_old_ones_are_deleted(
        self, client: ContractClient, database: Database, make_project: Make, snapshot_at: Make
    ) -> None:
        project = make_project()
        now = int(time.time())
        for age in (0, 3_000, 4_000, 9_000):
            snapshot_at(project, now - age)
        assert monitoring.prune(database, 3_600) == 2
        assert times(client.get(f"/project/monitoring/{project}?count=9")) == [now, now - 3_000]


class TestLatest:
    """spec: tracker 4.3, GET /project/monitoring/:id"""

    @pytest.mark.parametrize(
        "path", ["x?count=1", "0?count=1", "-1?count=1", "1", "1?count=0", "1?count=1000", "1?count=-1", "1?count=x",
                 "1?count=1.0", "1?count=99999999999999999999"]
    )  # fmt: skip
    def test_out_of_range(self, client: ContractClient, path: str) -> None:
        """1 to 999"""
        assert refusal(client.get(f"/project/monitoring/{path}")) == (400, "Invalid request")

    @pytest.mark.parametrize("number", [404, 2**31, 2**63 - 1])
    def test_unknown_project(self, client: ContractClient, number: int) -> None:
        """`[]`"""
        answer = client.get(f"/project/monitoring/{number}?count=999")
        assert answer.json == {"ok": True, "content": {"snapshots": []}}

    def test_newest_first(self, client: ContractClient, make_project: Make, snapshot_at: Make) -> None:
        project, other = make_project(), make_project()
        for at in (30, 10, 20):
            snapshot_at(project, at)
        snapshot_at(other, 40)
        assert times(client.get(f"/project/monitoring/{project}?count=2")) == [30, 20]
        assert times(client.get(f"/project/monitoring/{project}?count=999")) == [30, 20, 10]


class TestBetween:
    """spec: tracker 4.3, GET /project/monitoring-between/:id"""

    @pytest.mark.parametrize(
        "path",
        ["x?from=1&to=2", "0?from=1&to=2", "1?from=0&to=2", "1?from=1", "1?to=1", "1?from=1&to=2147483647",
         "1?from=2147483647&to=1", "1?from=-1&to=1"],
    )  # fmt: skip
    def test_out_of_range(self, client: ContractClient, path: str) -> None:
        """1 to 2147483646"""
        assert refusal(client.get(f"/project/monitoring-between/{path}")) == (400, "Invalid request")

    def test_both_ends_belong_to_it(self, client: ContractClient, make_project: Make, snapshot_at: Make) -> None:
        project = make_project()
        for at in (1, 10, 20, 30, 2147483646):
            snapshot_at(project, at)
        path = f"/project/monitoring-between/{project}"
        assert times(client.get(f"{path}?from=10&to=20")) == [20, 10]
        assert times(client.get(f"{path}?from=1&to=2147483646")) == [2147483646, 30, 20, 10, 1]
        assert times(client.get(f"{path}?from=20&to=10")) == []


class TestAssignees:
    """spec: tracker 4.3, GET /project/assignees/:id"""

    @pytest.mark.parametrize("text", ["x", "0", "-1"])
    def test_bad_id(self, client: ContractClient, text: str) -> None:
        assert refusal(client.get(f"/project/assignees/{text}")) == (400, "Invalid worker id")

    @pytest.mark.parametrize("number", [404, 2**31, 2**63 - 1])
    def test_none(self, client: ContractClient, number: int) -> None:
        """Q-05: anonymous requests with such ids do no harm"""
        assert client.get(f"/project/assignees/{number}").json == {"ok": True, "content": {"assignees": []}}

    def test_most_tasks_first(
        self, client: ContractClient, database: Database, make_project: Make, add_tasks: Make, grant: Make
    ) -> None:
        """Workers with one alias have an entry each; failed tasks have no assignee (Q-33)"""
        project, other = make_project(), make_project()
        for worker, count in ((1, 2), (2, 5), (3, 3)):
            grant(worker, project, assign=True)
            add_tasks(project, count, assignee=worker)
        database.execute("UPDATE worker SET alias = 'twin' WHERE id < 3")
        add_tasks(project, 3)
        add_tasks(project, 1, status=2)
        add_tasks(other, 9)
        answer: Any = client.get(f"/project/assignees/{project}")
        assert answer.json["content"]["assignees"] == [
            {"assignee": "twin", "task_count": 5},
            {"assignee": "unassigned", "task_count": 4},
            {"assignee": "worker-3", "task_count": 3},
            {"assignee": "twin", "task_count": 2},
        ]

    def test_sixteen_at_most_and_unassigned_is_one_of_them(
        self, client: ContractClient, make_project: Make, add_tasks: Make, grant: Make
    ) -> None:
        """Q-33"""
        project = make_project()
        for worker in range(1, 19):
            grant(worker, project, assign=True)
            add_tasks(project, worker + 1, assignee=worker)
        add_tasks(project, 1)
        answer: Any = client.get(f"/project/assignees/{project}")
        counts = [entry["task_count"] for entry in answer.json["content"]["assignees"]]
        assert counts == [*range(19, 4, -1), 1]
        assert answer.json["content"]["assignees"][-1]["assignee"] == "unassigned"


@pytest.mark.parametrize("path", ["monitoring/{}?count=1", "monitoring-between/{}?from=1&to=2", "assignees/{}"])
def test_hidden_projects_show_no_figures_to_strangers(
    client: ContractClient,
    make_project: Make,
    give_role: Make,
    known: KnownPrincipals,
    admin: Headers,
    path: str,
) -> None:
    """Q-17: the read rule of /project/get"""
    hidden = make_project(hidden=True)
    give_role(3, hidden, Role.READ)
    give_role(4, hidden, 31 & ~Role.READ)
    url = "/project/" + path.format(hidden)
    for headers in ({}, known.add_worker(3), known.add_account(4)):
        assert refusal(client.get(url, headers=headers)) == (403, "Unauthorized")
    for headers in (known.add_account(3), admin):
        assert client.get(url, headers=headers).status_code == 200
