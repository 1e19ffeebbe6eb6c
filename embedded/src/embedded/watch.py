"""Brings warnings and errors from the logs of the processes to the console, and keeps the logs from growing."""

import json
import threading
from pathlib import Path

from embedded.logfiles import LARGEST, shorten
from embedded.supervisor import Report

_LEVELS = {"warning", "error", "critical"}
_NOT_SHOWN = {"level", "event", "timestamp", "service", "where"}
_AT_ONCE = 3


class LogWatch:
    """Reads what is added to `directory`/*.log, once a second, and shortens those of more than `largest` bytes."""

    def __init__(self, directory: Path, report: Report, largest: int = LARGEST) -> None:
        self._directory = directory
        self._report = report
        self._largest = largest
        self._read: dict[Path, int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-watch", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Look a last time and end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(1):
            self.look()
        self.look()

    def look(self) -> None:
        """Report what came since the last look, a few lines per log."""
        for log in sorted(self._directory.glob("*.log")):
            found = [line for line in map(warning, self._new_lines(log)) if line]
            for line in found[:_AT_ONCE]:
                self._report(f"{log.stem}: {line}")
            if len(found) > _AT_ONCE:
                self._report(f"{log.stem}: {len(found) - _AT_ONCE} more in {log}")
            if shorten(log, self._largest):
                self._read[log] = 0

    def _new_lines(self, log: Path) -> list[bytes]:
        start = self._read.get(log, 0)
        with log.open("rb") as file:
            file.seek(start)
            complete = file.read().rpartition(b"\n")[0]
        self._read[log] = start + len(complete) + 1 if complete else start
        return complete.splitlines()


def warning(line: bytes) -> str | None:
    """A log line in short if it is a warning or worse, otherwise None."""
    if not line.startswith(b"{"):
        return None
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    if entry.get("level") not in _LEVELS:
        return None
    facts = " ".join(f"{key}={value}" for key, value in entry.items() if key not in _NOT_SHOWN)
    return f"{entry['level']} {entry.get('event', '')} {facts}".strip()[:200]
