"""Rate limits of projects."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from chassis.database import Database
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals
from tracker_service import buckets
from tracker_service.app import make_app
from tracker_service.container import Container, assemble

WORKER = 7
MakeProject = Callable[..., int]
Grant = Callable[..., None]
NONE = {"ok": False, "message": "No task available"}


@pytest.fixture
def worker(known: KnownPrincipals) -> dict[str, str]:
    return known.add_worker(WORKER)


@pytest.fixture
def second_app(container: Container, database: Database) -> Flask:
    """Another process of the same service, as far as memory goes."""
    return make_app(assemble(container.settings, database, lambda *_: container.identity, container.accounts))


def pass_time(database: Database, seconds: float) -> None:
    """Move every bucket as if so much time had passed."""
    database.execute("UPDATE rate_bucket SET full_at = full_at - %s", [seconds])


def add_tasks(database: Database, project: int, count: int) -> None:
    database.execute(
        "INSERT INTO task (project, recipe, max_assign_time, priority, max_retries, verification_count)"
        " SELECT %s, 'a', 60, 0, 0, 1 FROM generate_series(1, %s)",
        [project, count],
    )


def limited(answer: Any) -> float:
    """The delay of a refusal."""
    assert answer.status_code == 429
    assert answer.json["message"] == "Too many requests"
    assert int(answer.headers["Retry-After"]) >= answer.json["rate_limit_delay"]
    return float(answer.json["rate_limit_delay"])


def test_the_example_of_the_specification(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, database: Database
) -> None:
    """spec: tracker 6: rate 2; at 0.00 it passes, at 0.10 the delay is 0.40, at 0.50 it passes"""
    project = make_project(public=True, assign_rate=2.0)
    add_tasks(database, project, 3)
    path = f"/task/get/{project}"
    assert client.get(path, headers=worker).json["ok"]
    pass_time(database, 0.1)
    assert 0.2 < limited(client.get(path, headers=worker)) <= 0.4
    pass_time(database, 0.4)
    assert client.get(path, headers=worker).json["ok"]
    assert 0.3 < limited(client.get(path, headers=worker)) <= 0.5


def test_refusals_consume_nothing(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, database: Database
) -> None:
    """spec: tracker 6"""
    project = make_project(public=True, assign_rate=0.01)
    add_tasks(database, project, 2)
    path = f"/task/get/{project}"
    assert client.get(path, headers=worker).json["ok"]
    delays = [limited(client.get(path, headers=worker)) for _ in range(5)]
    assert delays == sorted(delays, reverse=True)
    pass_time(database, 100)
    assert client.get(path, headers=worker).json["ok"]


def test_time_without_requests_saves_no_more_than_one_token(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, database: Database
) -> None:
    """spec: tracker 6: capacity 1"""
    project = make_project(public=True, assign_rate=0.01)
    add_tasks(database, project, 3)
    assert client.get(f"/task/get/{project}", headers=worker).json["ok"]
    pass_time(database, 1_000_000)
    assert client.get(f"/task/get/{project}", headers=worker).json["ok"]
    limited(client.get(f"/task/get/{project}", headers=worker))


def test_an_empty_answer_costs_nothing(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, database: Database
) -> None:
    """spec: tracker Q-16: refunded"""
    project = make_project(public=True, assign_rate=0.01)
    for _ in range(3):
        assert client.get(f"/task/get/{project}", headers=worker).json == NONE
    add_tasks(database, project, 1)
    assert client.get(f"/task/get/{project}", headers=worker).json["ok"]


def test_workers_without_access_cannot_use_up_the_tokens(
    client: ContractClient, worker: dict[str, str], known: KnownPrincipals, make_project: MakeProject, grant: Grant,
    database: Database,
) -> None:  # fmt: skip
    """spec: tracker Q-16: permission before limiter"""
    project = make_project(assign_rate=0.01, submit_rate=0.01)
    grant(WORKER, project, assign=True, submit=True)
    stranger = known.add_worker(8)
    task = {"project": project, "recipe": "a"}
    for _ in range(2):
        assert client.get(f"/task/get/{project}", headers=stranger).json == NONE
        assert client.post("/task/submit", headers=stranger, json=task).json["message"] == "unauthorized task submit"
    assert client.post("/task/submit", headers=worker, json=task).json == {"ok": True}
    assert client.get(f"/task/get/{project}", headers=worker).json["ok"]
    limited(client.get(f"/task/get/{project}", headers=worker))
    assert client.get(f"/task/get/{project}", headers=stranger).json == NONE


def test_submitting_has_a_bucket_of_its_own(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, grant: Grant
) -> None:
    """spec: tracker 4.4, 6"""
    project = make_project(submit_rate=0.01)
    grant(WORKER, project, submit=True)
    task = {"project": project, "recipe": "a"}
    assert client.post("/task/submit", headers=worker, json=task).status_code == 200
    limited(client.post("/task/submit", headers=worker, json=task))
    limited(client.post("/task/bulk_submit", headers=worker, json={"requests": [task]}))
    assert client.get(f"/task/get/{project}", headers=worker).json["ok"]


def test_a_duplicate_costs_nothing(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, grant: Grant, database: Database
) -> None:
    """spec: tracker Q-16: refunded"""
    project = make_project(submit_rate=0.01)
    grant(WORKER, project, submit=True)
    task = {"project": project, "recipe": "a", "hash_u64": 1}
    assert client.post("/task/submit", headers=worker, json=task).status_code == 200
    pass_time(database, 100)
    assert "duplicate key" in client.post("/task/submit", headers=worker, json=task).json["message"]
    assert client.post("/task/submit", headers=worker, json={**task, "hash_u64": 2}).status_code == 200


def test_a_batch_passes_when_a_token_is_there_and_later_requests_wait_for_it(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, grant: Grant, database: Database
) -> None:
    """spec: tracker Q-15; duplicates of the batch cost nothing"""
    project = make_project(submit_rate=10.0)
    grant(WORKER, project, submit=True)
    tasks = [{"project": project, "recipe": "a"} for _ in range(100)] + [
        {"project": project, "recipe": "a", "hash_u64": 1} for _ in range(50)
    ]
    assert client.post("/task/bulk_submit", headers=worker, json={"requests": tasks}).json["content"]["skipped"] == 49
    assert 9.5 < limited(client.post("/task/submit", headers=worker, json=tasks[0])) <= 10.1
    pass_time(database, 10.1)
    assert client.post("/task/submit", headers=worker, json=tasks[0]).status_code == 200


def test_a_batch_of_leases_costs_what_it_gives(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, database: Database
) -> None:
    """spec: tracker Q-15, DESIGN 11"""
    project = make_project(public=True, assign_rate=1.0)
    add_tasks(database, project, 3)
    answer = client.get(f"/task/get/{project}?count=50", headers=worker)
    assert len(answer.json["content"]["tasks"]) == 3
    assert 2.5 < limited(client.get(f"/task/get/{project}", headers=worker)) <= 3.0


def test_any_project_passes_over_limited_ones(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, database: Database
) -> None:
    """DESIGN 11"""
    slow = make_project(public=True, priority=9, assign_rate=0.01)
    slower = make_project(public=True, priority=8, assign_rate=0.001)
    free = make_project(public=True, priority=1)
    for project in (slow, slower, free):
        add_tasks(database, project, 2)
    given = [client.get("/task/get", headers=worker).json["content"]["task"]["project"]["id"] for _ in range(4)]
    assert given == [slow, slower, free, free]
    assert 90 < limited(client.get("/task/get", headers=worker)) <= 100


def test_all_processes_share_the_bucket(
    client: ContractClient, second_app: Flask, worker: dict[str, str], make_project: MakeProject, database: Database
) -> None:
    """spec: tracker Q-46, Q-53: of many first requests at once, in two processes, one passes"""
    project = make_project(public=True, assign_rate=0.001)
    add_tasks(database, project, 20)
    applications = [client.application, second_app] * 5

    def ask(app: Flask) -> int:
        return app.test_client().get(f"/task/get/{project}", headers=worker).status_code

    with ThreadPoolExecutor(10) as pool:
        statuses = sorted(pool.map(ask, applications))
    assert statuses == [200] + [429] * 9
    assert database.value("SELECT count(*) FROM task WHERE assignee IS NOT NULL") == 1


def test_a_reset_fills_both_buckets(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, grant: Grant, database: Database
) -> None:
    """spec: tracker 6: an update of the project discards both limiters, of this project only"""
    project, other = (make_project(submit_rate=0.001, assign_rate=0.001) for _ in range(2))
    for target in (project, other):
        grant(WORKER, target, submit=True, assign=True)
        assert client.post("/task/submit", headers=worker, json={"project": target, "recipe": "a"}).json["ok"]
        assert client.get(f"/task/get/{target}", headers=worker).json["ok"]
    with database.transaction() as tx:
        buckets.reset(tx, project)
    assert client.post("/task/submit", headers=worker, json={"project": project, "recipe": "a"}).json["ok"]
    assert client.get(f"/task/get/{project}", headers=worker).json["ok"]
    limited(client.post("/task/submit", headers=worker, json={"project": other, "recipe": "a"}))


def test_projects_without_a_limit_have_no_bucket(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, grant: Grant, database: Database
) -> None:
    project = make_project()
    grant(WORKER, project, submit=True)
    client.post("/task/submit", headers=worker, json={"project": project, "recipe": "a"})
    client.get(f"/task/get/{project}", headers=worker)
    assert database.value("SELECT count(*) FROM rate_bucket") == 0


@pytest.mark.parametrize("rate", [1e-308, 1e-9, 1e308])
def test_extreme_rates_have_finite_delays(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, database: Database, rate: float
) -> None:
    """spec: tracker Q-15: a delay after which the same request passes"""
    project = make_project(public=True, assign_rate=rate)
    add_tasks(database, project, 2)
    assert client.get(f"/task/get/{project}", headers=worker).json["ok"]
    again = client.get(f"/task/get/{project}", headers=worker)
    if rate < 1:
        assert limited(again) <= 1e9
    else:
        assert again.json["ok"]
