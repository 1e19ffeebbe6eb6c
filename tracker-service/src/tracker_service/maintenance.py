"""What managers do to all tasks of a project (spec: tracker 5.6), and the care of the table."""

from time import monotonic
from typing import LiteralString

import structlog

from chassis.database import Database
from chassis.queries import Queries

log = structlog.get_logger()
sql = Queries.beside(__file__, "tasks.sql")


def reset_failed(database: Database, project: int) -> int:
    """Let failed tasks start again without retries used up; return how many."""
    return _change(database, sql.reset_failed_tasks, project)


def reclaim_assigned(database: Database, project: int) -> int:
    """Take every leased task back from its worker; return how many."""
    return _change(database, sql.reclaim_assigned_tasks, project)


def hard_reset(database: Database, project: int) -> int:
    """Delete every task of the project; return how many. Nothing counts as closed."""
    return database.execute(sql.hard_reset, {"project": project})


def _change(database: Database, statement: LiteralString, project: int) -> int:
    with database.transaction() as tx:
        changed = tx.execute(statement, {"project": project})
        if changed:
            tx.execute(sql.tell_ready, {"project": project, "count": changed})
    return changed


class Vacuum:
    """Cleans the head of the ready index.

    Every claim leaves a dead entry there, which all later claims must pass until vacuum removes it; autovacuum
    looks only every minute. Takes at most a tenth of one processor: the more there is to read, the longer it rests.
    """

    REST = 10.0
    DEAD = 2_000

    def __init__(self, database: Database) -> None:
        self._database = database
        self._not_before = 0.0

    def __call__(self) -> None:
        """Vacuum the table of tasks when there is reason to and it has rested."""
        if monotonic() < self._not_before or self._database.value(sql.dead_tasks) < self.DEAD:
            return
        started = monotonic()
        self._database.execute(sql.vacuum_tasks)
        self._not_before = monotonic() + self.REST * (monotonic() - started)
