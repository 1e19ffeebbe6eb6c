"""Accounts of people, "managers" in the tracker's API (spec: tracker 2.2, 4.6)."""

import uuid
from dataclasses import dataclass
from typing import Any

import psycopg

from auth_service import events
from auth_service.sql import sql
from chassis.database import Database, Transaction
from chassis.errors import ApiError
from chassis.identity import Kind, Principal

MIN_USERNAME_BYTES = 3
MAX_USERNAME_BYTES = 16
MIN_PASSWORD_BYTES = 8
MAX_PASSWORD_CHARACTERS = 1024


class UsernameTaken(ApiError):
    """pq: duplicate key value violates unique constraint "manager_username_key\""""

    def __init__(self) -> None:
        super().__init__(400, self.__doc__ or "")


@dataclass(frozen=True, slots=True)
class Account:
    """An account's record; ``register_time`` in Unix seconds, ``version`` grows with every change of rights."""

    id: int
    username: str
    tracker_admin: bool
    tenant: str
    version: int
    register_time: int

    def principal(self) -> Principal:
        """Return the account as other services see it."""
        return Principal(
            Kind.ACCOUNT,
            self.id,
            self.username,
            self.register_time,
            self.version,
            admin=self.tracker_admin,
            tenant=self.tenant,
        )

    def shown(self) -> dict[str, Any]:
        """Return the object Manager of the API (spec: tracker 3)."""
        return {
            "id": self.id,
            "username": self.username,
            "tracker_admin": self.tracker_admin,
            "register_time": self.register_time,
        }

    def record(self) -> dict[str, Any]:
        """Return what other services may keep of the account, without its id."""
        return {
            "username": self.username,
            "tracker_admin": self.tracker_admin,
            "register_time": self.register_time,
            "version": self.version,
        }


class Accounts:
    """Every account."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, tx: Transaction, username: str, password_hash: str) -> Account:
        """Add an account, the first one as tracker admin (spec: tracker Q-45); raises :class:`UsernameTaken`."""
        tx.execute(sql.lock_registrations)
        params = {"username": username, "password_hash": password_hash, "tenant": uuid.uuid4().hex}
        try:
            account = Account(**tx.all(sql.insert_account, params)[0])
        except psycopg.errors.UniqueViolation:
            raise UsernameTaken from None
        events.account_created(tx, account.id, account.record())
        return account

    def get(self, account_id: int) -> Account | None:
        """Return an account."""
        row = self._database.one(sql.account, {"id": account_id})
        return Account(**row) if row else None

    def all(self) -> list[Account]:
        """Return every account."""
        return [Account(**row) for row in self._database.all(sql.accounts)]

    def with_password(self, username: str) -> tuple[Account, str] | None:
        """Return an account and the hash of its password."""
        row = self._database.one(sql.account_with_password, {"username": username})
        if row is None:
            return None
        password_hash = row.pop("password_hash")
        return Account(**row), password_hash

    def replace_password_hash(self, account_id: int, old: str, new: str) -> None:
        """Store the same password under newer parameters."""
        self._database.execute(sql.replace_password_hash, {"id": account_id, "old": old, "new": new})

    def set_tracker_admin(self, account_id: int, tracker_admin: bool, *, by: int | None = None) -> None:
        """Promote or demote; without effect when there is no such account."""
        with self._database.transaction() as tx:
            row = tx.one(sql.set_tracker_admin, {"id": account_id, "tracker_admin": tracker_admin})
            if row:
                events.account_updated(tx, account_id, Account(**row).record(), by=by)


def acceptable(username: str, password: str) -> bool:
    """Return whether name and password may be an account's: lengths in bytes (spec: tracker 4.6), no U+0000."""
    return (
        "\0" not in username + password
        and MIN_USERNAME_BYTES <= len(username.encode()) <= MAX_USERNAME_BYTES
        and len(password.encode()) >= MIN_PASSWORD_BYTES
        and len(password) <= MAX_PASSWORD_CHARACTERS
    )
