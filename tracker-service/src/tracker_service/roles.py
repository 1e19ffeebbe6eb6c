"""What accounts may do on projects (spec: tracker 2.3)."""

from enum import IntFlag
from typing import Any

from chassis.database import Database, Transaction
from chassis.identity import Principal
from chassis.queries import Queries
from tracker_service import events

sql = Queries.beside(__file__)


class Role(IntFlag):
    """Independent bits: EDIT does not imply READ."""

    READ = 1
    EDIT = 2
    MANAGE_ACCESS = 4
    SECRET = 8
    MAINTENANCE = 16


NONE = Role(0)
ALL = Role(31)


def role_on(db: Database | Transaction, account: Principal | None, project_id: int) -> Role:
    """Return the account's bits on a project as they are now; a tracker admin has all of them everywhere."""
    if account is None:
        return NONE
    if account.admin:
        return ALL
    return Role(db.value(sql.role_on, {"account": account.id, "project": project_id}) or 0)


def may(tx: Transaction, account_id: int, project_id: int, role: Role) -> bool:
    """Return whether an account that makes no request of its own has one of the bits ``role`` on a project.

    Whether it is tracker admin comes from the read model, which hears of a change within moments.
    """
    values = {"account": account_id, "project": project_id, "role": int(role)}
    return tx.value(sql.account_may, values) is True


class NotYours(Exception):
    """The caller may not change this role: it is their own, or has bits that they do not hold."""


class Unknown(Exception):
    """There is no such project."""


def managers_of(db: Database, project_id: int) -> list[dict[str, Any]]:
    """Return the accounts that have a role on the project (spec: tracker 3, ManagerRoleOn)."""
    rows = db.all(sql.roles_on_project, {"project": project_id})
    return [{"role": row.pop("role"), "manager": row} for row in rows]


def assign(tx: Transaction, caller: Principal, project_id: int, account_id: int, role: int) -> None:
    """Give an account exactly the bits ``role`` on a project; 0 takes all away.

    Raises :class:`NotYours` unless an admin does it or the caller changes, on another account, only bits that the
    caller holds now (spec: tracker Q-12), and :class:`Unknown` for a project that does not exist.
    """
    if tx.one(sql.lock_project, {"id": project_id}) is None:
        raise Unknown
    row = {"account": account_id, "project": project_id, "role": role}
    changed = (tx.value(sql.role_on, row) or 0) ^ role
    held = role_on(tx, caller, project_id)
    if not caller.admin and (account_id == caller.id or Role.MANAGE_ACCESS not in held or changed & ~held):
        raise NotYours
    tx.execute(sql.set_role if role else sql.remove_role, row)
    events.role_changed(tx, project_id, account_id, role, by=caller.id)
