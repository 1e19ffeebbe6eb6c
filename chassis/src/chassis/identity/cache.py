"""Worker credentials that auth-service has confirmed, kept for a moment so that hot requests need no extra hop."""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from chassis.identity.credentials import WorkerSecret
from chassis.identity.principal import Principal

CAPACITY = 200_000


class WorkerCache:
    """Bounded, with expiry; holds a hash of the credential, never the secret itself."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic, capacity: int = CAPACITY) -> None:
        self._seconds = seconds
        self._clock = clock
        self._capacity = capacity
        self._entries: OrderedDict[int, tuple[bytes, float, Principal]] = OrderedDict()
        self._lock = threading.Lock()
        self.generation = 0

    def get(self, credential: WorkerSecret) -> Principal | None:
        """Return the worker of this very credential when it was confirmed less than ``seconds`` ago."""
        entry = self._entries.get(credential.worker_id)
        if entry is None or entry[0] != _digest(credential) or entry[1] < self._clock():
            return None
        return entry[2]

    def put(self, credential: WorkerSecret, principal: Principal, asked: int) -> None:
        """Remember a credential that was confirmed; the oldest entry goes when the cache is full.

        ``asked`` is the :attr:`generation` at the time of the question: what was dropped meanwhile stays dropped,
        because the answer may be older than the change.
        """
        with self._lock:
            if asked != self.generation:
                return
            self._entries[credential.worker_id] = (_digest(credential), self._clock() + self._seconds, principal)
            self._entries.move_to_end(credential.worker_id)
            if len(self._entries) > self._capacity:
                self._entries.popitem(last=False)

    def drop(self, worker_id: int) -> None:
        """Forget a worker whose record or secret has changed."""
        with self._lock:
            self.generation += 1
            self._entries.pop(worker_id, None)

    def clear(self) -> None:
        """Forget every worker, when notices of changes may have been missed."""
        with self._lock:
            self.generation += 1
            self._entries.clear()


def _digest(credential: WorkerSecret) -> bytes:
    return hashlib.sha256(credential.secret.encode("utf-8", "surrogateescape")).digest()
