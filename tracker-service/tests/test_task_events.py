"""What the house hears about tasks."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from chassis.database import Database
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals
from tracker_service import task_events

WORKER = 7
MakeProject = Callable[..., int]


@pytest.fixture
def worker(known: KnownPrincipals) -> dict[str, str]:
    return known.add_worker(WORKER)


def told(database: Database) -> list[tuple[str, str, Any]]:
    """Type, subject and data of what is in the outbox; the outbox itself checks the schemas."""
    task_events.tell_of_ended(database)
    envelopes = [orjson.loads(row["envelope"]) for row in database.all("SELECT envelope FROM outbox ORDER BY id")]
    return [(envelope["type"], envelope["subject"], envelope["data"]) for envelope in envelopes]


def test_submissions_are_told_by_request(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, grant: Callable[..., None],
    database: Database,
) -> None:  # fmt: skip
    """contracts/events/tracker.tasks.submitted.json; what was not stored is not told"""
    project = make_project()
    grant(WORKER, project, submit=True)
    task = {"project": project, "recipe": "a", "hash_u64": 1}
    other = {"project": project, "recipe": "b"}
    client.post("/task/submit", headers=worker, json=task)
    client.post("/task/submit", headers=worker, json=task)
    client.post("/task/bulk_submit", headers=worker, json={"requests": [task, other, other]})
    subject = f"project/{project}"
    assert told(database) == [
        ("tracker.tasks.submitted", subject, {"project_id": project, "count": 1}),
        ("tracker.tasks.submitted", subject, {"project_id": project, "count": 2}),
    ]


def test_ended_tasks_travel_together(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, database: Database
) -> None:
    """contracts/events/tracker.tasks.closed.json, tracker.tasks.failed.json; DESIGN 5: batched"""
    target = make_project()
    project = make_project(public=True, chain=target)
    database.execute(
        "INSERT INTO task (project, recipe, max_assign_time, priority, max_retries, verification_count)"
        " SELECT %s, 'a', 60, 0, CASE WHEN n = 4 THEN 3 ELSE 0 END, 1 FROM generate_series(1, 5) AS n",
        [project],
    )
    client.get(f"/task/get/{project}?count=9", headers=worker)
    for task, result in ((2, 0), (1, 0), (3, 1), (4, 1), (5, 2)):
        client.post("/task/release", headers=worker, json={"task_id": task, "result": result})
    expected = [
        ("tracker.tasks.closed", [(2, 6), (1, 7)]),
        ("tracker.tasks.failed", [(3, None)]),
    ]
    assert told(database) == [
        (
            type_,
            f"project/{project}",
            {
                "project_id": project,
                "tasks": [{"task_id": task, "worker_id": WORKER, "chained_to": copy} for task, copy in tasks],
            },
        )
        for type_, tasks in expected
    ]
    assert len(told(database)) == 2
