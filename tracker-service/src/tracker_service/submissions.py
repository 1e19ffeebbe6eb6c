"""Submitting tasks (spec: tracker 4.4, 5.4, 6)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from chassis.database import Database, Transaction
from chassis.queries import Queries
from tracker_service import task_events
from tracker_service.arrays import array
from tracker_service.coalescer import Coalescer
from tracker_service.hashing import stored_hash

sql = Queries.beside(__file__, "tasks.sql")

NO_PROJECT = "Project not found"
DENIED = "unauthorized task submit"
DUPLICATE_HASH = 'pq: duplicate key value violates unique constraint "project_hash_unique"'

_STORED_AS_GIVEN = ("recipe", "priority", "max_retries", "max_assign_time")


@dataclass(frozen=True, slots=True)
class Submission:
    """A worker submits tasks, a JSON list as :func:`stored_form` makes it, to a project."""

    worker: int
    project: int
    tasks: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a submission (see ``submit_tasks`` in the migrations); ``delay`` is in seconds."""

    outcome: str
    delay: float
    stored: int


class Submissions:
    """Decides submissions; single tasks that arrive together in one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._submit = Coalescer(self._decide_each)

    def submit(self, submission: Submission) -> Verdict:
        """Decide the submission of a single task."""
        if self._database.is_joined():
            return self.submit_many(submission)
        return self._submit(submission)

    def submit_many(self, submission: Submission) -> Verdict:
        """Decide a submission of any size, in a transaction of its own."""
        with self._database.transaction() as tx:
            return decide(tx, submission.project, submission.worker, submission.tasks)

    def _decide_each(self, submissions: Sequence[Submission]) -> list[Verdict]:
        with self._database.transaction() as tx:
            rows = tx.all(
                sql.submit_each,
                {
                    "projects": array(submission.project for submission in submissions),
                    "workers": array(submission.worker for submission in submissions),
                    "tasks": [submission.tasks for submission in submissions],
                },
            )
            stored: Counter[int] = Counter()
            for row in rows:
                stored[submissions[row["item"]].project] += row["stored"]
            _tell(tx, stored)
        rows.sort(key=lambda row: row.pop("item"))
        return [Verdict(**row) for row in rows]


def decide(tx: Transaction, project: int, worker: int | None, tasks: str) -> Verdict:
    """Decide one submission of any size in the caller's transaction.

    Without a worker the caller has checked who submits; ``tasks`` as :func:`stored_form` makes it.
    """
    row = tx.one(sql.submit_tasks, {"project": project, "worker": worker, "tasks": tasks})
    assert row is not None
    _tell(tx, {project: row["stored"]})
    return Verdict(**row)


def stored_form(tasks: Sequence[Mapping[str, Any]]) -> str:
    """Return checked tasks as the JSON list that the database reads.

    Raises :class:`tracker_service.hashing.AmbiguousHash`.
    """
    rows = []
    for task in tasks:
        row = {name: task[name] for name in _STORED_AS_GIVEN}
        row["verification_count"] = task["verification_count"] or 1
        row["hash64"] = stored_hash(task)
        rows.append(row)
    return orjson.dumps(rows).decode()


def _tell(tx: Transaction, stored: Mapping[int, int]) -> None:
    for project, count in stored.items():
        if count:
            task_events.tasks_submitted(tx, project, count)
