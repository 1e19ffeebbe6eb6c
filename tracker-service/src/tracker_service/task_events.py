"""What the tracker tells the house about tasks; many tasks travel in one event."""

from collections.abc import Mapping, Sequence
from typing import Any

from chassis.database import Transaction
from chassis.events import outbox


def tasks_submitted(tx: Transaction, project_id: int, count: int) -> None:
    """Tell of new tasks in a project."""
    _tell(tx, "tracker.tasks.submitted", project_id, {"count": count})


def tasks_closed(tx: Transaction, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> None:
    """Tell of tasks that ended with an accepted result, and of their copies in the next project."""
    _tell(tx, "tracker.tasks.closed", project_id, {"tasks": tasks})


def tasks_failed(tx: Transaction, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> None:
    """Tell of tasks that used up their retries."""
    _tell(tx, "tracker.tasks.failed", project_id, {"tasks": tasks})


def _tell(tx: Transaction, type_: str, project_id: int, data: Mapping[str, Any]) -> None:
    outbox.publish(tx, type_, f"project/{project_id}", {"project_id": project_id, **data})
