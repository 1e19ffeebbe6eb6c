"""Throttles the guessing of passwords: failures are counted per name and client address, for all processes."""

import hashlib

from auth_service import events
from auth_service.sql import sql
from chassis.database import Database
from chassis.errors import ApiError, spent


class TooManyAttempts(ApiError):
    """Too many requests"""

    def __init__(self, seconds: float, limit: int) -> None:
        headers = spent(seconds, limit)
        super().__init__(429, "Too many requests", headers=headers, extra={"rate_limit_delay": seconds})


class Attempts:
    """Failed logins: more than ``limit`` inside ``window`` seconds and the name must wait at that address."""

    def __init__(self, database: Database, limit: int, window: float) -> None:
        self._database = database
        self._limit = limit
        self._window = window

    def check(self, username: str, address: str) -> None:
        """Raise :class:`TooManyAttempts` when the limit is reached."""
        params = {"key": _key(username, address), "limit": self._limit, "window": self._window}
        wait = self._database.value(sql.login_wait, params)
        if wait is not None:
            raise TooManyAttempts(max(wait, 0.001), self._limit)

    def failed(self, username: str, address: str, *, known: bool) -> None:
        """Count a failure and tell of it; ``known``: there is an account of that name."""
        with self._database.transaction() as tx:
            tx.execute(sql.count_failed_login, {"key": _key(username, address), "window": self._window})
            events.login_failed(tx, username if known else "", address)

    def forget(self, username: str, address: str) -> None:
        """Begin to count anew, after a good password."""
        self._database.execute(sql.forget_failed_logins, {"key": _key(username, address)})

    def prune(self) -> None:
        """Delete counts that no longer matter."""
        self._database.execute(sql.prune_failed_logins, {"window": self._window})


def _key(username: str, address: str) -> bytes:
    return hashlib.sha256(f"{username}\0{address}".encode()).digest()
