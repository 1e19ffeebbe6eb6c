"""Carries out executions in threads of this process, and holds their leases meanwhile."""

import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import structlog

from chassis.database import Database
from chassis.errors import ApiError
from chassis.queries import Queries
from scheduler_service import executions
from scheduler_service.sources.work import Outcome, Runner, Work
from scheduler_service.turns import Turns

log = structlog.get_logger()
sql = Queries.beside(__file__, "sources.sql")

LEASE_SECONDS = 60.0
TURN_SECONDS = 10.0
STORE_TRIES = 30


class Pool(Turns):
    """Takes what its runners can carry out, as many as it has threads, of one project at most ``share``."""

    def __init__(self, database: Database, runners: Mapping[str, Runner], threads: int) -> None:
        super().__init__("runners", self.turn)
        self._database = database
        self._runners = runners
        self._size = threads
        self._share = max(1, threads // 4)
        self._threads = ThreadPoolExecutor(threads, "runner")
        self._lock = threading.Lock()
        self._taken: dict[str, str] = {}

    def turn(self) -> float:
        """Renew the leases, take what there is room for, and return the seconds until the next renewal."""
        if ids := list(self._taken):
            self._database.execute(executions.sql.renew_leases, {"ids": ids, "seconds": LEASE_SECONDS})
        while len(self._taken) < self._size and not self.stopping.is_set() and self._take():
            pass
        return TURN_SECONDS

    def stop(self, timeout: float) -> None:
        """Take nothing more and let what runs finish; the lease of what does not is left to run out."""
        super().stop(timeout / 2)
        waiter = threading.Thread(target=self._threads.shutdown, name="runners-end", daemon=True)
        waiter.start()
        waiter.join(timeout / 2)

    def _take(self) -> bool:
        with self._lock:
            projects = Counter(self._taken.values())
        busy = [project for project, count in projects.items() if count >= self._share]
        wanted = {"sources": list(self._runners), "busy": busy, "seconds": LEASE_SECONDS}
        row = self._database.one(sql.take_one, wanted)
        if row is None:
            return False
        with self._lock:
            self._taken[str(row["id"])] = row["project_id"]
        self._threads.submit(self._work, row)
        return True

    def _work(self, row: Mapping[str, Any]) -> None:
        try:
            self._store(row, self._outcome(row))
        finally:
            with self._lock:
                del self._taken[str(row["id"])]
            self.ring()

    def _outcome(self, row: Mapping[str, Any]) -> Outcome:
        try:
            return self._runners[row["source"]].run(Work.of_row(row), self.stopping)
        except ApiError as refusal:
            return Outcome("failed", refusal.message, 0.0)
        except Exception:
            log.exception("runner_failed", execution_id=str(row["id"]))
            return Outcome("error", executions.LOST)

    def _store(self, row: Mapping[str, Any], outcome: Outcome) -> None:
        """Write down how it ended, as soon as there is a database to write to."""
        text = executions.result(outcome.output, outcome.duration)
        logs = outcome.logs and outcome.logs.replace("\x00", "\\x00")
        for _ in range(STORE_TRIES):
            with suppress(ApiError):
                with self._database.transaction() as tx:
                    executions.finish(tx, row["id"], outcome.status, text, logs)
                return
            self.stopping.wait(1.0)
        log.error("outcome_not_stored", execution_id=str(row["id"]))
