"""Liveness and readiness of a process."""

from collections.abc import Callable, Mapping
from pathlib import Path

import orjson

from chassis.database import Database
from chassis.errors import ApiError
from chassis.migrations import pending

# A check returns nothing when all is well and otherwise says, without secrets, what is not.
Check = Callable[[], str | None]


def database_check(database: Database, *migrations: Path) -> Check:
    """Return a check that the database answers and has every migration."""
    done = False

    def check() -> str | None:
        nonlocal done
        try:
            database.value("SELECT 1")
            if not done and pending(database.dsn, *migrations):
                return "migrations are missing"
        except ApiError:
            return "the database does not answer"
        done = True
        return None

    return check


def readiness(checks: Mapping[str, Check]) -> tuple[int, bytes]:
    """Return status (200 or 503) and JSON body of ``/readyz``."""
    failures = {name: reason for name, check in checks.items() if (reason := check())}
    body = {"ready": not failures, **({"reasons": failures} if failures else {})}
    return (503 if failures else 200), orjson.dumps(body)
