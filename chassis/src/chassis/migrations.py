"""Numbered SQL migrations, applied once each, safe to run from several processes at the same moment."""

from importlib.resources import files
from pathlib import Path

import psycopg
import structlog
from yoyo import get_backend, read_migrations

log = structlog.get_logger()

# One lock number for all of Taskyard: two services never share a database.
ADVISORY_LOCK = 0x7461736B
LOCK_TIMEOUT_MS = 5_000
STATEMENT_TIMEOUT_MS = 600_000
CHASSIS = Path(str(files("chassis"))) / "migrations"


def migrate(dsn: str, *directories: Path) -> list[str]:
    """Apply what is missing, the chassis' own migrations first, and return the names of what was applied.

    Concurrent callers wait for each other on an advisory lock. yoyo's own lock is a table row that a killed
    process leaves behind, so it is not used.
    """
    with psycopg.connect(dsn, autocommit=True) as guard:
        guard.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_LOCK])
        applied: list[str] = []
        for directory in (CHASSIS, *directories):
            applied += _apply(dsn, directory)
        return applied


def pending(dsn: str, *directories: Path) -> list[str]:
    """Return the names of migrations that the database still lacks (for ``/readyz``)."""
    wanted = {path.stem for directory in (CHASSIS, *directories) for path in directory.glob("[0-9]*.sql")}
    wanted = {name for name in wanted if not name.endswith(".rollback")}
    with psycopg.connect(dsn, autocommit=True, connect_timeout=5) as connection:
        if connection.execute("SELECT to_regclass('_yoyo_migration') IS NULL").fetchone() == (True,):
            return sorted(wanted)
        have = {row[0] for row in connection.execute("SELECT migration_id FROM _yoyo_migration")}
    return sorted(wanted - have)


def _apply(dsn: str, directory: Path) -> list[str]:
    backend = get_backend(_yoyo_url(dsn))
    try:
        with backend.transaction():
            backend.execute(f"SET SESSION lock_timeout = {LOCK_TIMEOUT_MS}")
            backend.execute(f"SET SESSION statement_timeout = {STATEMENT_TIMEOUT_MS}")
        todo = backend.to_apply(read_migrations(str(directory)))
        backend.apply_migrations(todo)
        for migration in todo:
            log.info("migration_applied", migration=migration.id)
        return [migration.id for migration in todo]
    finally:
        backend.connection.close()


def _yoyo_url(dsn: str) -> str:
    scheme, _, rest = dsn.partition("://")
    if scheme not in ("postgresql", "postgres"):
        raise ValueError("a database URL begins with postgresql://")
    return f"postgresql+psycopg://{rest}"
