"""Workers: machines with an id and a secret (spec: tracker 4.2, 5.2)."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any

from auth_service import events
from auth_service.sql import sql
from auth_service.vault import Vault
from chassis.database import Database
from chassis.identity import CredentialRefused, Kind, Principal, WorkerSecret, decode_secret

DEFAULT_ALIAS = "default_alias"
RESERVED_ALIAS = "unassigned"
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker's record; ``created`` in Unix seconds, ``version`` grows with every change."""

    id: int
    alias: str
    paused: bool
    version: int
    created: int

    def principal(self) -> Principal:
        """Return the worker as other services see it."""
        return Principal(Kind.WORKER, self.id, self.alias, self.created, self.version, paused=self.paused)

    def record(self) -> dict[str, Any]:
        """Return the record as it goes to the tracker's copy."""
        return {"alias": self.alias, "paused": self.paused, "created": self.created, "version": self.version}

    def shown(self, secret: str | None) -> dict[str, Any]:
        """Return the object Worker of the API; ``secret`` is null when withheld (spec: tracker 3)."""
        return {
            "id": self.id,
            "created": self.created,
            "alias": self.alias,
            "secret": secret,
            "paused": self.paused,
        }


class Workers:
    """Every worker.

    A secret is kept twice: hashed, to check it, and encrypted, because a tracker admin may read it
    (spec: tracker 4.2 get, row 4).
    """

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def create(self, alias: str) -> tuple[Worker, str]:
        """Add a worker and return it with its secret; no alias means ``default_alias``."""
        secret = secrets.token_bytes(SECRET_BYTES)
        params = {
            "alias": alias or DEFAULT_ALIAS,
            "secret_hash": hashlib.sha256(secret).digest(),
            "secret_sealed": self._vault.seal(secret),
        }
        with self._database.transaction() as tx:
            worker = Worker(**tx.all(sql.insert_worker, params)[0])
            events.worker_created(tx, worker.id, worker.record())
        return worker, _encoded(secret)

    def get(self, worker_id: int) -> Worker | None:
        """Return a worker."""
        row = self._database.one(sql.worker, {"id": worker_id})
        return Worker(**row) if row else None

    def secret(self, worker_id: int) -> str | None:
        """Return the secret of a worker that exists, ``None`` when the encryption key has changed since."""
        secret = self._vault.open(self._database.value(sql.worker_sealed_secret, {"id": worker_id}))
        return None if secret is None else _encoded(secret)

    def rename(self, worker_id: int, alias: str) -> bool:
        """Change the alias; no alias means ``default_alias`` (spec: tracker Q-44). False when there is no worker."""
        return self._change(sql.rename_worker, {"id": worker_id, "alias": alias or DEFAULT_ALIAS}) is not None

    def set_paused(self, worker_id: int, paused: bool, *, by: int | None = None) -> Worker | None:
        """Pause or resume a worker and return it; ``None`` when there is none."""
        return self._change(sql.set_worker_paused, {"id": worker_id, "paused": paused}, by)

    def authenticate(self, credential: WorkerSecret) -> Worker:
        """Return the worker of this secret; raises :class:`CredentialRefused` (spec: tracker 2.1 rows 4, 5)."""
        row = self._database.one(sql.worker_with_hash, {"id": credential.worker_id})
        if row is None:
            raise CredentialRefused("worker id does not match any valid worker")
        digest = hashlib.sha256(decode_secret(credential.secret)).digest()
        if not hmac.compare_digest(digest, row.pop("secret_hash")):
            raise CredentialRefused("invalid secret")
        return Worker(**row)

    def _change(self, statement: Any, params: dict[str, Any], by: int | None = None) -> Worker | None:
        with self._database.transaction() as tx:
            row = tx.one(statement, params)
            if row is None:
                return None
            worker = Worker(**row)
            events.worker_updated(tx, worker.id, worker.record(), by=by)
        return worker


def _encoded(secret: bytes) -> str:
    return base64.b64encode(secret).decode()
