"""API keys: long-lived credentials of an account or a worker, shown once, revocable at once (DESIGN 4)."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from auth_service import events
from auth_service.sql import sql
from chassis.database import Database
from chassis.identity import Kind, Principal
from chassis.identity.credentials import API_KEY_PREFIX

KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a valid key is, and for how many seconds it stays valid (``None``: until it is revoked)."""

    kind: Kind
    id: int
    seconds_left: float | None


class ApiKeys:
    """Every API key, stored as its hash only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, owner: Principal, name: str, expires_at: int | None) -> dict[str, Any]:
        """Add a key that ends at ``expires_at`` (Unix seconds) and return it with the key itself."""
        key = API_KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
        params = {**_columns(owner), "key_hash": _digest(key), "name": name, "expires_at": expires_at}
        with self._database.transaction() as tx:
            row = tx.all(sql.insert_api_key, params)[0]
            events.key_created(tx, row["id"], name, owner.kind, owner.id)
        return {**row, "key": key}

    def of(self, owner: Principal) -> list[dict[str, Any]]:
        """Return the keys of an account or worker, without the keys themselves."""
        return self._database.all(sql.api_keys, _columns(owner))

    def revoke(self, owner: Principal, key_id: int) -> bool:
        """Make a key invalid; false when the owner has no such key."""
        with self._database.transaction() as tx:
            row = tx.one(sql.delete_api_key, {**_columns(owner), "id": key_id})
            if row:
                events.key_revoked(tx, key_id, row["name"], owner.kind, owner.id)
        return row is not None

    def owner(self, key: str) -> Owner | None:
        """Return whose the key is, ``None`` when it is not valid."""
        row = self._database.one(sql.api_key_owner, {"key_hash": _digest(key)})
        if row is None:
            return None
        if row["account_id"] is not None:
            return Owner(Kind.ACCOUNT, row["account_id"], row["seconds_left"])
        return Owner(Kind.WORKER, row["worker_id"], row["seconds_left"])

    def prune(self) -> None:
        """Delete keys that ended long ago."""
        self._database.execute(sql.prune_api_keys)


def _columns(owner: Principal) -> dict[str, int | None]:
    return {
        "account_id": owner.id if owner.kind is Kind.ACCOUNT else None,
        "worker_id": owner.id if owner.kind is Kind.WORKER else None,
    }


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
