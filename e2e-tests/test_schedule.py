"""A cron job feeds the other queues, through the gate and over the bus."""

from typing import Any

import requests
from actors import Machine, Person, unique

from chassis.testing.waiting import eventually


def scheduler(person: Person, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Call the scheduler with an access token of a person, as a Qinling client would."""
    login = {"username": person.username, "password": person.password}
    token = person.post("/auth/token", login).json()["access_token"]
    answer = requests.request(method, f"{person.gate}/v1{path}", json=body, headers={"X-Auth-Token": token}, timeout=60)
    assert answer.status_code in (200, 201, 202), answer.text
    return answer.json()


def test_a_job_submits_a_task_that_a_worker_leases(gate: str, admin: Person, project: int) -> None:
    code = {"source": "task", "project": project, "recipe": "from the scheduler", "max_retries": 1}
    function = scheduler(admin, "POST", "/functions", {"name": "feed", "code": code})
    job = scheduler(admin, "POST", "/jobs", {"function_id": function["id"], "pattern": "0 0 1 1 *"})
    execution = scheduler(admin, "POST", f"/jobs/{job['id']}/run")
    worker = Machine.create(gate)
    task = worker.get(f"/task/get/{project}?wait=30").json()["content"]["task"]
    assert task["recipe"] == "from the scheduler"
    ended = eventually(lambda: ended_execution(admin, execution["id"]), 30)
    assert ended["status"] == "success"
    assert scheduler(admin, "GET", f"/jobs/{job['id']}/next?count=2")["next"]


def ended_execution(person: Person, number: str) -> Any:
    """Return an execution once it has ended."""
    execution = scheduler(person, "GET", f"/executions/{number}")
    return execution if execution["status"] not in ("running", "pending") else None


def test_a_job_adds_to_the_poller(gate: str, admin: Person) -> None:
    user = unique("cron")
    code = {"source": "poller", "user": user, "config": {"model": "CMIP5"}}
    function = scheduler(admin, "POST", "/functions", {"name": "remind", "code": code})
    job = scheduler(admin, "POST", "/jobs", {"function_id": function["id"], "pattern": "0 0 1 1 *"})
    scheduler(admin, "POST", f"/jobs/{job['id']}/run")
    found = eventually(lambda: admin.get(f"/poller/update/?request=new&user={user}").json(), 30)
    assert [job["model"] for job in found] == ["CMIP5"]
