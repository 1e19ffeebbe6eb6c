"""What must hold when two managers act at the same moment."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from chassis.database import Database
from chassis.envelope import UNLIMITED
from chassis.errors import ApiError
from chassis.identity import Kind, Principal
from tracker_service import projects, roles
from tracker_service.roles import NotYours, Role

Make = Callable[..., Any]

FIELDS = {
    **dict.fromkeys(("clone_url", "git_repo", "version", "motd"), ""),
    **dict.fromkeys(("public", "hidden", "paused"), False),
    "priority": 0,
    "chain": 0,
    "assign_rate": UNLIMITED,
    "submit_rate": UNLIMITED,
}


def together(*actions: Callable[[], object]) -> list[BaseException | None]:
    """Run the actions at the same moment and return what each raised."""
    barrier = threading.Barrier(len(actions))

    def run(action: Callable[[], object]) -> None:
        barrier.wait(10)
        action()

    with ThreadPoolExecutor(len(actions)) as pool:
        return [future.exception() for future in [pool.submit(run, action) for action in actions]]


def test_two_updates_cannot_close_a_loop_together(database: Database, make_project: Make) -> None:
    """spec: tracker Q-42"""

    def chain(source: int, target: int) -> None:
        with database.transaction() as tx:
            projects.lock(tx, source)
            projects.replace(tx, source, {**FIELDS, "name": f"p{source}", "chain": target})

    for _ in range(10):
        first, second = make_project(), make_project()
        errors = together(partial(chain, first, second), partial(chain, second, first))
        assert sorted(type(error).__name__ for error in errors) == ["ChainLoop", "NoneType"]


def test_one_of_two_projects_gets_the_name(database: Database, give_role: Make, make_project: Make) -> None:
    """spec: tracker 4.3"""
    give_role(1, make_project(), 1)

    def create() -> None:
        with database.transaction() as tx:
            projects.create(tx, {**FIELDS, "name": "wanted"}, creator=1)

    errors = together(create, create, create)
    assert errors.count(None) == 1
    assert [str(error) for error in errors if isinstance(error, ApiError)] == [projects.DUPLICATE_NAME] * 2


def test_a_manager_who_is_losing_power_grants_nothing_more(
    database: Database, make_project: Make, give_role: Make
) -> None:
    """spec: tracker Q-12: bits are compared under the lock of the project"""
    admin = Principal(Kind.ACCOUNT, 1, "admin", admin=True)
    manager = Principal(Kind.ACCOUNT, 3, "manager")

    def change(caller: Principal, project: int, account: int, role: int) -> None:
        with database.transaction() as tx:
            roles.assign(tx, caller, project, account, role)

    for _ in range(10):
        project = make_project()
        give_role(3, project, 31)
        give_role(8, project, Role.READ)
        demoted, granted = together(partial(change, admin, project, 3, 1), partial(change, manager, project, 8, 31))
        assert demoted is None
        assert granted is None or isinstance(granted, NotYours)
        rows = database.all("SELECT type FROM outbox WHERE envelope LIKE %s ORDER BY id", [f'%project/{project}"%'])
        assert len(rows) == (2 if granted is None else 1)


def test_managing_access_is_asked_for_under_the_lock(database: Database, make_project: Make, give_role: Make) -> None:
    """spec: tracker Q-12: whoever has just lost MANAGE_ACCESS changes not even bits still held"""
    project = make_project()
    give_role(3, project, Role.READ)
    give_role(8, project, Role.READ | Role.EDIT)
    with pytest.raises(NotYours), database.transaction() as tx:
        roles.assign(tx, Principal(Kind.ACCOUNT, 3, "manager"), project, 8, Role.EDIT)
