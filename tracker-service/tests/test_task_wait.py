"""GET /task/get/:project?wait=: idle workers sleep until there is something for them (DESIGN 11)."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from flask import Flask

from chassis.database import Database
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals
from tracker_service import leases
from tracker_service.app import make_app
from tracker_service.claims import Claim
from tracker_service.container import Container, assemble
from tracker_service.waiters import ANY, Waiters

WORKER = 7
SECONDS = 20.0
MakeProject = Callable[..., int]
Wait = Callable[..., Future[Any]]


@pytest.fixture
def worker(known: KnownPrincipals) -> dict[str, str]:
    return known.add_worker(WORKER)


@pytest.fixture
def listening(container: Container) -> Iterator[Container]:
    """The parts of the application, which hear the database."""
    container.listener.start()
    assert container.listener.wait_until_listening(SECONDS)
    yield container
    container.listener.stop(SECONDS)


@pytest.fixture
def wait(app: Flask, listening: Container, worker: dict[str, str]) -> Iterator[Wait]:
    """Ask for a task in the background, `wait("/task/get/1?wait=20")`, and return when the request sleeps."""
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(16))

        def ask(path: str, headers: dict[str, str] = worker) -> Future[Any]:
            before = asleep(listening.waiters)
            future = pool.submit(lambda: app.test_client().get(path, headers=headers))
            deadline = time.monotonic() + SECONDS
            while asleep(listening.waiters) == before:
                assert time.monotonic() < deadline
                assert not future.done(), future.result().json
                time.sleep(0.005)
            return future

        yield ask
        listening.waiters.call_all()


def asleep(waiters: Waiters) -> int:
    return sum(map(len, waiters._waiting.values()))


def add(database: Database, project: int, count: int = 1, **columns: Any) -> None:
    """Store tasks and tell of them, as a submission does."""
    with database.transaction() as tx:
        tx.execute(
            "INSERT INTO task (project, recipe, max_assign_time, priority, max_retries, verification_count)"
            " SELECT %s, 'a', 60, 0, 3, %s FROM generate_series(1, %s)",
            [project, columns.get("verification_count", 1), count],
        )
        tx.execute("SELECT pg_notify('tasks_ready', %s || ' ' || %s)", [project, count])


def task_of(future: Future[Any]) -> dict[str, Any]:
    answer = future.result(SECONDS).json
    assert answer["ok"], answer
    task: dict[str, Any] = answer["content"]["task"]
    return task


@pytest.mark.parametrize("path", ["/task/get/{}?wait=20", "/task/get?wait=20"])
def test_a_submission_wakes_who_waits(
    client: ContractClient, known: KnownPrincipals, make_project: MakeProject, grant: Callable[..., None], wait: Wait,
    path: str,
) -> None:  # fmt: skip
    project = make_project(public=True)
    grant(8, project, submit=True)
    future = wait(path.format(project))
    started = time.monotonic()
    client.post("/task/submit", headers=known.add_worker(8), json={"project": project, "recipe": "a"})
    assert task_of(future)["assignee"] == WORKER
    assert time.monotonic() - started < 5


def test_what_is_there_is_given_at_once(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, database: Database
) -> None:
    project = make_project(public=True)
    add(database, project)
    assert client.get(f"/task/get/{project}?wait=20", headers=worker).json["ok"]


def test_nothing_comes_of_waiting_in_vain(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject
) -> None:
    started = time.monotonic()
    answer = client.get(f"/task/get/{make_project(public=True)}?wait=1", headers=worker)
    assert answer.json == {"ok": False, "message": "No task available"}
    assert "Retry-After" in answer.headers
    assert 1 <= time.monotonic() - started < 10


@pytest.mark.parametrize("query", ["", "?wait=0", "?wait=x", "?wait=-5"])
def test_without_a_number_of_seconds_nobody_waits(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, query: str
) -> None:
    """spec: tracker 1.2"""
    assert not client.get(f"/task/get/{make_project(public=True)}{query}", headers=worker).json["ok"]


def test_refusals_do_not_wait(client: ContractClient, known: KnownPrincipals, make_project: MakeProject) -> None:
    paused = known.add_worker(8, paused=True)
    assert client.get(f"/task/get/{make_project()}?wait=20", headers=paused).status_code == 400
    assert client.get("/task/get/99?wait=20", headers=known.add_worker(9)).status_code == 404


def skip(client: ContractClient, database: Database, project: int, task: int, other: dict[str, str]) -> None:
    client.post("/task/release", headers=other, json={"task_id": task, "result": 2})


def fail(client: ContractClient, database: Database, project: int, task: int, other: dict[str, str]) -> None:
    client.post("/task/release", headers=other, json={"task_id": task, "result": 1})


def expire(client: ContractClient, database: Database, project: int, task: int, other: dict[str, str]) -> None:
    database.execute("UPDATE task SET lease_until = now() - interval '1 second'")
    leases.expire(database)


@pytest.mark.parametrize("requeue", [skip, fail, expire])
def test_a_task_that_comes_back_wakes_who_waits(
    client: ContractClient, known: KnownPrincipals, make_project: MakeProject, database: Database, wait: Wait,
    requeue: Callable[..., None],
) -> None:  # fmt: skip
    project = make_project(public=True)
    add(database, project)
    other = known.add_worker(8)
    task = client.get(f"/task/get/{project}", headers=other).json["content"]["task"]["id"]
    future = wait(f"/task/get/{project}?wait=20")
    requeue(client, database, project, task, other)
    assert task_of(future)["id"] == task


@pytest.mark.parametrize("call", ["reset_failed_tasks", "reclaim_assigned_tasks"])
def test_maintenance_wakes_who_waits(
    client: ContractClient, admin: dict[str, str], make_project: MakeProject, database: Database, wait: Wait, call: str
) -> None:
    project = make_project(public=True)
    add(database, project)
    if call == "reset_failed_tasks":
        database.execute("UPDATE task SET status = 2")
    else:
        database.execute("UPDATE task SET assignee = 8, lease_until = now()")
    future = wait(f"/task/get/{project}?wait=20")
    assert client.post(f"/project/{call}/{project}", headers=admin).json["content"]["affected_tasks"] == 1
    assert task_of(future)["assignee"] == WORKER


def test_a_copy_along_the_chain_wakes_who_waits(
    client: ContractClient, known: KnownPrincipals, make_project: MakeProject, database: Database, wait: Wait
) -> None:
    target = make_project(public=True)
    project = make_project(public=True, chain=target)
    other = known.add_worker(8)
    add(database, project)
    task = client.get(f"/task/get/{project}", headers=other).json["content"]["task"]["id"]
    future = wait(f"/task/get/{target}?wait=20")
    client.post("/task/release", headers=other, json={"task_id": task})
    assert task_of(future)["project"]["id"] == target


@pytest.mark.parametrize(
    ("columns", "change"),
    [
        ({"public": True, "paused": True}, "UPDATE project SET paused = false"),
        ({}, "UPDATE project SET public = true"),
        ({}, "INSERT INTO worker_access VALUES (7, 1, true, false, false)"),
    ],
    ids=["resumed", "published", "granted"],
)
def test_what_opens_a_project_wakes_who_waits(
    make_project: MakeProject, database: Database, wait: Wait, columns: dict[str, bool], change: Any
) -> None:
    project = make_project(**columns)
    add(database, project)
    future = wait(f"/task/get/{project}?wait=20")
    database.execute(change)
    assert task_of(future)["project"]["id"] == project


def test_a_limited_project_is_asked_again_when_its_token_is_due(
    make_project: MakeProject, database: Database, wait: Wait, client: ContractClient, worker: dict[str, str]
) -> None:
    """spec: tracker 6"""
    project = make_project(public=True, assign_rate=4.0)
    add(database, project, 2)
    assert client.get(f"/task/get/{project}", headers=worker).json["ok"]
    assert client.get(f"/task/get/{project}?wait=20", headers=worker).json["ok"]


def test_each_of_many_gets_one(
    known: KnownPrincipals, make_project: MakeProject, database: Database, wait: Wait
) -> None:
    project = make_project(public=True)
    futures = [wait(f"/task/get/{project}?wait=20", known.add_worker(number)) for number in range(10, 18)]
    for count in (1, 2, 5):
        add(database, project, count)
    tasks = [task_of(future)["id"] for future in futures]
    assert len(set(tasks)) == 8


def test_a_call_goes_on_to_those_who_can_use_it(
    known: KnownPrincipals, make_project: MakeProject, database: Database, wait: Wait
) -> None:
    """spec: tracker 5.3: those first in the queue have verified the task before"""
    project = make_project(public=True)
    futures = [wait(f"/task/get/{project}?wait=3", known.add_worker(number)) for number in (10, 11, 12)]
    with database.transaction() as tx:
        task = tx.value(
            "INSERT INTO task (project, recipe, max_assign_time, priority, max_retries, verification_count)"
            " VALUES (%s, 'a', 60, 0, 3, 9) RETURNING id",
            [project],
        )
        tx.execute("INSERT INTO task_verification VALUES (%s, 10, 1), (%s, 11, 1)", [task, task])
        tx.execute("SELECT pg_notify('tasks_ready', %s || ' 1')", [project])
    assert task_of(futures[2])["assignee"] == 12
    assert [future.result(SECONDS).json["ok"] for future in futures[:2]] == [False, False]


def test_one_task_does_not_wake_a_herd(container: Container, make_project: MakeProject, database: Database) -> None:
    """The database is asked once for one task, not once for each who waits."""
    project = make_project(public=True)
    waiters = container.waiters
    with ExitStack() as stack:
        everyone = [stack.enter_context(waiters.waiting(project)) for _ in range(100)]
        waiters.hear(f"{project} 1")
        assert [waiter.called.is_set() for waiter in everyone] == [True] + [False] * 99
        waiters.hear(f"{project} 3")
        assert sum(waiter.called.is_set() for waiter in everyone) == 4
        waiters.hear(f"{project + 1} 50")
        assert sum(waiter.called.is_set() for waiter in everyone) == 4


def test_a_call_that_is_not_used_up_is_handed_on() -> None:
    waiters = Waiters()
    with waiters.waiting(1) as behind, waiters.waiting(ANY) as anywhere:
        with waiters.waiting(1) as leaving:
            waiters.call(1, 3)
            assert behind.sleep(0)
            assert anywhere.sleep(0)
            assert leaving.called.is_set()
        assert behind.called.is_set()
        assert not anywhere.called.is_set()
    assert not waiters._waiting


def test_missed_notices_wake_everyone() -> None:
    waiters = Waiters()
    with waiters.waiting(1) as one, waiters.waiting(2) as two, waiters.waiting(ANY) as anyone:
        waiters.call_all()
        assert all(waiter.called.is_set() for waiter in (one, two, anyone))
    with waiters.waiting(1) as one, waiters.waiting(2) as two:
        waiters.hear("0 1000000")
        assert one.called.is_set()
        assert two.called.is_set()


def test_nothing_is_leased_to_a_client_that_has_left(
    container: Container, make_project: MakeProject, database: Database, worker: dict[str, str]
) -> None:
    project = make_project(public=True)

    def leaves() -> bool:
        add(database, project)
        return True

    outcome = container.claims.lease_or_wait(Claim(WORKER, project), 0.05, leaves)
    assert outcome.tasks == []
    assert database.value("SELECT count(*) FROM task WHERE assignee IS NOT NULL") == 0


def test_waiting_costs_the_database_nothing(
    make_project: MakeProject, database: Database, wait: Wait, wait_until: Callable[..., Any], listening: Container
) -> None:
    """A worker that waits asks once, however long."""
    asked: list[Claim] = []
    decide = listening.claims._claim._run
    listening.claims._claim._run = lambda claims: (asked.extend(claims), decide(claims))[1]  # type: ignore[func-returns-value]
    project = make_project(public=True)
    future = wait(f"/task/get/{project}?wait=2")
    assert not future.result(SECONDS).json["ok"]
    assert len(asked) == 2  # at the beginning, and once more before it gives up


def test_another_process_wakes_who_waits(
    container: Container, make_project: MakeProject, database: Database, wait: Wait, known: KnownPrincipals,
    grant: Callable[..., None],
) -> None:  # fmt: skip
    second = make_app(assemble(container.settings, database, lambda *_: container.identity, container.accounts))
    project = make_project(public=True)
    grant(8, project, submit=True)
    future = wait(f"/task/get/{project}?wait=20")
    second.test_client().post("/task/submit", headers=known.add_worker(8), json={"project": project, "recipe": "a"})
    assert task_of(future)["assignee"] == WORKER


def test_a_process_that_ends_answers_those_who_wait(
    listening: Container, make_project: MakeProject, wait: Wait
) -> None:
    future = wait(f"/task/get/{make_project(public=True)}?wait=60")
    listening.waiters.close()
    assert future.result(SECONDS).json == {"ok": False, "message": "No task available"}
