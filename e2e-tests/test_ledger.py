"""Nothing is lost and nothing is done twice, in peace and while parts of the house are killed."""

from collections.abc import Callable

import psycopg
import pytest
from actors import Machine, Person
from ledger import Books, Crew

from chassis.testing.waiting import eventually
from embedded.house import House

pytestmark = pytest.mark.timeout(600)

TASKS = 5_000
WORKERS = 24
VICTIMS = ("tracker-api", "tracker-worker", "postgres", "auth-api", "gate")
BETWEEN_KILLS = 500


def run(gate: str, admin: Person, disturb: Callable[[Crew], None], max_assign_time: int) -> tuple[int, Books]:
    """Let a crew work through a new project and return its id and the crew's books."""
    project = admin.create_project(public=True)
    machines = [Machine.create(gate) for _ in range(WORKERS)]
    admin.admit(machines[0], project)
    machines[0].submit(project, TASKS, max_assign_time=max_assign_time)
    crew = Crew(machines, project)
    crew.start()
    disturb(crew)
    return project, crew.join()


def counts(house: House, project: int) -> tuple[int, int]:
    """Return (tasks that the tracker counts as closed, tasks it still holds), from its own database."""
    with psycopg.connect(house.env("tracker")["TASKYARD_DATABASE_URL"]) as connection:
        closed = connection.execute("SELECT closed_task_count FROM project WHERE id = %s", [project]).fetchone()
        left = connection.execute("SELECT count(*) FROM task WHERE project = %s", [project]).fetchone()
    assert closed is not None
    assert left is not None
    return int(closed[0]), int(left[0])


def test_each_task_is_leased_exactly_once(gate: str, admin: Person) -> None:
    _, books = run(gate, admin, lambda crew: None, 3600)
    assert books.strange == []
    assert set(books.leases.values()) == {1}
    assert set(books.closed.values()) == {1}
    assert (len(books.leases), len(books.closed)) == (TASKS, TASKS)


def test_the_house_heals_and_the_ledger_stays_clean(house: House, gate: str, admin: Person) -> None:
    """Each part is killed in the middle of the work; whose answer was lost sends again, as a client should."""
    closed_at_kill: list[int] = []

    def kill_everybody(crew: Crew) -> None:
        for victim in VICTIMS:
            enough = len(crew.books.closed) + BETWEEN_KILLS
            eventually(lambda enough=enough: len(crew.books.closed) >= enough, 90)
            house.kill(victim)
            closed_at_kill.append(len(crew.books.closed))
            house.wait_ready(victim)

    project, books = run(gate, admin, kill_everybody, 3)
    house.wait_all_ready()  # what comes next need not know of this
    assert len(closed_at_kill) == len(VICTIMS)
    assert closed_at_kill[-1] < TASKS
    assert counts(house, project) == (TASKS, 0)
    assert set(books.closed.values()) == {1}
    assert len(books.closed) + len(books.uncertain - set(books.closed)) >= TASKS
    assert books.without_retry_after == 0
    assert {text for text in books.strange if not text.startswith(("ConnectionError", "ChunkedEncodingError"))} == set()
