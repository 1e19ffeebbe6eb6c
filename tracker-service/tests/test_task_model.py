"""The life of tasks against a model that fits on one page (spec: tracker 5.3, 5.5, 5.6)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.database import Database
from tracker_service import leases, maintenance
from tracker_service.claims import Claim, Claims
from tracker_service.releases import Release, Releases
from tracker_service.waiters import Waiters

WORKERS = [1, 2, 3]
HASHES = [-7, 7]


@dataclass
class Task:
    """What the specification says of a task."""

    priority: int
    max_retries: int
    wanted: int
    retries: int = 0
    failed: bool = False
    assignee: int | None = None
    verified: dict[int, int] = field(default_factory=dict)


class Model:
    """What the specification says of a project's tasks."""

    def __init__(self, tasks: dict[int, Task]) -> None:
        self.tasks = tasks
        self.closed = dict.fromkeys(WORKERS, 0)

    def claim(self, worker: int) -> int | None:
        ready = [
            (-task.priority, number)
            for number, task in self.tasks.items()
            if task.assignee is None and not task.failed and worker not in task.verified
        ]
        if not ready:
            return None
        number = min(ready)[1]
        self.tasks[number].assignee = worker
        return number

    def release(self, worker: int, number: int, result: int, verification: int) -> bool:
        task = self.tasks.get(number)
        if task is None or task.assignee != worker or result not in (0, 1, 2):
            return False
        task.assignee = None
        if result == 1:
            task.retries += 1
            task.failed = task.retries >= task.max_retries
        if result != 0:
            return True
        task.verified[worker] = verification
        if task.wanted > 1 and list(task.verified.values()).count(verification) < task.wanted:
            return False
        del self.tasks[number]
        self.closed[worker] += 1
        return True

    def reset_failed(self) -> int:
        failed = [task for task in self.tasks.values() if task.failed]
        for task in failed:
            task.failed, task.retries = False, 0
        return len(failed)

    def take_back(self) -> int:
        leased = [task for task in self.tasks.values() if task.assignee is not None]
        for task in leased:
            task.assignee = None
        return len(leased)

    def state(self) -> dict[int, Any]:
        return {
            number: (task.retries, task.failed, task.assignee, task.verified if task.wanted > 1 else {})
            for number, task in self.tasks.items()
        }


TASKS = st.lists(
    st.tuples(st.integers(-1, 1), st.integers(0, 3), st.integers(1, 3)), min_size=1, max_size=4
)  # priority, max_retries, verification_count
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("claim"), st.sampled_from(WORKERS)),
        st.tuples(
            st.just("release"), st.sampled_from(WORKERS), st.integers(0, 3), st.sampled_from([0, 0, 0, 1, 2, 3]),
            st.sampled_from(HASHES),
        ),
        st.tuples(st.sampled_from(["reset_failed", "reclaim", "expire"])),
    ),
    max_size=40,
)  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(tasks=TASKS, steps=STEPS)
def test_the_database_does_what_the_model_does(
    database: Database, make_project: Callable[..., int], tasks: list[tuple[int, int, int]], steps: list[Any]
) -> None:
    """spec: tracker 5.3, 5.5, 5.6"""
    project = make_project(public=True)
    numbers = [
        int(
            database.value(
                "INSERT INTO task (project, recipe, max_assign_time, priority, max_retries, verification_count)"
                " VALUES (%s, 'a', 0, %s, %s, %s) RETURNING id",
                [project, *task],
            )
        )
        for task in tasks
    ]
    model = Model({number: Task(*task) for number, task in zip(numbers, tasks, strict=True)})
    claims, releases = Claims(database, Waiters()), Releases(database)
    for step in steps:
        match step:
            case "claim", worker:
                outcome = claims.lease(Claim(worker, project))
                assert [task["id"] for task in outcome.tasks] == [
                    number for number in [model.claim(worker)] if number is not None
                ]
            case "release", worker, index, result, verification:
                number = numbers[index % len(numbers)]
                updated = releases.release(Release(number, worker, result, verification))
                assert updated == model.release(worker, number, result, verification)
            case ("reset_failed",):
                assert maintenance.reset_failed(database, project) == model.reset_failed()
            case ("reclaim",):
                assert maintenance.reclaim_assigned(database, project) == model.take_back()
            case ("expire",):
                assert leases.expire(database) == model.take_back()
        assert stored(database, project) == model.state()
    assert database.value("SELECT closed_task_count FROM project WHERE id = %s", [project]) == sum(
        model.closed.values()
    )
    maintenance.hard_reset(database, project)


def stored(database: Database, project: int) -> dict[int, Any]:
    rows = database.all(
        "SELECT t.*, coalesce((SELECT json_object_agg(v.worker, v.hash) FROM task_verification AS v"
        " WHERE v.task = t.id), '{}') AS verified FROM task AS t WHERE project = %s ORDER BY id",
        [project],
    )
    return {
        row["id"]: (
            row["retries"],
            row["status"] == 2,
            row["assignee"],
            {int(worker): value for worker, value in row["verified"].items()},
        )
        for row in rows
    }
