"""Nothing is lost and nothing is done twice, in peace and while parts of the house are killed."""

import time
from collections.abc import Callable

import pytest
from actors import Machine, Person
from ledger import Books, Crew

from embedded.house import House

TASKS = 5_000
WORKERS = 24


def run(gate: str, admin: Person, disturb: Callable[[], None], max_assign_time: int) -> tuple[int, Books]:
    project = admin.create_project(public=True)
    machines = [Machine.create(gate) for _ in range(WORKERS)]
    admin.admit(machines[0], project)
    machines[0].submit(project, TASKS, max_assign_time=max_assign_time)
    crew = Crew(machines, project)
    crew.start()
    disturb()
    return project, crew.join()


def closed_count(house: House, project: int) -> tuple[int, int]:
    """Return (tasks that the tracker counts as closed, tasks it still holds), from its own database."""
    import psycopg

    with psycopg.connect(house.env("tracker")["TASKYARD_DATABASE_URL"]) as connection:
        closed = connection.execute("SELECT closed_task_count FROM project WHERE id = %s", [project]).fetchone()
        left = connection.execute("SELECT count(*) FROM task WHERE project = %s", [project]).fetchone()
    assert closed is not None
    assert left is not None
    return int(closed[0]), int(left[0])


def test_each_task_is_leased_exactly_once(house: House, gate: str, admin: Person) -> None:
    project, books = run(gate, admin, lambda: None, 3600)
    assert books.strange == []
    assert len(books.leases) == TASKS
    assert set(books.leases.values()) == {1}
    assert set(books.closed.values()) == {1}
    assert len(books.closed) == TASKS
    assert closed_count(house, project) == (TASKS, 0)


@pytest.mark.parametrize("victim", ["tracker-api", "tracker-worker", "postgres", "auth-api", "gate"])
def test_the_house_heals_and_the_ledger_stays_clean(house: House, gate: str, admin: Person, victim: str) -> None:
    def kill() -> None:
        time.sleep(1)  # in the middle of the work: nothing to wait for
        house.kill(victim)
        house.wait_ready(victim)

    project, books = run(gate, admin, kill, 3)
    assert closed_count(house, project) == (TASKS, 0)
    assert set(books.closed.values()) == {1}
    assert len(books.closed) + len(books.uncertain - set(books.closed)) >= TASKS
    assert books.without_retry_after == 0
    assert not [text for text in books.strange if not text.startswith(("ConnectionError", "ChunkedEncodingError"))]
