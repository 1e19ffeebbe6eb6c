"""Keeps programs running.

Written for this house because honcho, circus' little brother that fits otherwise, ends every process as soon as one
of them ends, and puts a Python process beside each; supervisor and circus bring daemons, configuration files and
sockets of their own.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from embedded.forks import UNSEEN
from embedded.logfiles import last_words, rotate

Report = Callable[[str], None]

FIRST_DELAY, LONGEST_DELAY = 0.2, 10.0  # seconds between a crash and the next start
SETTLED = 30.0  # seconds after which a program counts as running well again


class NotReady(Exception):
    """A program did not get ready."""


class Process(Protocol):
    """What runs: a child (`subprocess.Popen`), or what looks like one."""

    pid: int
    returncode: int | None

    def send_signal(self, number: signal.Signals, /) -> None:
        """Send a signal, if it still runs."""

    def wait(self) -> int:
        """Return the exit code, negative for a signal, when it has ended."""


@dataclass(frozen=True)
class Program:
    """How to start, ask and stop one program. `grace` is in seconds."""

    name: str
    start: Callable[[IO[bytes]], Process]
    ready: Callable[[], bool]
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0
    finish: Callable[[], None] = lambda: None  # lets it end its work before the signal


class Supervised:
    """Runs one program and starts it again when it ends, until told to stop."""

    def __init__(self, program: Program, log: Path, report: Report, started: Callable[[], None] = lambda: None) -> None:
        self.program = program
        self.log = log
        self._report = report
        self._started = started
        self._stopping = threading.Event()
        self._process: Process | None = None
        self._thread: threading.Thread | None = None
        rotate(log)

    @property
    def pid(self) -> int | None:
        """Process id, None while the program does not run."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def start(self) -> None:
        """Begin to run the program; returns at once."""
        self._stopping.clear()
        # The kernel tells a child of the end of the *thread* that started it: this one lives as long as the child.
        self._thread = threading.Thread(target=self._run, name=f"supervised-{self.program.name}", daemon=True)
        self._thread.start()

    def wait_ready(self, deadline: float) -> None:
        """Return when the program is ready; `NotReady` with its last words when `deadline` (monotonic) passes."""
        while not self._stopping.is_set():
            if self.pid is not None and self.program.ready():
                return
            if time.monotonic() > deadline or self._thread is None or not self._thread.is_alive():
                break
            time.sleep(0.05)
        raise NotReady(f"{self.program.name} did not get ready. Its last words:\n{last_words(self.log)}")

    def signal(self, number: signal.Signals) -> None:
        """Send the program a signal, if it runs."""
        process = self._process
        if process is not None:
            process.send_signal(number)

    def kill(self) -> None:
        """Kill the program; returns when its successor has begun, so that nobody takes the one for the other."""
        victim = self._process
        self.signal(signal.SIGKILL)
        while self._process is victim and not self._stopping.is_set():
            time.sleep(0.02)

    def stop(self) -> None:
        """Ask the program to stop; after its grace time kill it and all it started."""
        self._stopping.set()
        if self.pid is not None:
            self.program.finish()
        self.signal(self.program.stop_signal)
        if self._thread is not None:
            self._thread.join(self.program.grace)
            if self._thread.is_alive():
                self._report(f"{self.program.name} did not stop within {self.program.grace:g} s and is killed")
                self.signal(signal.SIGKILL)
                self._thread.join()

    def _run(self) -> None:
        delay = FIRST_DELAY
        while not self._stopping.is_set():
            begun = time.monotonic()
            code = self._run_once()
            if self._stopping.is_set() or code == os.EX_CONFIG:  # another try would not change its settings
                return
            delay = FIRST_DELAY if time.monotonic() - begun > SETTLED else delay
            self._report(f"{self.program.name} ended ({describe(code)}); it starts again in {delay:g} s")
            self._stopping.wait(delay)
            delay = min(2 * delay, LONGEST_DELAY)

    def _run_once(self) -> int:
        with self.log.open("ab") as output:
            self._process = process = self.program.start(output)
        self._started()
        if self._stopping.is_set():  # told while it was starting
            process.send_signal(self.program.stop_signal)
        code = process.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # what it left running
        return code


def describe(code: int) -> str:
    """Say how a process ended."""
    if code == UNSEEN:
        return "nobody saw how"
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def stop_together(parts: list[Supervised]) -> None:
    """Stop several programs at the same time; returns when all are gone."""
    threads = [threading.Thread(target=part.stop) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
