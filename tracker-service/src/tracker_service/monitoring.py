"""Figures of projects over time, and who has their tasks now (spec: tracker 4.3, 9)."""

from typing import Any

from chassis.database import Database
from chassis.queries import Queries

sql = Queries.beside(__file__)

UNASSIGNED = "unassigned"
MOST_ASSIGNEES = 16
# Replicas take turns, whose clocks and timers differ a little.
TOLERANCE = 0.8
PRUNE_BATCH = 5_000


def take_snapshots(db: Database, interval: float) -> int:
    """Store one row per project, unless one was stored less than an ``interval`` (seconds) ago; return how many."""
    return db.execute(sql.take_snapshots, {"seconds": interval * TOLERANCE})


def prune(db: Database, seconds: float) -> int:
    """Delete snapshots older than ``seconds`` and return how many."""
    deleted = 0
    while piece := db.execute(sql.prune_snapshots, {"seconds": seconds, "limit": PRUNE_BATCH}):
        deleted += piece
    return deleted


def latest(db: Database, project_id: int, count: int) -> list[dict[str, Any]]:
    """Return the last ``count`` snapshots of a project, newest first."""
    return db.all(sql.latest_snapshots, {"project": project_id, "count": count})


def between(db: Database, project_id: int, start: int, end: int) -> list[dict[str, Any]]:
    """Return the snapshots taken from ``start`` to ``end`` (Unix seconds, both included), newest first."""
    return db.all(sql.snapshots_between, {"project": project_id, "start": start, "end": end})


def assignees(db: Database, project_id: int) -> list[dict[str, Any]]:
    """Return who has how many tasks, most first; tasks without a worker always have their entry (Q-33)."""
    return db.all(sql.assignees, {"project": project_id, "unassigned": UNASSIGNED, "limit": MOST_ASSIGNEES})
