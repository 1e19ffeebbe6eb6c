"""POST /task/submit and /task/bulk_submit."""

from collections.abc import Callable
from typing import Any

import pytest

from chassis.database import Database
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals

WORKER = 7
MakeProject = Callable[..., int]
Grant = Callable[..., None]
DUPLICATE = 'pq: duplicate key value violates unique constraint "project_hash_unique"'


@pytest.fixture
def worker(known: KnownPrincipals) -> dict[str, str]:
    return known.add_worker(WORKER)


@pytest.fixture
def project(make_project: MakeProject, grant: Grant) -> int:
    """A public project to which the worker may submit."""
    project = make_project(public=True)
    grant(WORKER, project, submit=True)
    return project


def stored(database: Database, project: int) -> list[dict[str, Any]]:
    return database.all("SELECT * FROM task WHERE project = %s ORDER BY id", [project])


def test_a_task_is_stored_as_submitted(
    client: ContractClient, worker: dict[str, str], project: int, database: Database
) -> None:
    """spec: tracker 4.4 row 8, 5.3"""
    task = {
        "project": project, "recipe": "do <this> & that \u2028 é", "max_retries": 3, "priority": -5,
        "max_assign_time": 3600, "hash_u64": -9, "verification_count": 2,
    }  # fmt: skip
    answer = client.post("/task/submit", headers=worker, json=task)
    assert (answer.status_code, answer.json) == (200, {"ok": True})
    (row,) = stored(database, project)
    assert {name: row[name] for name in task if name != "hash_u64"} == {
        name: value for name, value in task.items() if name != "hash_u64"
    }
    assert (row["hash64"], row["status"], row["retries"], row["assignee"]) == (-9, 1, 0, None)


def test_missing_fields_have_their_defaults(
    client: ContractClient, worker: dict[str, str], project: int, database: Database
) -> None:
    """spec: tracker 1.2, 4.4; a verification count of 0 is turned into 1"""
    body = f'{{"PROJECT": {project}, "Recipe": "a", "priority": null, "unique_str": "x", "else": 1}}'
    assert client.post("/task/submit", headers=worker, data=body).status_code == 200
    (row,) = stored(database, project)
    assert (row["max_retries"], row["priority"], row["max_assign_time"]) == (0, 0, 0)
    assert (row["hash64"], row["verification_count"]) == (None, 1)


@pytest.mark.parametrize("path", ["/task/submit", "/task/bulk_submit"])
def test_a_worker_must_prove_itself_first(client: ContractClient, path: str) -> None:
    """spec: tracker 2.1, row 1"""
    answer = client.post(path, data="not json")
    assert answer.status_code == 401
    assert answer.json == {"ok": False, "message": "worker id not specified"}


@pytest.mark.parametrize("body", ["", "[]", '{"project": "1"}', '{"project": 1} x', '{"max_retries": 40000}'])
def test_what_cannot_be_parsed_is_refused(client: ContractClient, worker: dict[str, str], body: str) -> None:
    """spec: tracker 4.4 row 2"""
    answer = client.post("/task/submit", headers=worker, data=body)
    assert (answer.status_code, answer.json) == (400, {"ok": False, "message": "Could not parse request"})


BROKEN = [
    {"project": 0},
    {"recipe": ""},
    {"recipe": None},
    {"recipe": "a\0b"},
    {"unique_string": "a\0b"},
    {"max_retries": -1},
    {"verification_count": -1},
    {"max_assign_time": -1},
    {"max_assign_time": 2_147_483_648},
    {"hash_u64": 1, "unique_string": "a"},
    {"hash64": 1, "unique_string": "a"},
    {"hash_u64": 1, "hash64": 2},
]


@pytest.mark.parametrize("fields", BROKEN, ids=str)
def test_broken_rules_are_refused(
    client: ContractClient, worker: dict[str, str], project: int, database: Database, fields: dict[str, Any]
) -> None:
    """spec: tracker 4.4 row 3, Q-05, Q-43"""
    task = {"project": project, "recipe": "a", **fields}
    answer = client.post("/task/submit", headers=worker, json=task)
    assert (answer.status_code, answer.json) == (400, {"ok": False, "message": "Invalid task"})
    answer = client.post("/task/bulk_submit", headers=worker, json={"requests": [{**task, **fields}]})
    assert (answer.status_code, answer.json) == (400, {"ok": False, "message": "Invalid request"})
    assert stored(database, project) == []


@pytest.mark.parametrize("project", [999, -1, (1 << 63) - 1])
def test_an_unknown_project_is_not_found(client: ContractClient, worker: dict[str, str], project: int) -> None:
    """spec: tracker 4.4 row 4, bulk row 5"""
    task = {"project": project, "recipe": "a"}
    for path, body in (("/task/submit", task), ("/task/bulk_submit", {"requests": [task]})):
        answer = client.post(path, headers=worker, json=body)
        assert (answer.status_code, answer.json) == (404, {"ok": False, "message": "Project not found"})


@pytest.mark.parametrize("access", [None, {"assign": True}, {"submit": True, "pending": True}], ids=str)
def test_submitting_needs_accepted_access_even_on_public_projects(
    client: ContractClient,
    worker: dict[str, str],
    make_project: MakeProject,
    grant: Grant,
    database: Database,
    access: dict[str, bool] | None,
) -> None:
    """spec: tracker 2.4, 4.4 row 6, Q-03"""
    project = make_project(public=True)
    if access:
        grant(WORKER, project, **access)
    task = {"project": project, "recipe": "a"}
    for path, body in (("/task/submit", task), ("/task/bulk_submit", {"requests": [task]})):
        answer = client.post(path, headers=worker, json=body)
        assert (answer.status_code, answer.json) == (400, {"ok": False, "message": "unauthorized task submit"})
    assert stored(database, project) == []


def test_taking_access_away_holds_for_the_next_request(
    client: ContractClient, worker: dict[str, str], project: int, database: Database
) -> None:
    """spec: tracker 16.12"""
    assert client.post("/task/submit", headers=worker, json={"project": project, "recipe": "a"}).status_code == 200
    database.execute("DELETE FROM worker_access")
    assert client.post("/task/submit", headers=worker, json={"project": project, "recipe": "a"}).status_code == 400


@pytest.mark.parametrize("fields", [{"hash_u64": 5}, {"hash64": 5}, {"unique_string": "This one should work"}], ids=str)
def test_a_duplicate_hash_is_refused(
    client: ContractClient, worker: dict[str, str], project: int, database: Database, fields: dict[str, Any]
) -> None:
    """spec: tracker 4.4 row 7, 5.4"""
    task = {"project": project, "recipe": "a", **fields}
    assert client.post("/task/submit", headers=worker, json=task).json == {"ok": True}
    answer = client.post("/task/submit", headers=worker, json=task)
    assert (answer.status_code, answer.json) == (400, {"ok": False, "message": DUPLICATE})
    database.execute("DELETE FROM task")
    assert client.post("/task/submit", headers=worker, json=task).json == {"ok": True}


def test_hashes_of_other_projects_and_no_hash_do_not_collide(
    client: ContractClient, worker: dict[str, str], project: int, make_project: MakeProject, grant: Grant
) -> None:
    """spec: tracker 5.4"""
    other = make_project()
    grant(WORKER, other, submit=True)
    for target, fields in ((project, {"hash_u64": 5}), (other, {"hash_u64": 5}), (project, {}), (project, {})):
        answer = client.post("/task/submit", headers=worker, json={"project": target, "recipe": "a", **fields})
        assert answer.json == {"ok": True}


def test_paused_workers_and_paused_projects_may_submit(
    client: ContractClient, worker: dict[str, str], project: int, database: Database
) -> None:
    """spec: tracker 4.4, 5.7"""
    database.execute("UPDATE worker SET paused = true")
    database.execute("UPDATE project SET paused = true")
    assert client.post("/task/submit", headers=worker, json={"project": project, "recipe": "a"}).json == {"ok": True}


def test_a_batch_is_stored_in_its_order_without_its_duplicates(
    client: ContractClient, worker: dict[str, str], project: int, database: Database
) -> None:
    """spec: tracker Q-03"""
    assert client.post("/task/submit", headers=worker, json={"project": project, "recipe": "0", "hash_u64": 1})
    tasks = [{"project": project, "recipe": str(number), "hash_u64": number % 4} for number in range(1, 9)]
    answer = client.post("/task/bulk_submit", headers=worker, json={"requests": tasks})
    assert answer.json == {"ok": True, "content": {"submitted": 4, "skipped": 4}}
    assert [row["recipe"] for row in stored(database, project)] == ["0", "2", "3", "4", "8"]


@pytest.mark.parametrize("body", ["", "{}", '{"requests": null}', '{"requests": []}', '{"requests": [1]}', "[]"])
def test_a_batch_that_is_empty_or_cannot_be_parsed_is_refused(
    client: ContractClient, worker: dict[str, str], body: str
) -> None:
    """spec: tracker 4.4, bulk row 2"""
    answer = client.post("/task/bulk_submit", headers=worker, data=body)
    assert (answer.status_code, answer.json) == (400, {"ok": False, "message": "Could not parse request"})


def test_a_batch_belongs_to_one_project(
    client: ContractClient, worker: dict[str, str], project: int, database: Database
) -> None:
    """spec: tracker 4.4, bulk row 4"""
    tasks = [{"project": project, "recipe": "a"}, {"project": project + 1, "recipe": "a"}]
    answer = client.post("/task/bulk_submit", headers=worker, json={"requests": tasks})
    assert answer.status_code == 400
    assert answer.json == {"ok": False, "message": "All the tasks in a bulk submit must be of the same project"}
    assert stored(database, project) == []


def test_a_submission_sent_again_is_stored_once(
    client: ContractClient, worker: dict[str, str], project: int, database: Database
) -> None:
    """DESIGN 11: Idempotency-Key"""
    headers = {**worker, "Idempotency-Key": "k1"}
    for path, body in (
        ("/task/submit", {"project": project, "recipe": "a"}),
        ("/task/bulk_submit", {"requests": [{"project": project, "recipe": "b"}]}),
    ):
        first = client.post(path, headers=headers, json=body)
        again = client.post(path, headers=headers, json=body)
        assert first.status_code == 200
        assert again.json == first.json
    assert [row["recipe"] for row in stored(database, project)] == ["a", "b"]
