"""The two secrets of a project: what workers need for its tasks, and the key of its push hook."""

from typing import LiteralString

from chassis.database import Database
from chassis.queries import Queries

sql = Queries.beside(__file__)


def project_secret(db: Database, project_id: int) -> str:
    """Return what workers may read; empty for a project that does not exist."""
    return _get(db, sql.get_secret, project_id)


def set_project_secret(db: Database, project_id: int, value: str) -> None:
    """Replace what workers may read; nothing happens for a project that does not exist."""
    db.execute(sql.set_secret, {"id": project_id, "value": value})


def webhook_secret(db: Database, project_id: int) -> str:
    """Return the hook's key; empty for a project that does not exist."""
    return _get(db, sql.get_webhook_secret, project_id)


def set_webhook_secret(db: Database, project_id: int, value: str) -> None:
    """Replace the hook's key; an empty one disables the hook (spec: tracker Q-18)."""
    db.execute(sql.set_webhook_secret, {"id": project_id, "value": value})


def _get(db: Database, query: LiteralString, project_id: int) -> str:
    return str(db.value(query, {"id": project_id}) or "")
