"""What workers report: stored in the background, read back by level (spec: tracker 4.5, 7)."""

import threading
import time
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import orjson
import structlog

from chassis.database import Database
from chassis.errors import ApiError, Unavailable
from chassis.queries import Queries

sql = Queries.beside(__file__)
log = structlog.get_logger()

LEVELS = {"fatal": 1, "panic": 2, "error": 3, "warn": 4, "info": 5, "debug": 6, "trace": 7}
MAX_TIME = 2**31 - 1
CAPACITY = 20_000
BATCH = 1_000
FLUSH_SECONDS = 0.3
MOST_SHOWN = 1_000
PRUNE_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One report of a worker; ``timestamp`` is the worker's own, in Unix seconds."""

    level: str
    worker: int
    scope: str
    message: str
    timestamp: int

    def row(self) -> dict[str, Any]:
        """Return the entry as it is stored; ``data`` is always a JSON text, which the web page parses."""
        return {
            "level": LEVELS[self.level],
            "message": self.message,
            "data": orjson.dumps({"scope": self.scope, "worker": self.worker}).decode(),
            "logged_at": self.timestamp,
        }


class LogWriter:
    """Stores entries in batches, some tenths of a second after they came.

    What waits is stored by :meth:`stop`. While the database is away entries wait; when too many do, new ones are
    refused with 503.
    """

    def __init__(self, database: Database, levels: Collection[str], capacity: int = CAPACITY) -> None:
        self._database = database
        self._levels = frozenset(levels)
        self._capacity = capacity
        self._waiting: deque[LogEntry] = deque()
        self._stopping = threading.Event()
        self._flushing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)

    def add(self, entry: LogEntry) -> None:
        """Write the entry to the process's log, and keep it for storage when its level is stored."""
        log.log(
            _severity(entry.level),
            "worker_log",
            worker_level=entry.level,
            worker=entry.worker,
            scope=entry.scope,
            message=entry.message,
            reported_at=entry.timestamp,
        )
        if entry.level not in self._levels or entry.timestamp > MAX_TIME:
            return
        if len(self._waiting) >= self._capacity:
            raise Unavailable("log storage")
        self._waiting.append(entry)

    def start(self) -> None:
        """Begin to store; returns at once."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Store what waits; gives up after ``timeout`` seconds."""
        self._stopping.set()
        deadline = time.monotonic() + timeout
        if self._thread.is_alive():
            self._thread.join(timeout)
        while self._waiting and time.monotonic() < deadline and not self._flushed():
            time.sleep(0.1)

    def flush(self) -> None:
        """Store what waits; raises ``Unavailable`` and loses nothing when the database is away."""
        with self._flushing:
            while batch := [self._waiting[index] for index in range(min(BATCH, len(self._waiting)))]:
                with self._database.transaction() as tx:
                    tx.many(sql.insert_log_entry, [entry.row() for entry in batch])
                for _ in batch:
                    self._waiting.popleft()

    def _run(self) -> None:
        while not self._stopping.wait(FLUSH_SECONDS):
            self._flushed()

    def _flushed(self) -> bool:
        try:
            self.flush()
        except ApiError as error:
            log.warning("log_entries_wait", waiting=len(self._waiting), reason=error.message)
            return False
        except Exception:
            log.exception("log_entries_not_stored", waiting=len(self._waiting))
            return False
        return True


def newest(db: Database, level: int, since: int) -> list[dict[str, Any]]:
    """Return entries of exactly ``level`` that are younger than ``since`` (Unix seconds), newest first."""
    return db.all(sql.newest_log_entries, {"level": level, "since": min(since, MAX_TIME), "limit": MOST_SHOWN})


def prune(db: Database, seconds: float) -> int:
    """Delete entries that were stored more than ``seconds`` ago and return how many."""
    deleted = 0
    while piece := db.execute(sql.prune_log_entries, {"seconds": seconds, "limit": PRUNE_BATCH}):
        deleted += piece
    return deleted


def _severity(level: str) -> int:
    return {"trace": 10, "info": 20, "warn": 30, "error": 40}[level]
