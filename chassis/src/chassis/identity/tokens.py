"""Verification of access tokens with the public keys of auth-service."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jwt

from chassis.errors import Unavailable
from chassis.identity.credentials import CredentialRefused
from chassis.identity.principal import Principal

ALGORITHM = "EdDSA"
ISSUER = "taskyard"
AUDIENCE = "taskyard"
REFRESH_SECONDS = 300.0
# An unknown key id may be a new key, or a forger's: ask again, but not for every request.
UNKNOWN_KEY_SECONDS = 2.0
LEEWAY_SECONDS = 5


class Verifier(Protocol):
    """Turns an access token into its principal."""

    def verify(self, token: str) -> Principal:
        """Return the principal, or raise :class:`CredentialRefused`."""


class JwksVerifier:
    """Verifies tokens locally against a cached key set, fetched again every few minutes and for an unknown key.

    While auth-service is away the keys at hand stay good.
    """

    def __init__(
        self, fetch: Callable[[], Sequence[dict[str, Any]]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = float("-inf")

    def verify(self, token: str) -> Principal:
        """Return the principal; raises :class:`CredentialRefused`, or ``Unavailable`` when no key was ever fetched."""
        try:
            key = self._key(jwt.get_unverified_header(token).get("kid", ""))
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "sub", "aud", "iss"]},
            )
            return Principal.from_claims(claims)
        except (jwt.InvalidTokenError, KeyError, ValueError):
            raise CredentialRefused("invalid token") from None

    def _key(self, kid: str) -> jwt.PyJWK:
        age = self._clock() - self._fetched
        if age > REFRESH_SECONDS or (kid not in self._keys and age > UNKNOWN_KEY_SECONDS):
            self._refresh()
        return self._keys[kid]

    def _refresh(self) -> None:
        with self._lock:
            try:
                self._keys = {key["kid"]: jwt.PyJWK(key, algorithm=ALGORITHM) for key in self._fetch()}
                self._fetched = self._clock()
            except Unavailable:
                if not self._keys:
                    raise
