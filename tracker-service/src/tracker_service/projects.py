"""Projects: what belongs to each other, who sees it, how fast it goes, where finished tasks go on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg.errors

from chassis.database import Database, Transaction
from chassis.envelope import UNLIMITED
from chassis.errors import ApiError
from chassis.identity import Principal
from chassis.queries import Queries
from tracker_service import buckets, events
from tracker_service.roles import ALL, Role, role_on

sql = Queries.beside(__file__)

DUPLICATE_NAME = 'pq: duplicate key value violates unique constraint "project_name_key"'
NO_CHAIN_TARGET = 'pq: insert or update on table "project" violates foreign key constraint "project_chain_fkey"'
NOT_FOUND = "Project not found"


class ChainLoop(Exception):
    """The chain would lead back to the project, and its tasks would go round for ever (spec: tracker Q-42)."""


def find(db: Database | Transaction, project_id: int) -> dict[str, Any] | None:
    """Return the project as it goes over the wire (spec: tracker 3), or ``None``."""
    return db.one(sql.find_project, {"id": project_id})


def visible(db: Database | Transaction, account: Principal | None) -> list[dict[str, Any]]:
    """Return the projects that the caller may read, by name (spec: tracker 2.4)."""
    return db.all(
        sql.visible_projects,
        {"account": account.id if account else None, "admin": account is not None and account.admin},
    )


def create(tx: Transaction, fields: Mapping[str, Any], creator: int) -> int:
    """Store a new project, give its creator every role, and return its id.

    Raises :class:`ApiError` with the documented text for a name that is taken.
    """
    with _storage_errors():
        project_id = int(tx.value(sql.insert_project, _columns(fields)))
    tx.execute(sql.insert_role, {"account": creator, "project": project_id, "role": int(ALL)})
    project = find(tx, project_id)
    assert project is not None
    events.project_created(tx, project)
    events.role_changed(tx, project_id, creator, int(ALL), by=creator)
    return project_id


def replace(tx: Transaction, project_id: int, fields: Mapping[str, Any]) -> None:
    """Replace every field of a project; its rate limits start again with full buckets (spec: tracker 4.3).

    Raises :class:`ChainLoop`, and :class:`ApiError` with the documented text for what the storage refuses.
    """
    if fields["chain"]:
        _refuse_loop(tx, project_id, fields["chain"])
    with _storage_errors():
        tx.execute(sql.replace_project, {**_columns(fields), "id": project_id, "paused": fields["paused"]})
    buckets.reset(tx, project_id)
    project = find(tx, project_id)
    assert project is not None
    events.project_updated(tx, project)


def may_read(db: Database, project: Mapping[str, Any], account: Principal | None) -> bool:
    """Return whether the caller may read a project that was found (spec: tracker 2.4)."""
    return not project["hidden"] or Role.READ in role_on(db, account, project["id"])


def may_chain_to(db: Database, account: Principal, target: int) -> bool:
    """Return whether the account may let tasks go on to ``target``; 0 is no chain."""
    return not target or Role.EDIT in role_on(db, account, target)


def lock(tx: Transaction, project_id: int) -> dict[str, Any] | None:
    """Return the project and keep others from changing it, or its roles, until the transaction ends."""
    return tx.one(sql.lock_project, {"id": project_id})


def _refuse_loop(tx: Transaction, project_id: int, target: int) -> None:
    # Two updates at one moment could each see no loop and close one together.
    tx.execute(sql.lock_chains)
    if tx.value(sql.chain_leads_to, {"start": target, "project": project_id}):
        raise ChainLoop


def _columns(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **fields,
        "chain": fields["chain"] or None,
        "assign_rate": fields["assign_rate"] or UNLIMITED,
        "submit_rate": fields["submit_rate"] or UNLIMITED,
    }


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except psycopg.errors.UniqueViolation:
        raise ApiError(500, DUPLICATE_NAME) from None
    except psycopg.errors.ForeignKeyViolation:
        raise ApiError(500, NO_CHAIN_TARGET) from None
