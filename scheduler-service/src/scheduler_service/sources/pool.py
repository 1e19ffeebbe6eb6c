"""Carries out executions in threads of this process, and holds their leases meanwhile."""

import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import monotonic
from typing import Any

import structlog

from chassis.errors import ApiError
from scheduler_service import executions
from scheduler_service.sources.hold import Hold
from scheduler_service.sources.leases import Leases
from scheduler_service.sources.work import GivenUp, Outcome, Runner, Work
from scheduler_service.turns import Turns

log = structlog.get_logger()

RENEWALS = 6
"""Renewals in the time of one lease; also how often to look for work that nobody has told of."""

CUT_SECONDS = 3.0
"""How long before the end of its grace time a process stops what still runs."""

STORE_TRIES = 30
MOST_REMEMBERED = 10_000


class Pool(Turns):
    """Takes what its runners can carry out, as many as it has threads, of one project at most ``share``.

    Of the projects that wait, the one goes first that was served the longest ago.
    """

    def __init__(self, leases: Leases, runners: Mapping[str, Runner], threads: int) -> None:
        super().__init__("runners", self.turn)
        self._leases = leases
        self._runners = runners
        self._size = threads
        self._share = max(1, threads // 4)
        self._threads = ThreadPoolExecutor(threads, "runner")
        self._lock = threading.Lock()
        self._held: dict[str, Hold] = {}
        self._served: dict[str, None] = {}

    def turn(self) -> float:
        """Renew the leases, take what there is room for, and return the seconds until the next renewal."""
        self._renew()
        while len(self._held) < self._size and not self.stopping.is_set() and self._take():
            pass
        return self._leases.seconds / RENEWALS

    def stop(self, timeout: float) -> None:
        """Take nothing more, let what runs finish, and hand back what does not within ``timeout`` seconds."""
        deadline = monotonic() + timeout
        super().stop(timeout / 2)
        ended = threading.Thread(target=self._threads.shutdown, name="runners-end", daemon=True)
        ended.start()
        while ended.is_alive() and (left := deadline - CUT_SECONDS - monotonic()) > 0:
            with suppress(ApiError):
                self._renew()
            ended.join(min(left, self._leases.seconds / RENEWALS))
        for hold in self._holds().values():
            hold.cut()
        ended.join(max(0.1, deadline - monotonic()))

    def _renew(self) -> None:
        holds, asked = self._holds(), monotonic()
        still = self._leases.renew(holds)
        for execution_id, hold in holds.items():
            if execution_id in still:
                hold.renew(self._leases.seconds, asked)
            else:
                hold.cut()

    def _take(self) -> bool:
        for project in self._next_projects():
            asked = monotonic()
            if (row := self._leases.take(self._runners, project)) is None:
                continue
            hold = Hold(row["lease_token"], project, self.stopping, self._leases.seconds, asked)
            with self._lock:
                self._held[str(row["id"])] = hold
            self._serve(project)
            self._threads.submit(self._work, row, hold)
            return True
        return False

    def _next_projects(self) -> list[str]:
        """Return the projects that wait and have less than their share here, in their order of service."""
        busy = Counter(hold.project for hold in self._holds().values())
        order = {project: number for number, project in enumerate(self._served)}
        waiting = [project for project in self._leases.waiting(list(self._runners)) if busy[project] < self._share]
        return sorted(waiting, key=lambda project: (busy[project], order.get(project, -1)))

    def _serve(self, project: str) -> None:
        self._served.pop(project, None)
        self._served[project] = None
        if len(self._served) > MOST_REMEMBERED:
            del self._served[next(iter(self._served))]

    def _work(self, row: Mapping[str, Any], hold: Hold) -> None:
        execution_id = str(row["id"])
        try:
            self._store(row, hold, self._outcome(row, hold))
        except GivenUp:
            self._hand_back(execution_id, hold)
        finally:
            with self._lock:
                del self._held[execution_id]
            self.ring()

    def _outcome(self, row: Mapping[str, Any], hold: Hold) -> Outcome:
        try:
            return self._runners[row["source"]].run(Work.of_row(row), hold)
        except GivenUp:
            raise
        except ApiError as refusal:
            return Outcome("failed", refusal.message, 0.0)
        except Exception:
            log.exception("runner_failed", execution_id=str(row["id"]))
            return Outcome("error", executions.LOST)

    def _store(self, row: Mapping[str, Any], hold: Hold, outcome: Outcome) -> None:
        """Write down how it ended, as soon as there is a database to write to."""
        text = executions.result(outcome.output, outcome.duration)
        logs = outcome.logs and outcome.logs.replace("\x00", "\\x00")
        for _ in range(STORE_TRIES):
            with suppress(ApiError):
                with self._leases.database.transaction() as tx:
                    stored = executions.finish(tx, row["id"], outcome.status, text, logs, hold.token)
                if not stored:
                    log.warning("outcome_refused", execution_id=str(row["id"]))
                return
            self.stopping.wait(1.0)
        log.error("outcome_not_stored", execution_id=str(row["id"]))

    def _hand_back(self, execution_id: str, hold: Hold) -> None:
        log.warning("execution_given_up", execution_id=execution_id)
        with suppress(ApiError):  # otherwise the end of its lease brings the same about
            self._leases.hand_back(execution_id, hold.token)

    def _holds(self) -> dict[str, Hold]:
        with self._lock:
            return dict(self._held)
