"""What auth-service tells the house (contracts/events/auth.*.json)."""

from typing import Any

from chassis.database import Transaction
from chassis.events import outbox


def worker_created(tx: Transaction, worker_id: int, record: dict[str, Any]) -> None:
    """Tell of a new worker."""
    outbox.publish(tx, "auth.worker.created", f"worker/{worker_id}", {"worker_id": worker_id, **record})


def worker_updated(tx: Transaction, worker_id: int, record: dict[str, Any], *, by: int | None = None) -> None:
    """Tell of a changed alias or, when an account did it, of a pause."""
    data = {"worker_id": worker_id, **record, "by": by}
    outbox.publish(tx, "auth.worker.updated", f"worker/{worker_id}", data)


def account_created(tx: Transaction, account_id: int, record: dict[str, Any]) -> None:
    """Tell of a new account."""
    outbox.publish(tx, "auth.account.created", f"account/{account_id}", {"account_id": account_id, **record})


def account_updated(tx: Transaction, account_id: int, record: dict[str, Any], *, by: int | None = None) -> None:
    """Tell of an account's changed rights."""
    data = {"account_id": account_id, **record, "by": by}
    outbox.publish(tx, "auth.account.updated", f"account/{account_id}", data)


def key_created(tx: Transaction, key_id: int, name: str, kind: str, owner_id: int) -> None:
    """Tell of a new API key."""
    outbox.publish(tx, "auth.key.created", f"key/{key_id}", _key(key_id, name, kind, owner_id))


def key_revoked(tx: Transaction, key_id: int, name: str, kind: str, owner_id: int) -> None:
    """Tell of a revoked API key."""
    outbox.publish(tx, "auth.key.revoked", f"key/{key_id}", _key(key_id, name, kind, owner_id))


def login_succeeded(tx: Transaction, username: str, address: str) -> None:
    """Tell of a login."""
    outbox.publish(tx, "auth.login.succeeded", f"login/{username}", {"username": username, "address": address})


def login_failed(tx: Transaction, username: str, address: str) -> None:
    """Tell of a refused login; without the name when nobody has it, because people type passwords into its field."""
    outbox.publish(tx, "auth.login.failed", f"login/{username or '-'}", {"username": username, "address": address})


def _key(key_id: int, name: str, kind: str, owner_id: int) -> dict[str, Any]:
    return {"key_id": str(key_id), "name": name, "owner_kind": kind, "owner_id": owner_id}
