"""Sessions of accounts in a browser (spec: tracker 2.2, Q-19, Q-20)."""

import hashlib
import secrets
import string

from auth_service.accounts import Account
from auth_service.sql import sql
from chassis.database import Database, Transaction

LENGTH = 32


class Sessions:
    """Running sessions; the value that the cookie carries is stored as its hash only."""

    def __init__(self, database: Database, seconds: int) -> None:
        self._database = database
        self.seconds = seconds

    def start(self, tx: Transaction, account_id: int, replaced: str | None) -> str:
        """Begin a session under a new id, in place of ``replaced``, and return the cookie's value: 32 ASCII letters."""
        if replaced:
            tx.execute(sql.delete_session, {"token_hash": _digest(replaced)})
        value = "".join(secrets.choice(string.ascii_letters) for _ in range(LENGTH))
        params = {"token_hash": _digest(value), "account_id": account_id, "seconds": self.seconds}
        tx.execute(sql.insert_session, params)
        return value

    def account(self, value: str) -> Account | None:
        """Return the account of a running session, as it is now."""
        row = self._database.one(sql.session_account, {"token_hash": _digest(value)})
        return Account(**row) if row else None

    def end(self, value: str) -> None:
        """End a session, if it runs."""
        self._database.execute(sql.delete_session, {"token_hash": _digest(value)})

    def prune(self) -> None:
        """Delete sessions that have ended by themselves."""
        self._database.execute(sql.prune_sessions)


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).digest()
