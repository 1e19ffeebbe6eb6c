"""A cron job feeds the other queues, through the gate and over the bus."""

from actors import Machine, Person, unique

from chassis.testing.waiting import eventually

NEVER = "0 0 1 1 *"


def test_a_job_submits_a_task_that_a_worker_leases(gate: str, admin: Person, project: int) -> None:
    code = {"source": "task", "project": project, "recipe": "scheduled", "max_retries": 1, "max_assign_time": 60}
    job = admin.job(NEVER, code)
    admin.scheduler("POST", f"/jobs/{job}/run")
    worker = Machine.create(gate)
    task = worker.get(f"/task/get/{project}?wait=30").json()["content"]["task"]
    assert task["recipe"] == "scheduled"
    assert eventually(lambda: admin.ended_run(job), 30)["status"] == "success"
    assert admin.scheduler("GET", f"/jobs/{job}/next?count=2")["next"]


def test_a_job_adds_to_the_poller(admin: Person) -> None:
    user = unique("cron")
    job = admin.job(NEVER, {"source": "poller", "user": user, "config": {"model": "CMIP5"}})
    admin.scheduler("POST", f"/jobs/{job}/run")
    found = eventually(lambda: admin.get(f"/poller/update/?request=new&user={user}").json(), 30)
    assert [job["model"] for job in found] == ["CMIP5"]
