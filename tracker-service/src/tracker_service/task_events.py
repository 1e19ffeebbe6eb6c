"""What the tracker tells the house about tasks; many tasks travel in one event."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from chassis.database import Database, Transaction
from chassis.events import outbox
from chassis.queries import Queries

sql = Queries.beside(__file__, "tasks.sql")

LARGEST = 5_000
"""Most tasks of one event."""

_TYPES = {"closed": "tracker.tasks.closed", "failed": "tracker.tasks.failed"}


def tasks_submitted(tx: Transaction, project_id: int, count: int) -> None:
    """Tell of new tasks in a project."""
    _tell(tx, "tracker.tasks.submitted", project_id, {"count": count})


def tell_of_ended(database: Database) -> int:
    """Tell of all tasks that have closed or failed since the last call, and return how many these were.

    Releases only note them: an event for every batch of releases would cost more than the batch.
    """
    told = 0
    while piece := _tell_piece(database):
        told += piece
    return told


def _tell_piece(database: Database) -> int:
    with database.transaction() as tx:
        rows = tx.all(sql.forget_ended, {"limit": LARGEST})
        for (outcome, project), tasks in _grouped(rows).items():
            _tell(tx, _TYPES[outcome], project, {"tasks": tasks})
    return len(rows)


def _grouped(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, int], list[dict[str, Any]]]:
    groups = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["id"]):
        groups[row["outcome"], row["project"]].append(
            {"task_id": row["task"], "worker_id": row["worker"], "chained_to": row["chained_to"]}
        )
    return groups


def _tell(tx: Transaction, type_: str, project_id: int, data: Mapping[str, Any]) -> None:
    outbox.publish(tx, type_, f"project/{project_id}", {"project_id": project_id, **data})
