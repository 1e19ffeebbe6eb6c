"""The statuses of a job, and which may follow which (spec: poller 1, 4)."""

from enum import StrEnum


class Status(StrEnum):
    """Where a job stands."""

    NEW = "new"
    IN_PROGRESS = "in_progress"
    COMPLETE = "complete"
    FAILED = "failed"


_ENDS = frozenset({Status.COMPLETE, Status.FAILED})
_FOLLOWING = {
    Status.NEW: _ENDS | {Status.IN_PROGRESS},
    Status.IN_PROGRESS: _ENDS,
    Status.COMPLETE: frozenset(),
    Status.FAILED: frozenset(),
}


def may_follow(now: Status, then: Status) -> bool:
    """Whether one job may change from ``now`` to ``then``; staying as it is is no change."""
    return then in _FOLLOWING[now]
