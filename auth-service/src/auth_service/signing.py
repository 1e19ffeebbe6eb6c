"""The key pairs that sign access tokens: Ed25519, private parts encrypted at rest, replaced by age."""

import base64
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auth_service.settings import MAX_TOKEN_SECONDS
from auth_service.sql import sql
from auth_service.vault import Vault
from chassis.database import Database, Transaction
from chassis.errors import Unavailable

log = structlog.get_logger()

# Every process sees a new key before the first token is signed with it, and an old one until the last has ended.
RELOAD_SECONDS = 5.0
PUBLISHED_SECONDS = 60.0
KEPT_SECONDS = PUBLISHED_SECONDS + MAX_TOKEN_SECONDS + 60.0


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One published key; ``private`` is ``None`` when this process cannot or must not sign with it."""

    kid: str
    public: bytes
    private: Ed25519PrivateKey | None

    def jwk(self) -> dict[str, str]:
        """Return the public part as a JSON Web Key (RFC 8037)."""
        x = base64.urlsafe_b64encode(self.public).rstrip(b"=").decode()
        return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.kid, "alg": "EdDSA", "use": "sig"}


class SigningKeys:
    """The keys of the database, looked at again every few seconds."""

    def __init__(self, database: Database, vault: Vault, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: list[SigningKey] = []
        self._loaded = float("-inf")

    def signer(self) -> tuple[str, Ed25519PrivateKey]:
        """Return id and private part of the key that signs now; makes one when there is none."""
        keys = self._current()
        found = next(((key.kid, key.private) for key in keys if key.private), None)
        return found or self._first()

    def public(self) -> list[dict[str, Any]]:
        """Return every published key as a JSON Web Key."""
        keys = self._current()
        if not keys:
            self._first()
            keys = self._current()
        return [key.jwk() for key in keys]

    def rotate(self, delay: float = PUBLISHED_SECONDS) -> str:
        """Make a key that signs after ``delay`` seconds and return its id; older ones only verify from then on."""
        with self._database.transaction() as tx:
            tx.execute(sql.lock_signing_keys)
            kid = self._insert(tx, delay)
            tx.execute(sql.retire_signing_keys, {"kid": kid, "seconds": KEPT_SECONDS})
        self._loaded = float("-inf")
        return kid

    def rotate_when_older(self, seconds: float) -> None:
        """Make a new key when the newest is older than this; delete keys whose last token has ended."""
        age = self._database.value(sql.signing_key_age)
        if age is not None and age > seconds:
            self.rotate()
        self._database.execute(sql.prune_signing_keys)

    def _current(self) -> list[SigningKey]:
        if self._is_old():
            with self._lock:
                if self._is_old():
                    self._reload()
        return self._keys

    def _is_old(self) -> bool:
        return self._clock() - self._loaded > RELOAD_SECONDS

    def _reload(self) -> None:
        try:
            self._keys = self._load(self._database)
        except Unavailable:
            # Known keys stay good while the database is away: other services go on verifying with them.
            if not self._keys:
                raise
        self._loaded = self._clock()

    def _load(self, source: Database | Transaction) -> list[SigningKey]:
        return [
            SigningKey(row["kid"], row["public_key"], self._private(row) if row["active"] else None)
            for row in source.all(sql.signing_keys)
        ]

    def _private(self, row: dict[str, Any]) -> Ed25519PrivateKey | None:
        seed = self._vault.open(row["private_sealed"])
        if seed is None:
            log.warning("signing_key_sealed_with_another_secret_key", kid=row["kid"])
            return None
        return Ed25519PrivateKey.from_private_bytes(seed)

    def _first(self) -> tuple[str, Ed25519PrivateKey]:
        with self._database.transaction() as tx:
            tx.execute(sql.lock_signing_keys)
            if not any(key.private for key in self._load(tx)):
                self._insert(tx, 0.0)
        self._loaded = float("-inf")
        return self.signer()

    def _insert(self, tx: Transaction, delay: float) -> str:
        private = Ed25519PrivateKey.generate()
        kid = secrets.token_hex(8)
        params = {
            "kid": kid,
            "public_key": private.public_key().public_bytes_raw(),
            "private_sealed": self._vault.seal(private.private_bytes_raw()),
            "delay": delay,
        }
        tx.execute(sql.insert_signing_key, params)
        log.info("signing_key_created", kid=kid)
        return kid
