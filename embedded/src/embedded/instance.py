"""One running house per data directory, and what is known about it."""

import contextlib
import fcntl
import json
import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import psutil


class AlreadyRunning(Exception):
    """Another house runs on the data directory."""


class Instance:
    """The lock of a data directory, and the file in which the running house says what it consists of."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._state = directory / "processes.json"
        self._environments = directory / "secrets" / "environments.json"
        self._lock: IO[str] | None = None
        self._writing = threading.Lock()

    def acquire(self) -> None:
        """Take the data directory for this process, or raise `AlreadyRunning`."""
        lock = (self._directory / "lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise AlreadyRunning(
                f"Taskyard already runs on {self._directory} (process {self.state().get('pid', '?')}). "
                "TASKYARD_DATA=<another directory> and TASKYARD_PORT=<another port> start a second one."
            ) from None
        self._lock = lock

    def release(self) -> None:
        """Forget the processes and give the directory free."""
        if self._lock is not None:
            self._state.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def state(self) -> dict[str, Any]:
        """What the house on this directory wrote last: `pid`, `url`, `processes`; empty when it was stopped."""
        try:
            state: dict[str, Any] = json.loads(self._state.read_text())
        except (OSError, ValueError):
            return {}
        return state

    def remember(self, url: str, processes: Mapping[str, int]) -> None:
        """Write down what runs, for `status` and for the next start after a crash."""
        with self._writing:  # every process is started by a thread of its own
            births = {name: [pid, _birth(pid)] for name, pid in processes.items()}
            text = json.dumps({"pid": os.getpid(), "url": url, "processes": births}, indent=1)
            (unfinished := self._state.with_suffix(".new")).write_text(text)
            unfinished.rename(self._state)

    def publish(self, environments: Mapping[str, Mapping[str, str]]) -> None:
        """Write down, for the owner alone, what each service's processes have in their environment."""
        with os.fdopen(os.open(self._environments, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(environments, file)

    def environment(self, service: str) -> dict[str, str]:
        """What the house that runs has published of a service; raise KeyError when it has no such service."""
        found: dict[str, str] = json.loads(self._environments.read_text())[service]
        return found

    def clear_orphans(self, grace: float) -> None:
        """Wait up to `grace` seconds for what a killed house has left on this directory, then kill it.

        PostgreSQL is not among it: `Cluster.clear_stale` stops that without the recovery a kill would cost.
        """
        known = self.state().get("processes", {})
        orphans = [psutil.Process(pid) for pid, birth in known.values() if birth and _birth(pid) == birth]
        for orphan in psutil.wait_procs(orphans, timeout=grace)[1]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(orphan.pid, signal.SIGKILL)

    def running(self) -> psutil.Process | None:
        """The process that holds the lock, if there is one."""
        try:
            self.acquire()
        except AlreadyRunning:
            return psutil.Process(self.state()["pid"]) if self.state() else None
        assert self._lock is not None
        self._lock.close()
        self._lock = None
        return None


def _birth(pid: int) -> float | None:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None
