"""Leasing tasks to workers (spec: tracker 4.4, 5.3, 6)."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from chassis.database import Database
from chassis.queries import Queries
from tracker_service.arrays import array
from tracker_service.coalescer import Coalescer
from tracker_service.waiters import Waiters

sql = Queries.beside(__file__, "tasks.sql")

LARGEST = 1000
"""Most tasks of one claim."""

LONGEST_WAIT = 60
"""Seconds."""

_FINAL = ("leased", "paused", "no_project")
_WIRE = (
    "id", "priority", "project", "assignee", "retries", "max_retries", "status", "recipe",
    "max_assign_time", "assign_time", "verification_count",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker asks for up to ``count`` tasks of a project; project 0 is any."""

    worker: int
    project: int
    count: int = 1


@dataclass(slots=True)
class Outcome:
    """The tasks, in the form of the wire, or why there are none (see ``claim_tasks`` in the migrations).

    ``delay`` is in seconds, for a claim that its project's rate limit refused.
    """

    reason: str
    delay: float = 0.0
    tasks: list[dict[str, Any]] = field(default_factory=list)


class Claims:
    """Decides claims; those that arrive together in one statement."""

    def __init__(self, database: Database, waiters: Waiters, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._waiters = waiters
        self._clock = clock
        self._claim = Coalescer(self._decide)
        # Claims on any project lock buckets by priority, the others by number: together they could block each other.
        self._claim_any = Coalescer(self._decide)

    def lease(self, claim: Claim) -> Outcome:
        """Return what there is now."""
        return self._claim(claim) if claim.project else self._claim_any(claim)

    def lease_or_wait(self, claim: Claim, seconds: float, gone: Callable[[], bool]) -> Outcome:
        """Return as soon as there is something, after ``seconds`` at the latest.

        ``gone`` says whether the client has left; then nothing is leased any more.
        """
        deadline = self._clock() + seconds
        with self._waiters.waiting(claim.project) as waiter:
            while True:
                outcome = self.lease(claim)
                left = deadline - self._clock()
                if outcome.reason in _FINAL or left <= 0 or self._waiters.closed:
                    return outcome
                if outcome.reason == "excluded":
                    self._waiters.call_behind(waiter)
                waiter.sleep(min(left, outcome.delay or left))
                if gone():
                    return outcome

    def is_paused(self, worker: int) -> bool:
        """Return whether a manager has paused the worker."""
        return bool(self._database.value(sql.worker_is_paused, {"worker": worker}))

    def _decide(self, claims: Sequence[Claim]) -> list[Outcome]:
        rows = self._database.all(
            sql.claim_tasks,
            {
                "projects": array(claim.project for claim in claims),
                "workers": array(claim.worker for claim in claims),
                "counts": array(claim.count for claim in claims),
            },
        )
        outcomes = [Outcome("none") for _ in claims]
        projects: dict[int, orjson.Fragment] = {}
        for row in rows:
            outcome = outcomes[row["item"]]
            outcome.reason, outcome.delay = row["outcome"], row["delay"]
            if outcome.reason != "leased":
                continue
            if row["project_json"] is not None:
                projects[row["project"]] = orjson.Fragment(row["project_json"])
            row["project"] = projects[row["project"]]
            outcome.tasks.append({name: row[name] for name in _WIRE})
        return outcomes
