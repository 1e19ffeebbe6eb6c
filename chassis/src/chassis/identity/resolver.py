"""Asks auth-service who an opaque credential belongs to."""

from collections.abc import Sequence
from typing import Any, Protocol, cast

from chassis.errors import ApiError, Unavailable, spent
from chassis.identity.credentials import ApiKey, Basic, CredentialRefused, Opaque, Session, WorkerSecret
from chassis.identity.principal import Principal
from chassis.identity.tokens import Verifier
from chassis.internal import InternalClient


class Resolver(Protocol):
    """Turns an opaque credential into its principal."""

    def resolve(self, credential: Opaque, address: str) -> Principal:
        """Return the principal, or raise :class:`CredentialRefused` with the documented text."""


class AuthResolver:
    """Resolves at auth-service, which answers with a short-lived access token or the reason of a refusal."""

    def __init__(self, client: InternalClient, verifier: Verifier) -> None:
        self._client = client
        self._verifier = verifier

    def resolve(self, credential: Opaque, address: str) -> Principal:
        """Return the principal; raises ``Unavailable`` while auth-service is away, or does not know this service.

        The latter is a matter of minutes while the key between services is being replaced: no client's fault.
        """
        status, body = self._client.post("/internal/resolve", {**describe(credential), "address": address})
        if status == 200:
            return self._verifier.verify(body["access_token"])
        if status == 401 and "reason" in body:
            raise CredentialRefused(body["reason"])
        if status == 429:
            raise ApiError(429, "Too many requests", headers=spent(1), extra={"rate_limit_delay": 1.0})
        raise Unavailable("auth-service")


def describe(credential: Opaque) -> dict[str, Any]:
    """Return the JSON form in which a credential travels to ``/internal/resolve``."""
    match credential:
        case WorkerSecret(worker_id, secret):
            return {"kind": "worker", "worker_id": worker_id, "secret": secret}
        case Session(value):
            return {"kind": "session", "value": value}
        case ApiKey(value):
            return {"kind": "key", "value": value}
        case Basic(username, password):
            return {"kind": "basic", "username": username, "password": password}


def understand(body: dict[str, Any]) -> Opaque:
    """Return the credential that :func:`describe` described; raises ``KeyError`` when it is none."""
    match body["kind"]:
        case "worker":
            return WorkerSecret(int(body["worker_id"]), str(body["secret"]))
        case "session":
            return Session(str(body["value"]))
        case "key":
            return ApiKey(str(body["value"]))
        case "basic":
            return Basic(str(body["username"]), str(body["password"]))
        case kind:
            raise KeyError(kind)


def fetch_keys(client: InternalClient) -> Sequence[dict[str, Any]]:
    """Return the public keys that auth-service signs with."""
    status, body = client.get("/auth/jwks.json")
    if status != 200:
        raise Unavailable("auth-service")
    return cast(list[dict[str, Any]], body["keys"])
