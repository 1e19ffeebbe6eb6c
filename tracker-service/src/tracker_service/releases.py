"""Giving leased tasks back with their results (spec: tracker 4.4, 5.3)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import structlog

from chassis.database import Database
from chassis.queries import Queries
from tracker_service.arrays import array
from tracker_service.coalescer import Coalescer

log = structlog.get_logger()
sql = Queries.beside(__file__, "tasks.sql")

LARGEST = 1000
"""Most releases of one request."""

LISTS_AT_ONCE = 16
"""Most requests of many releases that share a statement; it must end long before its time is up."""

NOT_CLOSED = "Task was not marked as closed"
_UPDATED = frozenset({"closed", "failed", "requeued", "skipped"})


@dataclass(frozen=True, slots=True)
class Release:
    """A worker gives back a task; ``result`` 0 is done, 1 failed, 2 skipped, others change nothing."""

    task: int
    worker: int
    result: int
    verification: int


class Releases:
    """Decides releases; those that arrive together in one statement."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._release = Coalescer(self._decide_each)
        # Apart from one another they would wait for the project's counter, each until the other's commit.
        self._release_lists = Coalescer(self._decide_lists, largest=LISTS_AT_ONCE)

    def release(self, release: Release) -> bool:
        """Return whether the task was changed as asked."""
        return self._release(release)

    def release_all(self, releases: Sequence[Release]) -> list[bool]:
        """Return for each release whether its task was changed as asked."""
        return self._release_lists(releases)

    def _decide_lists(self, lists: Sequence[Sequence[Release]]) -> list[list[bool]]:
        updated = iter(self._decide_each([release for releases in lists for release in releases]))
        return [list(islice(updated, len(releases))) for releases in lists]

    def _decide_each(self, releases: Sequence[Release]) -> list[bool]:
        rows = self._database.all(
            sql.release_tasks,
            {
                "tasks": array(release.task for release in releases),
                "workers": array(release.worker for release in releases),
                "results": array(release.result for release in releases),
                "hashes": array(release.verification for release in releases),
            },
        )
        _log_dropped(rows)
        updated = [False] * len(releases)
        for row in rows:
            updated[row["item"]] = row["outcome"] in _UPDATED
        return updated


def _log_dropped(rows: Iterable[Mapping[str, Any]]) -> None:
    """A copy whose hash the next project has already is dropped without a word to the worker (spec: tracker Q-42)."""
    dropped = [row["project"] for row in rows if row["dropped"]]
    if dropped:
        log.info("chain_duplicates_dropped", projects=sorted(set(dropped)), tasks=len(dropped))
