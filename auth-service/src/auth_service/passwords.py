"""Password hashes: argon2id, never computed in the event loop, and never more at a time than there are cores."""

import hashlib
import hmac
import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

import gevent
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from gevent import monkey

T = TypeVar("T")

# OWASP's first choice for argon2id, 30 ms on a core of 2020; PasswordHasher writes them into each hash.
MEMORY_KIB = 19_456
PASSES = 2
LANES = 1

KNOWN_SECONDS = 60.0
KNOWN_CAPACITY = 10_000


class Passwords:
    """Makes and checks hashes."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._nobody = self._hasher.hash(secrets.token_hex(16))
        self._known = KnownPasswords(clock)
        self.turn = threading.BoundedSemaphore(max(1, os.cpu_count() or 1))

    def hash(self, password: str) -> str:
        """Return the hash of a new password, with parameters and salt."""
        with self.turn:
            return _aside(self._hasher.hash, password)

    def verify(self, stored: str | None, password: str) -> bool:
        """Return whether this is the password; without a stored hash it takes as long and is not.

        The caller holds ``turn``.
        """
        good = _aside(self._matches, stored or self._nobody, password)
        if good and stored:
            self._known.add(stored, password)
        return good and stored is not None

    def recently_verified(self, stored: str | None, password: str) -> bool:
        """Return whether just this was verified in the last minute, so that HTTP Basic costs one hash a minute."""
        return stored is not None and self._known.has(stored, password)

    def outdated(self, stored: str) -> bool:
        """Return whether the hash was made with other parameters than a new one would be."""
        return self._hasher.check_needs_rehash(stored)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


class KnownPasswords:
    """Verified pairs of hash and password, as a keyed digest whose key dies with the process.

    A changed password has another hash, so that what was known of the old one is of no use.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._key = secrets.token_bytes(32)
        self._clock = clock
        self._until: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, stored: str, password: str) -> None:
        """Remember a pair for a minute."""
        with self._lock:
            self._until[self._digest(stored, password)] = self._clock() + KNOWN_SECONDS
            if len(self._until) > KNOWN_CAPACITY:
                self._until.popitem(last=False)

    def has(self, stored: str, password: str) -> bool:
        """Return whether the pair was remembered in the last minute."""
        return self._until.get(self._digest(stored, password), 0.0) > self._clock()

    def _digest(self, stored: str, password: str) -> bytes:
        return hmac.digest(self._key, f"{stored}\0{password}".encode(), hashlib.sha256)


def _aside(work: Callable[..., T], *arguments: str) -> T:
    """Run in a real thread when this process is an event loop, so that a login does not hold up the others."""
    if monkey.is_module_patched("threading"):
        return gevent.get_hub().threadpool.apply(work, arguments)  # type: ignore[no-any-return]
    return work(*arguments)
