"""POST /task/release and /task/bulk_release."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any, LiteralString, cast

import orjson
import pytest

from chassis.database import Database
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals
from chassis.testing.waiting import eventually
from tracker_service.releases import Release, Releases

WORKER = 7
OK, FAIL, SKIP = 0, 1, 2
MakeProject = Callable[..., int]
UPDATED = {"ok": True, "content": {"updated": True}}
NOT_UPDATED = {"ok": True, "message": "Task was not marked as closed", "content": {"updated": False}}


@pytest.fixture
def worker(known: KnownPrincipals) -> dict[str, str]:
    return known.add_worker(WORKER)


@pytest.fixture
def project(make_project: MakeProject) -> int:
    return make_project(public=True)


@pytest.fixture
def lease(client: ContractClient, worker: dict[str, str], database: Database) -> Callable[..., int]:
    """Store a task and lease it to the worker through the API: `lease(project, max_retries=3)`."""

    def make(project: int, headers: dict[str, str] | None = None, **columns: int) -> int:
        values = {"max_retries": 0, "verification_count": 1, "hash64": None, **columns}
        task = database.value(
            "INSERT INTO task (project, recipe, max_assign_time, priority, max_retries, verification_count, hash64)"
            " VALUES (%(project)s, 'recipe', 60, 3, %(max_retries)s, %(verification_count)s, %(hash64)s) RETURNING id",
            {"project": project, **values},
        )
        answer = client.get(f"/task/get/{project}", headers=headers or worker)
        assert answer.json["content"]["task"]["id"] == task
        return int(task)

    return make


def release(
    client: ContractClient, worker: dict[str, str], task: int, result: int = OK, verification: int = 0
) -> dict[str, Any]:
    answer = client.post(
        "/task/release", headers=worker, json={"task_id": task, "result": result, "verification": verification}
    )
    assert answer.status_code == 200
    return answer.json


def row(database: Database, task: int) -> dict[str, Any] | None:
    return database.one("SELECT * FROM task WHERE id = %s", [task])


def closed_counts(database: Database, project: int) -> tuple[int, dict[int, int]]:
    workers = {row["id"]: row["closed_task_count"] for row in database.all("SELECT * FROM worker")}
    return database.value("SELECT closed_task_count FROM project WHERE id = %s", [project]), workers


def test_a_task_done_is_closed_and_counted(
    client: ContractClient, worker: dict[str, str], project: int, lease: Callable[..., int], database: Database
) -> None:
    """spec: tracker 5.3"""
    task = lease(project)
    assert release(client, worker, task) == UPDATED
    assert row(database, task) is None
    assert closed_counts(database, project) == (1, {WORKER: 1})
    assert release(client, worker, task) == NOT_UPDATED
    assert closed_counts(database, project) == (1, {WORKER: 1})


@pytest.mark.parametrize(("max_retries", "failures"), [(0, 1), (1, 1), (2, 2), (3, 3)])
def test_a_task_fails_when_its_retries_are_used_up(
    client: ContractClient,
    worker: dict[str, str],
    project: int,
    lease: Callable[..., int],
    database: Database,
    max_retries: int,
    failures: int,
) -> None:
    """spec: tracker 5.3: 0 and 1 both fail on the first failure, 3 on the third"""
    task = lease(project, max_retries=max_retries)
    for failure in range(1, failures + 1):
        if failure > 1:
            assert client.get(f"/task/get/{project}", headers=worker).json["content"]["task"]["id"] == task
        assert release(client, worker, task, FAIL) == UPDATED
        after = row(database, task)
        assert after is not None
        assert (after["retries"], after["assignee"], after["assign_time"]) == (failure, None, None)
        assert after["status"] == (2 if failure == failures else 1)
    assert client.get(f"/task/get/{project}", headers=worker).json["message"] == "No task available"
    assert closed_counts(database, project) == (0, {WORKER: 0})


def test_a_skipped_task_is_as_if_never_touched(
    client: ContractClient, worker: dict[str, str], project: int, lease: Callable[..., int], database: Database
) -> None:
    """spec: tracker 5.3; the same worker may get it again, and it is first again"""
    task = lease(project)
    database.execute("INSERT INTO task (project, recipe, max_assign_time, priority, max_retries, verification_count)"
                     " VALUES (%s, 'later', 60, 3, 0, 1)", [project])  # fmt: skip
    assert release(client, worker, task, SKIP) == UPDATED
    after = row(database, task)
    assert after is not None
    assert (after["retries"], after["status"], after["assignee"]) == (0, 1, None)
    assert client.get(f"/task/get/{project}", headers=worker).json["content"]["task"]["id"] == task


@pytest.mark.parametrize("result", [OK, FAIL, SKIP])
def test_only_the_holder_can_release(
    client: ContractClient,
    worker: dict[str, str],
    known: KnownPrincipals,
    project: int,
    lease: Callable[..., int],
    database: Database,
    result: int,
) -> None:
    """spec: tracker 5.3"""
    task = lease(project)
    before = row(database, task)
    assert release(client, known.add_worker(8), task, result) == NOT_UPDATED
    assert row(database, task) == before


@pytest.mark.parametrize("task", [99, -1, 2_147_483_648, (1 << 63) - 1])
@pytest.mark.parametrize("result", [OK, FAIL, SKIP])
def test_an_unknown_task_is_not_updated(client: ContractClient, worker: dict[str, str], task: int, result: int) -> None:
    """spec: tracker 4.4, Q-05"""
    assert release(client, worker, task, result) == NOT_UPDATED


@pytest.mark.parametrize("result", [3, -1, (1 << 63) - 1])
def test_an_unknown_result_does_nothing(
    client: ContractClient,
    worker: dict[str, str],
    project: int,
    lease: Callable[..., int],
    database: Database,
    result: int,
) -> None:
    """spec: tracker Q-38"""
    task = lease(project)
    before = row(database, task)
    assert release(client, worker, task, result) == NOT_UPDATED
    assert row(database, task) == before


def test_checks_come_in_order(client: ContractClient, worker: dict[str, str]) -> None:
    """spec: tracker 4.4"""
    for path in ("/task/release", "/task/bulk_release"):
        answer = client.post(path, data="nonsense")
        assert (answer.status_code, answer.json["message"]) == (403, "worker id not specified")
        answer = client.post(path, headers=worker, data="nonsense")
        assert (answer.status_code, answer.json["message"]) == (400, "Could not parse request")
    answer = client.post("/task/release", headers=worker, data="null")
    assert (answer.status_code, answer.json["message"]) == (400, "Invalid request")
    answer = client.post("/task/bulk_release", headers=worker, json={"releases": []})
    assert (answer.status_code, answer.json["message"]) == (400, "Could not parse request")
    answer = client.post("/task/bulk_release", headers=worker, json={"releases": [{"task_id": 0}]})
    assert (answer.status_code, answer.json["message"]) == (400, "Invalid request")


def test_a_paused_worker_may_release(
    client: ContractClient, worker: dict[str, str], project: int, lease: Callable[..., int], database: Database
) -> None:
    """spec: tracker 5.7"""
    task = lease(project)
    database.execute("UPDATE worker SET paused = true")
    assert release(client, worker, task) == UPDATED


def test_several_workers_must_agree(
    client: ContractClient, known: KnownPrincipals, project: int, lease: Callable[..., int], database: Database
) -> None:
    """spec: tracker 5.3: only the worker whose release closed it is credited"""
    workers = [known.add_worker(number) for number in (11, 12, 13, 14)]
    task = lease(project, headers=workers[0], verification_count=2)
    for turn, verification in enumerate([5, -6, (1 << 63) - 1]):
        if turn:
            assert client.get(f"/task/get/{project}", headers=workers[turn]).json["content"]["task"]["id"] == task
        assert release(client, workers[turn], task, OK, verification) == NOT_UPDATED
        assert client.get(f"/task/get/{project}", headers=workers[turn]).json["ok"] is False
    assert client.get(f"/task/get/{project}", headers=workers[3]).json["content"]["task"]["id"] == task
    assert release(client, workers[3], task, OK, -6) == UPDATED
    assert row(database, task) is None
    assert database.value("SELECT count(*) FROM task_verification") == 0
    assert closed_counts(database, project) == (1, {11: 0, 12: 0, 13: 0, 14: 1})


def test_a_failure_keeps_the_verifications(
    client: ContractClient, known: KnownPrincipals, project: int, lease: Callable[..., int], database: Database
) -> None:
    """spec: tracker 5.3"""
    first, second = known.add_worker(11), known.add_worker(12)
    task = lease(project, headers=first, verification_count=2, max_retries=5)
    release(client, first, task, OK, 1)
    assert client.get(f"/task/get/{project}", headers=second).json["ok"]
    assert release(client, second, task, FAIL) == UPDATED
    assert database.value("SELECT count(*) FROM task_verification") == 1
    assert client.get(f"/task/get/{project}", headers=second).json["ok"]
    assert release(client, second, task, OK, 1) == UPDATED


def test_a_closed_task_goes_on_along_its_chain(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, lease: Callable[..., int],
    database: Database, grant: Callable[..., None],
) -> None:  # fmt: skip
    """spec: tracker 5.3: a copy with a new id and nothing used up, also into a paused project"""
    last = make_project(paused=True)
    middle = make_project(public=True, chain=last)
    first = make_project(public=True, chain=middle)
    task = lease(first, hash64=77, max_retries=4, verification_count=1)
    release(client, worker, task, FAIL)
    client.get(f"/task/get/{first}", headers=worker)
    assert release(client, worker, task) == UPDATED
    given = client.get(f"/task/get/{middle}", headers=worker).json["content"]["task"]
    assert given["id"] > task
    assert (given["recipe"], given["priority"], given["retries"], given["max_retries"]) == ("recipe", 3, 0, 4)
    assert release(client, worker, given["id"]) == UPDATED
    (copy,) = database.all("SELECT * FROM task")
    assert (copy["project"], copy["hash64"], copy["max_assign_time"], copy["assignee"]) == (last, 77, 60, None)
    counts = [closed_counts(database, project)[0] for project in (first, middle, last)]
    assert (counts, closed_counts(database, last)[1]) == ([1, 1, 0], {WORKER: 2})


def test_failed_and_skipped_tasks_do_not_chain(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, lease: Callable[..., int],
    database: Database,
) -> None:  # fmt: skip
    """spec: tracker 5.3"""
    project = make_project(public=True, chain=make_project())
    task = lease(project)
    release(client, worker, task, SKIP)
    client.get(f"/task/get/{project}", headers=worker)
    release(client, worker, task, FAIL)
    assert database.value("SELECT count(*) FROM task") == 1


def test_a_copy_whose_hash_is_there_already_is_dropped(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, lease: Callable[..., int],
    database: Database,
) -> None:  # fmt: skip
    """spec: tracker 5.3, Q-42"""
    target = make_project(public=True)
    project = make_project(public=True, chain=target)
    waiting = lease(target, hash64=5)
    assert release(client, worker, lease(project, hash64=5)) == UPDATED
    assert [task["id"] for task in database.all("SELECT id FROM task")] == [waiting]
    assert closed_counts(database, project)[0] == 1


def test_many_releases_are_answered_in_their_order(
    client: ContractClient, worker: dict[str, str], project: int, lease: Callable[..., int], database: Database
) -> None:
    """DESIGN 11"""
    done, failed, skipped = (lease(project) for _ in range(3))
    verified = lease(project, verification_count=2)
    releases = [
        {"task_id": skipped, "result": SKIP},
        {"task_id": 999},
        {"task_id": done, "result": OK, "verification": 5},
        {"task_id": verified},
        {"task_id": failed, "result": FAIL},
        {"task_id": done},
        {"task_id": failed, "result": 7},
    ]
    answer = client.post("/task/bulk_release", headers=worker, json={"releases": releases})
    assert [result["task_id"] for result in answer.json["content"]["results"]] == [item["task_id"] for item in releases]
    updated = [result["updated"] for result in answer.json["content"]["results"]]
    assert updated == [True, False, True, False, True, False, False]
    messages = [result.get("message") for result in answer.json["content"]["results"]]
    assert messages == [None if item else "Task was not marked as closed" for item in updated]
    assert closed_counts(database, project) == (1, {WORKER: 1})
    assert {task["id"]: task["status"] for task in database.all("SELECT id, status FROM task")} == {
        failed: 2, skipped: 1, verified: 1,
    }  # fmt: skip


def test_lists_that_wait_at_the_same_moment_share_a_statement_and_get_their_own_results() -> None:
    """Each with a commit of its own would hold the project's counter while the others wait for it."""
    began, go_on, statements = Event(), Event(), []

    class Server:
        def all(self, _: str, parameters: dict[str, str]) -> list[dict[str, Any]]:
            tasks = orjson.loads(parameters["tasks"].replace("{", "[").replace("}", "]"))
            statements.append(tasks)
            began.set()
            assert go_on.wait(60)
            outcomes = ("closed", "refused")
            return [
                {"item": item, "outcome": outcomes[task % 2], "project": 1, "dropped": False}
                for item, task in enumerate(tasks)
            ]

    releases = Releases(cast(Database, Server()))
    lists = ([2, 4], [6, 7, 8], [9])
    with ThreadPoolExecutor(3) as pool:
        answers = []
        for tasks in lists:
            items = [Release(task, WORKER, OK, 0) for task in tasks]
            answers.append(pool.submit(releases.release_all, items))
            assert began.wait(60)
        eventually(lambda: len(releases._release_lists._waiting) == 2)
        go_on.set()
    assert [answer.result() for answer in answers] == [[True, True], [True, False, True], [False]]
    assert [sorted(statement) for statement in statements] == [[2, 4], [6, 7, 8, 9]]


def test_a_release_finds_its_task_by_number_even_when_planned_while_nothing_is_leased(database: Database) -> None:
    """It once read every leased task: 1,000 releases of 1,000 leased tasks took seconds."""
    settings = ("enable_seqscan = off", "enable_bitmapscan = off", "plan_cache_mode = force_generic_plan")
    with database.transaction() as tx:
        for setting in settings:
            tx.execute(cast(LiteralString, f"SET LOCAL {setting}"))
        tx.execute(
            "INSERT INTO task (project, recipe, max_assign_time, priority, max_retries, verification_count)"
            " SELECT 1, 'recipe', 60, 1, 3, 1 FROM generate_series(1, 5000)"
        )
        tx.execute("ANALYZE task")
        tx.execute(
            "PREPARE release (bigint, bigint) AS"
            " DELETE FROM task AS t WHERE t.id = $1 AND t.assignee = $2 AND t.verification_count <= 1"
        )
        plan = "".join(str(row) for row in tx.all("EXPLAIN EXECUTE release (1, 1)"))
        tx.execute("DEALLOCATE release")
    assert "task_pkey" in plan
