"""GET /task/get/:project and GET /task/get."""

from collections.abc import Callable
from typing import Any

import pytest

from chassis.database import Database
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals

WORKER = 7
MakeProject = Callable[..., int]
MakeTask = Callable[..., int]
Grant = Callable[..., None]
NONE = {"ok": False, "message": "No task available"}


@pytest.fixture
def worker(known: KnownPrincipals) -> dict[str, str]:
    return known.add_worker(WORKER)


@pytest.fixture
def make_task(database: Database) -> MakeTask:
    """Store a task, `make_task(project, priority=3)`, and return its id."""

    def make(project: int, recipe: str = "recipe", *, priority: int = 0, verification_count: int = 1) -> int:
        return int(
            database.value(
                "INSERT INTO task (project, recipe, priority, verification_count, max_retries, max_assign_time)"
                " VALUES (%s, %s, %s, %s, 3, 60) RETURNING id",
                [project, recipe, priority, verification_count],
            )
        )

    return make


def get(client: ContractClient, worker: dict[str, str], project: int | str) -> Any:
    """The task, or the refusal."""
    answer = client.get(f"/task/get/{project}", headers=worker)
    assert answer.status_code == 200
    return answer.json["content"]["task"] if answer.json["ok"] else answer.json


def test_a_task_comes_with_its_project_and_belongs_to_the_worker(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, make_task: MakeTask, database: Database
) -> None:
    """spec: tracker 3, 4.4 row 7"""
    chain = make_project("next")
    project = make_project(
        'My "project"', public=True, priority=9, version="1.0", motd="é", chain=chain, assign_rate=1e300
    )
    task = make_task(project, "test recipe", priority=2, verification_count=1)
    answer = get(client, worker, project)
    now = database.value("SELECT extract(epoch FROM now())::bigint")
    assert abs(answer.pop("assign_time") - now) <= 1
    assert answer == {
        "id": task, "priority": 2, "assignee": WORKER, "retries": 0, "max_retries": 3, "status": 1,
        "recipe": "test recipe", "max_assign_time": 60, "verification_count": 1,
        "project": {
            "id": project, "priority": 9, "name": 'My "project"', "clone_url": "", "git_repo": "", "version": "1.0",
            "motd": "é", "public": True, "hidden": False, "chain": chain, "paused": False, "assign_rate": 1e300,
            "submit_rate": 1.7976931348623157e308,
        },
    }  # fmt: skip
    assert database.value("SELECT assignee FROM task WHERE id = %s", [task]) == WORKER


def test_an_empty_answer_says_when_to_ask_again(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject
) -> None:
    """spec: tracker 4.4 row 6; DESIGN 11: Retry-After on every empty answer"""
    answer = client.get(f"/task/get/{make_project(public=True)}", headers=worker)
    assert (answer.status_code, answer.json) == (200, NONE)
    assert int(answer.headers["Retry-After"]) >= 1


def test_priority_comes_first_then_age(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, make_task: MakeTask
) -> None:
    """spec: tracker 5.3, Q-35"""
    project = make_project(public=True)
    made = [(priority, make_task(project, priority=priority)) for priority in (0, 5, -32768, 5, 32767, 0)]
    expected = [task for priority, task in sorted(made, key=lambda pair: (-pair[0], pair[1]))]
    assert [get(client, worker, project)["id"] for _ in made] == expected
    assert get(client, worker, project) == NONE


@pytest.mark.parametrize("path", ["/task/get/1", "/task/get/x", "/task/get"])
def test_a_worker_must_prove_itself_first(client: ContractClient, path: str) -> None:
    """spec: tracker 2.1, row 1"""
    answer = client.get(path)
    assert (answer.status_code, answer.json) == (403, {"ok": False, "message": "worker id not specified"})


@pytest.mark.parametrize("path", ["/task/get/1", "/task/get/x", "/task/get/0", "/task/get/99", "/task/get"])
def test_a_paused_worker_gets_nothing(
    client: ContractClient, known: KnownPrincipals, make_project: MakeProject, path: str
) -> None:
    """spec: tracker 4.4 row 2, before the checks of the id"""
    make_project(public=True)
    answer = client.get(path, headers=known.add_worker(WORKER, paused=True))
    assert (answer.status_code, answer.json) == (400, {"ok": False, "message": "A manager has paused you"})


def test_pausing_and_resuming_hold_for_the_next_request(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, database: Database
) -> None:
    """spec: tracker 5.7; DESIGN 4: immediate, whatever is cached"""
    project = make_project(public=True)
    assert get(client, worker, project) == NONE
    database.execute("UPDATE worker SET paused = true")
    assert client.get(f"/task/get/{project}", headers=worker).status_code == 400
    database.execute("UPDATE worker SET paused = false")
    assert get(client, worker, project) == NONE


@pytest.mark.parametrize("project", ["0", "-1", "x", "1.0", "9223372036854775808"])
def test_a_bad_id_is_refused(client: ContractClient, worker: dict[str, str], project: str) -> None:
    """spec: tracker 4.4 row 3"""
    answer = client.get(f"/task/get/{project}", headers=worker)
    assert (answer.status_code, answer.json) == (400, {"ok": False, "message": "Invalid project id"})


@pytest.mark.parametrize("project", ["99", "+99", "2147483648", "9223372036854775807"])
def test_an_unknown_project_is_not_found(client: ContractClient, worker: dict[str, str], project: str) -> None:
    """spec: tracker 4.4 row 4, Q-05"""
    answer = client.get(f"/task/get/{project}", headers=worker)
    assert (answer.status_code, answer.json) == (404, {"ok": False, "message": "Project not found"})


@pytest.mark.parametrize("kind", [{"public": True}, {}, {"hidden": True}], ids=["public", "private", "hidden"])
@pytest.mark.parametrize(
    ("access", "opens"),
    [
        (None, False),
        ({"assign": True}, True),
        ({"submit": True}, True),
        ({"assign": True, "submit": True, "pending": True}, False),
    ],
    ids=["none", "assign", "submit", "pending"],
)
def test_who_gets_tasks_of_which_project(
    client: ContractClient,
    worker: dict[str, str],
    make_project: MakeProject,
    make_task: MakeTask,
    grant: Grant,
    kind: dict[str, bool],
    access: dict[str, bool] | None,
    opens: bool,
) -> None:
    """spec: tracker 2.4; DESIGN 10: an accepted SUBMIT includes Assign"""
    project = make_project(**kind)
    task = make_task(project)
    if access:
        grant(WORKER, project, **access)
    answer = get(client, worker, project)
    if opens or "public" in kind:
        assert answer["id"] == task
    else:
        assert answer == NONE
    any_project = client.get("/task/get", headers=worker).json
    assert any_project == NONE


def test_taking_access_away_holds_for_the_next_request(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, make_task: MakeTask, grant: Grant,
    database: Database,
) -> None:  # fmt: skip
    """spec: tracker 16.12, Q-25"""
    project = make_project()
    grant(WORKER, project, assign=True)
    for _ in range(2):
        make_task(project)
    assert "id" in get(client, worker, project)
    database.execute("DELETE FROM worker_access")
    assert get(client, worker, project) == NONE


def test_a_paused_project_gives_nothing(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, make_task: MakeTask, database: Database
) -> None:
    """spec: tracker 5.7"""
    project = make_project(public=True, paused=True)
    make_task(project)
    assert get(client, worker, project) == NONE
    database.execute("UPDATE project SET paused = false")
    assert "id" in get(client, worker, project)


def test_failed_and_leased_tasks_are_not_given(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, make_task: MakeTask, database: Database
) -> None:
    """spec: tracker 5.3"""
    project = make_project(public=True)
    failed = make_task(project)
    database.execute("UPDATE task SET status = 2 WHERE id = %s", [failed])
    task = make_task(project)
    assert get(client, worker, project)["id"] == task
    assert get(client, worker, project) == NONE


def test_a_worker_never_gets_a_task_that_it_has_verified(
    client: ContractClient, worker: dict[str, str], known: KnownPrincipals, make_project: MakeProject,
    make_task: MakeTask, database: Database,
) -> None:  # fmt: skip
    """spec: tracker 5.3"""
    project = make_project(public=True)
    verified, other = make_task(project, verification_count=2), make_task(project, verification_count=2)
    database.execute("INSERT INTO task_verification VALUES (%s, %s, 5)", [verified, WORKER])
    assert get(client, worker, project)["id"] == other
    assert get(client, worker, project) == NONE
    assert get(client, known.add_worker(8), project)["id"] == verified


def test_a_batch_is_given_in_order(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, make_task: MakeTask
) -> None:
    """DESIGN 11"""
    project = make_project(public=True)
    low, high, later = make_task(project), make_task(project, priority=1), make_task(project)
    content = client.get(f"/task/get/{project}?count=2", headers=worker).json["content"]
    assert [task["id"] for task in content["tasks"]] == [high, low]
    assert content["task"] == content["tasks"][0]
    assert content["tasks"][1]["project"]["id"] == project
    content = client.get(f"/task/get/{project}?count=1000000", headers=worker).json["content"]
    assert [task["id"] for task in content["tasks"]] == [later]
    assert client.get(f"/task/get/{project}?count=2", headers=worker).json == NONE


@pytest.mark.parametrize("count", ["0", "x", "-1", ""])
def test_a_count_that_is_none_asks_for_one_task(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, make_task: MakeTask, count: str
) -> None:
    """spec: tracker 1.2"""
    project = make_project(public=True)
    task = make_task(project)
    content = client.get(f"/task/get/{project}?count={count}", headers=worker).json["content"]
    assert content["task"]["id"] == task
    assert "tasks" not in content


def test_any_project_goes_by_the_priority_of_projects(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, make_task: MakeTask, grant: Grant
) -> None:
    """DESIGN 11"""
    low, closed = make_project(public=True, priority=1), make_project(priority=99)
    make_project(public=True, priority=50)
    paused, mine = make_project(public=True, priority=90, paused=True), make_project(priority=10)
    grant(WORKER, mine, assign=True)
    for project in (low, closed, paused, mine):
        make_task(project, priority=7)
    given = [client.get("/task/get", headers=worker).json for _ in range(3)]
    assert [answer["content"]["task"]["project"]["id"] for answer in given[:2]] == [mine, low]
    assert given[2] == NONE


def test_a_batch_of_any_project_goes_on_in_the_next(
    client: ContractClient, worker: dict[str, str], make_project: MakeProject, make_task: MakeTask
) -> None:
    """DESIGN 11"""
    first, second = make_project(public=True, priority=2), make_project(public=True, priority=1)
    expected = [make_task(first), make_task(first), make_task(second)]
    make_task(second)
    content = client.get("/task/get?count=3", headers=worker).json["content"]
    assert [task["id"] for task in content["tasks"]] == expected
    assert [task["project"]["id"] for task in content["tasks"]] == [first, first, second]
