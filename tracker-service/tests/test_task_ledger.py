"""Many workers, two processes, one database: every task is leased once and closed once."""

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from chassis.database import Database
from chassis.testing.identity import KnownPrincipals
from tracker_service.app import make_app
from tracker_service.container import Container, assemble

THREADS = 12
MakeProject = Callable[..., int]


@pytest.fixture
def apps(container: Container, app: Flask, database: Database) -> list[Flask]:
    """Two processes of the service, as far as memory goes."""
    return [app, make_app(assemble(container.settings, database, lambda *_: container.identity, container.accounts))]


class Worker:
    """A worker that takes tasks until none are left."""

    def __init__(self, app: Flask, headers: dict[str, str]) -> None:
        self._client = app.test_client(use_cookies=False)
        self._headers = headers
        self.closed: list[int] = []
        self.leased: list[int] = []

    def get(self, path: str) -> list[dict[str, Any]]:
        answer = self._client.get(path, headers=self._headers)
        assert answer.status_code == 200, answer.data
        content = answer.json.get("content", {})
        tasks: list[dict[str, Any]] = content.get("tasks") or ([content["task"]] if content else [])
        self.leased += [task["id"] for task in tasks]
        return tasks

    def release(self, task: int, result: int = 0, verification: int = 0) -> bool:
        body = {"task_id": task, "result": result, "verification": verification}
        answer = self._client.post("/task/release", headers=self._headers, json=body)
        assert answer.status_code == 200, answer.data
        updated: bool = answer.json["content"]["updated"]
        if updated and result == 0:
            self.closed.append(task)
        return updated


def work(workers: list[Worker], shift: Callable[[Worker], None]) -> None:
    """Let all workers run `shift` at the same time."""
    with ThreadPoolExecutor(len(workers)) as pool:
        for future in [pool.submit(shift, worker) for worker in workers]:
            future.result(60)


def add(database: Database, project: int, count: int, verification_count: int = 1) -> set[int]:
    rows = database.all(
        "INSERT INTO task (project, recipe, max_assign_time, priority, max_retries, verification_count)"
        " SELECT %s, 'a', 60, n %% 3, 9, %s FROM generate_series(1, %s) AS n RETURNING id",
        [project, verification_count, count],
    )
    return {row["id"] for row in rows}


def test_each_task_is_leased_and_closed_once(
    apps: list[Flask], known: KnownPrincipals, make_project: MakeProject, database: Database
) -> None:
    """spec: tracker Q-39"""
    project = make_project(public=True)
    tasks = add(database, project, 200)
    workers = [Worker(apps[number % 2], known.add_worker(10 + number)) for number in range(THREADS)]

    def shift(worker: Worker) -> None:
        while leased := worker.get(f"/task/get/{project}" if random.random() < 0.8 else f"/task/get/{project}?count=3"):
            for task in leased:
                assert worker.release(task["id"])

    work(workers, shift)
    assert Counter(task for worker in workers for task in worker.leased) == Counter(tasks)
    assert Counter(task for worker in workers for task in worker.closed) == Counter(tasks)
    assert database.value("SELECT count(*) FROM task") == 0
    assert database.value("SELECT closed_task_count FROM project") == 200
    counted = {row["id"]: row["closed_task_count"] for row in database.all("SELECT * FROM worker")}
    assert counted == {10 + number: len(worker.closed) for number, worker in enumerate(workers)}


def test_verification_and_chains_under_pressure(
    apps: list[Flask], known: KnownPrincipals, make_project: MakeProject, database: Database
) -> None:
    """spec: tracker 5.3: two workers verify each task, some fail or skip it; its copies go on in the next project"""
    target = make_project(public=True, priority=1)
    project = make_project(public=True, priority=2, chain=target)
    add(database, project, 40, verification_count=2)
    workers = [Worker(apps[number % 2], known.add_worker(10 + number)) for number in range(6)]

    def shift(worker: Worker) -> None:
        dice = random.Random(worker._headers["X-Worker-ID"])
        empty = 0
        while empty < 20:
            leased = worker.get("/task/get")
            empty = 0 if leased else empty + 1
            for task in leased:
                kind = dice.random()
                worker.release(task["id"], 0 if kind < 0.7 else 1 if kind < 0.8 else 2, verification=5)

    work(workers, shift)
    for worker in workers * 2:  # what was skipped last, by those who may still verify it
        while leased := worker.get("/task/get"):
            worker.release(leased[0]["id"], verification=5)
    assert database.all("SELECT * FROM task WHERE status = 1") == []
    failed = {row["project"]: row["count"] for row in database.all("SELECT project, count(*) FROM task GROUP BY 1")}
    closed = {row["id"]: row["closed_task_count"] for row in database.all("SELECT * FROM project")}
    assert closed[project] + failed.get(project, 0) == 40
    assert closed[target] + failed.get(target, 0) == closed[project]
    assert sum(len(worker.closed) for worker in workers) == closed[project] + closed[target]


def test_one_release_of_many_counts(
    apps: list[Flask], known: KnownPrincipals, make_project: MakeProject, database: Database
) -> None:
    """The same release sent many times at once, to two processes, closes once."""
    project = make_project(public=True)
    add(database, project, 1)
    headers = known.add_worker(10)
    workers = [Worker(apps[number % 2], headers) for number in range(THREADS)]
    (task,) = workers[0].get(f"/task/get/{project}")

    def shift(worker: Worker) -> None:
        worker.release(task["id"])

    work(workers, shift)
    assert sum(len(worker.closed) for worker in workers) == 1
    assert database.value("SELECT closed_task_count FROM project") == 1
    assert database.value("SELECT count(*) FROM task_ended") == 1


def test_one_submission_of_many_with_a_hash_is_stored(
    apps: list[Flask], known: KnownPrincipals, make_project: MakeProject, grant: Callable[..., None], database: Database
) -> None:
    """spec: tracker 5.4: of equal submissions at once, in two processes, one is stored"""
    project = make_project()
    grant(10, project, submit=True)
    headers = known.add_worker(10)

    def submit(app: Flask) -> int:
        task = {"project": project, "recipe": "a", "unique_string": "same"}
        return app.test_client().post("/task/submit", headers=headers, json=task).status_code

    with ThreadPoolExecutor(THREADS) as pool:
        statuses = sorted(pool.map(submit, apps * 6))
    assert statuses == [200] + [400] * 11
    assert database.value("SELECT count(*) FROM task") == 1
