"""Measures how a running Taskyard fires many jobs that are all due in the same second."""

import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

AT_ONCE = 16
CREATED_PER_SECOND = 60
"""The least that is expected of a slow machine: the jobs must all be there before they are due."""
PATIENCE = timedelta(minutes=5)


@dataclass(frozen=True)
class Firing:
    """What became of the jobs; lateness in milliseconds, sorted."""

    jobs: int
    early: int
    twice: int
    lost: int
    lateness: list[float]

    def at(self, share: float) -> float:
        """Return the lateness that this share of the jobs does not exceed."""
        return self.lateness[min(len(self.lateness) - 1, int(share * len(self.lateness)))]

    @property
    def seconds(self) -> float:
        """Return the time from the first firing to the last: they were all planned for one moment."""
        return (self.lateness[-1] - self.lateness[0]) / 1000


class Scheduler:
    """The scheduler behind the gate at ``url``; logs in as ``TASKYARD_BENCH_ACCOUNT`` like the other scenarios."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        name, _, password = os.environ.get("TASKYARD_BENCH_ACCOUNT", "bench:bench-account").partition(":")
        self._account = {"username": name, "password": password}
        self._session = requests.Session()
        self._session.mount(self._url, requests.adapters.HTTPAdapter(pool_maxsize=AT_ONCE))
        self._renewed = 0.0

    def call(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """Make a request and return the parsed answer."""
        if time.monotonic() - self._renewed > 300:
            self._renewed = time.monotonic()
            answer = self._session.post(f"{self._url}/auth/token", json=self._account, timeout=60)
            self._session.headers["X-Auth-Token"] = answer.json()["access_token"]
        answer = self._session.request(method, f"{self._url}/v1{path}", json=body, params=query, timeout=120)
        if not answer.ok:
            raise SystemExit(f"{path}: {answer.status_code} {answer.text[:300]}")
        return answer.json() if answer.content else None


def fire(scheduler: Scheduler, count: int) -> Firing:
    """Create so many jobs for one minute to come, wait for it, and look at what they did."""
    code = {"source": "poller", "user": "bench", "config": {}}
    function = scheduler.call("POST", "/functions", {"name": "bench", "code": code})["id"]
    due = _minute_after(datetime.now(UTC) + timedelta(seconds=60 + count / CREATED_PER_SECOND))
    job = {"function_id": function, "pattern": f"{due.minute} {due.hour} {due.day} {due.month} *", "count": 1}
    with ThreadPoolExecutor(AT_ONCE) as threads:
        jobs = [made["id"] for made in threads.map(lambda _: scheduler.call("POST", "/jobs", job), range(count))]
        if datetime.now(UTC) >= due:
            raise SystemExit("This machine is too slow: the jobs were due before all of them were there.")
        _wait_until_done(scheduler, function, due, count)
        runs = list(threads.map(lambda id_: scheduler.call("GET", f"/jobs/{id_}/runs")["runs"], jobs))
        list(threads.map(lambda id_: scheduler.call("DELETE", f"/jobs/{id_}"), jobs))
    return _judged(runs)


def _minute_after(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0) + timedelta(minutes=1)


def _wait_until_done(scheduler: Scheduler, function: str, due: datetime, count: int) -> None:
    # Nobody asks while they fire: that would be measured too.
    time.sleep((due - datetime.now(UTC)).total_seconds() + 20)
    while datetime.now(UTC) < due + PATIENCE:
        left = scheduler.call("GET", "/jobs", function_id=function, status="running")["jobs"]
        if not left:
            return
        time.sleep(5)


def _judged(runs: list[list[dict[str, Any]]]) -> Firing:
    times = Counter(len(of_job) for of_job in runs)
    lateness = sorted(run["lateness"] * 1000 for of_job in runs for run in of_job)
    return Firing(
        jobs=len(runs),
        early=sum(late < 0 for late in lateness),
        twice=sum(number for found, number in times.items() if found > 1),
        lost=times[0],
        lateness=lateness or [0.0],
    )
