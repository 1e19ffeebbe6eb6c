"""The command tracker.task.submit: the tracker's rules decide for whom another service may submit."""

import uuid
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from chassis.database import Database
from chassis.events import Event
from chassis.events.reference import consumed_by
from chassis.testing.contract_client import ContractClient
from tracker_service.commands import handlers
from tracker_service.principals import Account, store_account
from tracker_service.roles import Role

SUBMIT = "tracker.task.submit"
WORKER = {"kind": "worker", "id": 7}
ACCOUNT = {"kind": "account", "id": 3}

Command = Callable[..., dict[str, Any]]


@pytest.fixture
def project(make_project: Any) -> int:
    return int(make_project())


@pytest.fixture
def command(database: Database, project: int) -> Command:
    """Carry out a command as the consumer does and return its answer."""

    def carry_out(principal: dict[str, Any], command_id: str = "", **task: Any) -> dict[str, Any]:
        data = {"principal": principal, "task": {"project": project, "recipe": "r", **task}}
        data |= {"command_id": command_id} if command_id else {}
        event = Event.parse(Event.new(SUBMIT, "x", data, service="scheduler").dump())
        handle = handlers.find(SUBMIT)
        assert handle
        with database.transaction() as tx:
            handle(tx, event)
        answer = dict(told(database, "tracker.command.answered")[-1])
        assert answer.pop("command_id") == (command_id or str(event.id))
        return answer

    return carry_out


def told(database: Database, type_: str) -> list[Any]:
    rows = database.all("SELECT envelope FROM outbox WHERE type = %s ORDER BY id", [type_])
    return [orjson.loads(row["envelope"])["data"] for row in rows]


def recipes(database: Database) -> list[str]:
    return [row["recipe"] for row in database.all("SELECT recipe FROM task ORDER BY id")]


def refusal(reason: str) -> dict[str, Any]:
    return {"ok": False, "project_id": None, "reason": reason}


def test_a_worker_with_accepted_submit_may(command: Command, database: Database, grant: Any, project: int) -> None:
    """spec: tracker 2.4"""
    grant(7, project, submit=True)
    task = {"priority": 4, "max_retries": 3, "max_assign_time": 60, "verification_count": 2, "hash64": -5}
    assert command(WORKER, **task) == {"ok": True, "project_id": project, "reason": None}
    columns = "recipe, priority, max_retries, max_assign_time, verification_count, hash64"
    assert database.all(f"SELECT {columns} FROM task") == [{"recipe": "r", **task}]
    assert told(database, "tracker.tasks.submitted") == [{"project_id": project, "count": 1}]


@pytest.mark.parametrize("access", [None, {"assign": True}, {"submit": True, "pending": True}])
def test_a_worker_without_accepted_submit_may_not(
    command: Command, database: Database, grant: Any, project: int, access: dict[str, bool] | None
) -> None:
    if access:
        grant(7, project, **access)
    assert command(WORKER) == refusal("unauthorized task submit")
    assert recipes(database) == []
    assert told(database, "tracker.tasks.submitted") == []


@pytest.mark.parametrize("role", [Role.EDIT, Role(31)])
def test_an_account_with_edit_may(
    command: Command, database: Database, give_role: Any, project: int, role: int
) -> None:
    give_role(3, project, role)
    assert command(ACCOUNT)["ok"]
    assert recipes(database) == ["r"]


@pytest.mark.parametrize("role", [None, Role(31) & ~Role.EDIT])
def test_an_account_without_edit_may_not(
    command: Command, database: Database, give_role: Any, make_project: Any, project: int, role: int | None
) -> None:
    give_role(3, make_project(), Role(31))
    if role is not None:
        give_role(3, project, role)
    assert command(ACCOUNT) == refusal("unauthorized task submit")
    assert recipes(database) == []


def test_a_tracker_admin_may_everywhere_until_demoted(command: Command, database: Database, project: int) -> None:
    for version, admin in enumerate((True, False)):
        store_account(database, Account(3, "ada", admin, 1, version))
        assert command(ACCOUNT)["ok"] is admin


def test_a_service_and_a_worker_with_an_accounts_number_may_not(
    command: Command, database: Database, give_role: Any, project: int
) -> None:
    give_role(3, project, Role(31))
    for kind in ("service", "worker"):
        assert command({"kind": kind, "id": 3}) == refusal("unauthorized task submit")


@pytest.mark.parametrize("principal", [WORKER, ACCOUNT])
def test_an_unknown_project_is_not_found(command: Command, database: Database, principal: dict[str, Any]) -> None:
    store_account(database, Account(3, "ada", True, 1, 0))
    assert command(principal, project=999) == refusal("Project not found")


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ({"recipe": ""}, "Invalid task"),
        ({"recipe": "\0"}, "Invalid task"),
        ({"max_retries": -1}, "Invalid task"),
        ({"hash64": 1, "unique_string": "x"}, "Invalid task"),
        ({"hash64": 1, "hash_u64": 2}, "Invalid task"),
        ({"project": 0}, "Invalid task"),
        ({"project": "1"}, "Could not parse request"),
        ({"priority": 40_000}, "Could not parse request"),
    ],
)
def test_a_task_is_checked_as_at_the_api(
    command: Command, client: ContractClient, known: Any, grant: Any, project: int, task: dict[str, Any], reason: str
) -> None:
    """spec: tracker 4.4"""
    grant(7, project, submit=True)
    assert command(WORKER, **task) == refusal(reason)
    api = client.post("/task/submit", json={"project": project, "recipe": "r", **task}, headers=known.add_worker(7))
    assert api.json == {"ok": False, "message": reason}


def test_an_old_spelling_is_read_as_at_the_api(command: Command, database: Database, grant: Any, project: int) -> None:
    """spec: tracker 1.2"""
    grant(7, project, submit=True)
    assert command(WORKER, Priority=3, max_retries=None)["ok"]
    assert database.one("SELECT priority, max_retries FROM task") == {"priority": 3, "max_retries": 0}


def test_a_duplicate_is_refused(command: Command, database: Database, grant: Any, project: int) -> None:
    grant(7, project, submit=True)
    assert command(WORKER, hash64=1)["ok"]
    assert "project_hash_unique" in command(WORKER, hash64=1)["reason"]
    assert len(recipes(database)) == 1


def test_a_limited_project_says_when(command: Command, database: Database, grant: Any, make_project: Any) -> None:
    """spec: tracker 6"""
    limited = make_project(submit_rate=0.01)
    grant(7, limited, submit=True)
    answers = [command(WORKER, project=limited) for _ in range(20)]
    assert answers[0]["ok"]
    assert answers[-1]["reason"].startswith("Too many requests, try again in ")


def test_a_repeated_command_submits_one_task(command: Command, database: Database, grant: Any, project: int) -> None:
    grant(7, project, submit=True)
    command_id = str(uuid.uuid4())
    first, second = command(WORKER, command_id), command(WORKER, command_id)
    assert first == second
    assert len(recipes(database)) == 1


def test_contracts_name_what_the_tracker_receives() -> None:
    assert handlers.types == consumed_by("tracker")
