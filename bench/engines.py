"""Measures the engines in a house of its own: many jobs at once, jobs all the time, and jobs that only wait.

The jobs are written into the database: no client could plan ten thousand for the same second soon enough.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from chassis.testing.waiting import eventually
from embedded import postgres
from embedded.house import House
from embedded.ports import free_port
from embedded.probe import answers

IDLE_SECONDS = 60.0
START_SECONDS = 120.0
END_SECONDS = 900.0

FUNCTION = """
INSERT INTO function (id, project_id, source, code, cpu, memory_size, timeout)
VALUES (gen_random_uuid(), 'bench', 'poller', '{"source": "poller", "user": "bench", "config": {}}', 100, 33554432, 5)
RETURNING id
"""
JOBS = """
INSERT INTO job (id, project_id, owner_kind, owner_id, name, function_id, count, first_execution_time,
    next_execution_time, due_at)
SELECT gen_random_uuid(), 'bench', 'account', 1, %(name)s, %(function)s, 1, moment, moment, moment
FROM generate_series(0, %(count)s - 1) AS number,
    LATERAL (SELECT date_trunc('second', now()) + make_interval(
        secs => %(ahead)s + floor(number * %(over)s::float8 / %(count)s)) AS moment)
"""
RING = "SELECT pg_notify('scheduler_due', extract(epoch FROM min(due_at))::text) FROM job WHERE status = 'running'"
LEFT = "SELECT count(*) FROM job WHERE name = %(name)s AND status = 'running'"
OPEN = "SELECT count(*) FROM execution WHERE status = 'running'"
LATENESS = """
SELECT job.id, 1000 * extract(epoch FROM execution.created_at - planned_time)::float8
FROM job LEFT JOIN execution ON execution.job_id = job.id WHERE job.name = %(name)s
"""
ENDED = """
SELECT extract(epoch FROM max(execution.updated_at) - min(planned_time))::float8
FROM execution JOIN job ON job.id = job_id WHERE job.name = %(name)s
"""


@dataclass(frozen=True)
class Fired:
    """What became of some jobs; lateness in milliseconds, sorted."""

    jobs: int
    lost: int
    twice: int
    lateness: list[float]
    ended: float
    """Seconds from the planned time to the end of the last execution, its command's answer included."""

    def __str__(self) -> str:
        late = self.lateness
        p50, p99 = (late[min(len(late) - 1, int(share * len(late)))] for share in (0.5, 0.99))
        return (
            f"{self.jobs} jobs: {sum(value < 0 for value in late)} early, {self.twice} twice, {self.lost} lost; "
            f"lateness p50 {p50:.0f} ms, p99 {p99:.0f} ms, last {late[-1]:.0f} ms; all ended after {self.ended:.1f} s"
        )


class Engines:
    """So many engines on a house of their own."""

    def __init__(self, house: House, others: list[psutil.Process]) -> None:
        self._workers = [psutil.Process(house.processes["scheduler-worker"]), *others]
        self._postgres = psutil.Process(house.processes["postgres"])
        self._dsn = house.env("scheduler")["TASKYARD_DATABASE_URL"]
        [[self._function]] = self._rows(FUNCTION)

    def fire(self, name: str, count: int, *, ahead: float, over: float = 0.0) -> Fired:
        """Let so many jobs be due in ``ahead`` seconds, spread over some more, and look at what they did."""
        wanted = {"name": name, "function": self._function, "count": count, "ahead": ahead, "over": over}
        self._rows(JOBS, **wanted)
        self._rows("ANALYZE job")
        self._rows(RING)
        time.sleep(ahead + over)  # nobody asks while they fire: that would be measured too
        eventually(lambda: self._rows(LEFT, name=name) == [(0,)], END_SECONDS)
        eventually(lambda: time.sleep(0.5) or self._rows(OPEN) == [(0,)], END_SECONDS)
        found = self._rows(LATENESS, name=name)
        late = sorted(value for _, value in found if value is not None)
        [[ended]] = self._rows(ENDED, name=name)
        jobs = len({job for job, _ in found})
        return Fired(count, sum(value is None for _, value in found), len(found) - jobs, late, ended)

    def idle(self, count: int) -> tuple[float, float]:
        """Return the share of a processor that engines and PostgreSQL take without, and with, ``count`` idle jobs."""
        without = self._share()
        wanted = {"name": "idle", "function": self._function, "count": count, "ahead": 30 * 86_400, "over": 86_400}
        self._rows(JOBS, **wanted)
        self._rows("VACUUM ANALYZE job")
        time.sleep(IDLE_SECONDS / 4)
        return without, self._share()

    def _share(self) -> float:
        begun, before = time.monotonic(), self._used()
        time.sleep(IDLE_SECONDS)
        return (self._used() - before) / (time.monotonic() - begun)

    def _used(self) -> float:
        """Return the seconds of processor time of all engines' processes and of their connections."""
        mine = [child for child in self._postgres.children(recursive=True) if "taskyard_scheduler" in _title(child)]
        times = [process.cpu_times() for process in (*self._workers, *mine)]
        return sum(used.user + used.system for used in times)

    def _rows(self, query: str, **parameters: Any) -> list[Any]:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            cursor = connection.execute(query, parameters or None)
            return cursor.fetchall() if cursor.description else []


def _title(process: psutil.Process) -> str:
    return " ".join(process.cmdline())


@contextmanager
def engines(count: int) -> Iterator[Engines]:
    """Start a house with so many processes that fire jobs."""
    with _directory() as directory, House(directory / "house", start_timeout=START_SECONDS) as house:
        others = []
        try:
            for _ in range(count - 1):
                others.append(_worker(house))
            yield Engines(house, others)
        finally:
            for process in others:
                process.terminate()
            psutil.wait_procs(others, 20)


@contextmanager
def _directory() -> Iterator[Path]:
    """Give a directory that PostgreSQL's own account can reach when root measures."""
    directory = Path(tempfile.mkdtemp(prefix="taskyard-bench-"))
    postgres.own(directory)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def _worker(house: House) -> psutil.Process:
    port = free_port()
    environment = {**os.environ, **house.env("scheduler"), "TASKYARD_PORT": str(port)}
    log = (house.logs / "scheduler-worker-more.log").open("ab")
    words = [sys.executable, "-m", "scheduler_service", "worker"]
    process = psutil.Popen(words, env=environment, stdout=log, stderr=log)
    eventually(lambda: answers(port, "/readyz"), START_SECONDS)
    return process


def main(jobs: int, count: int, rounds: int) -> None:
    """Measure, and print a line for each figure."""
    with engines(count) as made:
        sys.stdout.write(f"{count} engines\n")
        without, share = made.idle(100_000)
        sys.stdout.write(f"100,000 idle jobs: {100 * share:.2f} % of a processor, without them {100 * without:.2f} %\n")
        sys.stdout.flush()
        for number in range(rounds):
            sys.stdout.write(f"in one second, {made.fire(f'few {number}', 500, ahead=5)}\n")
            sys.stdout.write(f"in a minute, {made.fire(f'spread {number}', 500, ahead=5, over=60)}\n")
            sys.stdout.write(f"in one second, {made.fire(f'many {number}', jobs, ahead=10)}\n")
            sys.stdout.flush()
