"""The tracker's own copy of what auth-service says of workers and accounts, so that its SQL can join them."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Protocol

from chassis.database import Database, Transaction
from chassis.errors import Unavailable
from chassis.identity import Kind, Principal
from chassis.internal import InternalClient
from chassis.queries import Queries

sql = Queries.beside(__file__)

WORKER_CHANGED = "worker_changed"
"""The channel on which API processes hear which worker's credentials to forget."""

CAPACITY = 200_000


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker; ``created`` in Unix seconds, ``version`` grows with every change."""

    id: int
    alias: str
    paused: bool
    created: int
    version: int


@dataclass(frozen=True, slots=True)
class Account:
    """An account; ``register_time`` in Unix seconds, ``version`` grows with every change."""

    id: int
    username: str
    tracker_admin: bool
    register_time: int
    version: int


class Accounts(Protocol):
    """Finds accounts that the tracker has not met yet."""

    def find(self, account_id: int) -> Account | None:
        """Return the account, or ``None`` when there is none with that id."""


class AuthAccounts:
    """Asks auth-service."""

    def __init__(self, client: InternalClient) -> None:
        self._client = client

    def find(self, account_id: int) -> Account | None:
        """Return the account; raises ``Unavailable`` while auth-service is away."""
        status, body = self._client.get(f"/internal/accounts/{account_id}")
        if status == 404:
            return None
        if status != 200:
            raise Unavailable("auth-service")
        return Account(body["id"], body["username"], body["tracker_admin"], body["register_time"], body["version"])


class ReadModel:
    """Stores principals that requests have proved, once per process and version."""

    def __init__(self, database: Database, capacity: int = CAPACITY) -> None:
        self._database = database
        self._capacity = capacity
        self._seen: OrderedDict[tuple[Kind, int], int] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, principal: Principal) -> None:
        """Store the principal unless this process has stored this version or a newer one before."""
        key = (principal.kind, principal.id)
        if self._seen.get(key, -1) >= principal.version:
            return
        if principal.kind is Kind.WORKER:
            store_worker(self._database, worker_of(principal))
        elif principal.kind is Kind.ACCOUNT:
            store_account(self._database, account_of(principal))
        with self._lock:
            self._seen[key] = principal.version
            if len(self._seen) > self._capacity:
                self._seen.popitem(last=False)


def worker_of(principal: Principal) -> Worker:
    """Return the worker's record out of its principal."""
    return Worker(principal.id, principal.name, principal.paused, principal.created, principal.version)


def account_of(principal: Principal) -> Account:
    """Return the account's record out of its principal."""
    return Account(principal.id, principal.name, principal.admin, principal.created, principal.version)


def store_worker(db: Database | Transaction, worker: Worker) -> bool:
    """Insert or update the worker; ``False`` when what is stored is as new."""
    return db.execute(sql.store_worker, _values(worker)) == 1


def store_account(db: Database | Transaction, account: Account) -> bool:
    """Insert or update the account; ``False`` when what is stored is as new."""
    return db.execute(sql.store_account, _values(account)) == 1


def tell_worker_changed(tx: Transaction, worker_id: int) -> None:
    """Make every API process forget the worker's credentials, when the transaction commits."""
    tx.execute(sql.tell_worker_changed, {"channel": WORKER_CHANGED, "id": worker_id})


def account_is_known(db: Database | Transaction, account_id: int) -> bool:
    """Return whether the account is in the read model."""
    return db.value(sql.account_is_known, {"id": account_id}) is not None


def worker_stats(db: Database) -> list[dict[str, Any]]:
    """Return every worker with its closed tasks (spec: tracker 3, WorkerStats)."""
    return db.all(sql.worker_stats)


def _values(record: Worker | Account) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__slots__}
