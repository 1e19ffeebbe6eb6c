"""The main job: register, submit, lease, verify, chain, close, through the gate."""

import os

import pytest
from actors import Machine, Person


def test_a_task_is_leased_once_and_closed(machine: Machine, project: int) -> None:
    """spec: tracker 4.4, 5.3"""
    machine.submit(project, 1)
    task = machine.task(project)
    assert task is not None
    assert (task["assignee"], task["status"], task["recipe"]) == (machine.id, 1, "recipe 0")
    assert machine.task(project) is None
    assert machine.release(task["id"]) is True
    assert machine.release(task["id"]) is False


def test_several_workers_verify_a_result(gate: str, machine: Machine, project: int) -> None:
    """spec: tracker 5.3: as many equal results, of different workers, as verification_count"""
    machine.submit(project, 1, verification_count=2)
    others = [Machine.create(gate) for _ in range(2)]
    task = machine.task(project)
    assert task is not None
    assert machine.release(task["id"], verification=-32315129) is False
    assert machine.task(project) is None
    assert others[0].task(project) is not None
    assert others[0].release(task["id"], verification=7) is False
    assert others[1].task(project) is not None
    assert others[1].release(task["id"], verification=-32315129) is True


def test_a_closed_task_goes_on_along_the_chain(gate: str, admin: Person) -> None:
    """spec: tracker 5.3"""
    last = admin.create_project(public=True)
    first = admin.create_project(public=True, chain=last)
    machine = Machine.create(gate)
    admin.admit(machine, first)
    machine.submit(first, 1, recipe="travels")
    task = machine.task(first)
    assert task is not None
    machine.release(task["id"])
    copy = machine.task(last)
    assert copy is not None
    assert copy["recipe"] == "travels"
    assert copy["id"] != task["id"]


def test_a_failing_task_fails_for_good_after_its_retries(admin: Person, machine: Machine, project: int) -> None:
    """spec: tracker 5.3, 5.6"""
    machine.submit(project, 1, max_retries=2)
    for _ in range(2):
        task = machine.task(project)
        assert task is not None
        assert machine.release(task["id"], result=1) is True
    assert machine.task(project) is None
    reset = admin.post(f"/project/reset_failed_tasks/{project}").json()
    assert reset == {"ok": True, "content": {"affected_tasks": 1}}
    assert machine.task(project) is not None


@pytest.fixture
def quick_to_miss() -> None:
    """Skips where leases that have run out are looked for every five minutes only."""
    interval = float(os.environ.get("TASKYARD_RESET_TIMED_OUT_TASKS_INTERVAL", "300"))
    if "TASKYARD_URL" in os.environ and interval > 20:
        pytest.skip("TASKYARD_RESET_TIMED_OUT_TASKS_INTERVAL does not say that TASKYARD_URL looks often enough")


@pytest.mark.usefixtures("quick_to_miss")
def test_a_lease_that_ran_out_goes_to_somebody_else(gate: str, machine: Machine, project: int) -> None:
    """spec: tracker 5.5"""
    machine.submit(project, 1, max_assign_time=1)
    late = machine.task(project)
    assert late is not None
    other = Machine.create(gate)
    answer = other.get(f"/task/get/{project}?wait=30").json()
    assert answer["content"]["task"]["id"] == late["id"]
    assert machine.release(late["id"]) is False
    assert other.release(late["id"]) is True


def test_the_api_prefix_is_the_same_api(machine: Machine, project: int) -> None:
    """spec: tracker 1.1"""
    assert machine.get(f"/api/project/get/{project}").json() == machine.get(f"/project/get/{project}").json()
    assert machine.get("//worker/stats").status_code == 200
