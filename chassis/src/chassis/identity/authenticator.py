"""Turns a request into its principal."""

from collections.abc import Callable

from flask import Request, current_app, g

from chassis.identity.cache import WorkerCache
from chassis.identity.credentials import (
    AccessToken,
    Credential,
    CredentialRefused,
    WorkerSecret,
    from_request,
    worker_secret,
)
from chassis.identity.principal import Kind, Principal
from chassis.identity.resolver import Resolver
from chassis.identity.tokens import Verifier
from chassis.settings import Settings


def client_address(request: Request) -> str:
    """Return the address of the client.

    The gate puts the true peer at the end of ``X-Forwarded-For`` and drops what came from outside. Whoever
    speaks to the service directly, from an address that is not a gate's, is the client and is not believed.
    """
    peer = request.remote_addr or ""
    forwarded = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    settings: Settings = current_app.extensions["settings"]
    return forwarded if forwarded and settings.trusts(peer) else peer


class Identity:
    """Answers "who is this?" for one service.

    ``on_worker`` is called with each worker that auth-service has just confirmed, so that a service can keep its
    own copy of the record up to date.
    """

    def __init__(
        self,
        resolver: Resolver,
        verifier: Verifier,
        *,
        session_cookie: str,
        cache: WorkerCache | None = None,
        on_worker: Callable[[Principal], None] | None = None,
    ) -> None:
        self._resolver = resolver
        self._verifier = verifier
        self._cookie = session_cookie
        self._cache = cache
        self._on_worker = on_worker

    def worker(self, request: Request) -> Principal:
        """Return the worker that makes the request; raises :class:`CredentialRefused` (spec: tracker 2.1)."""
        if "X-Worker-ID" not in request.headers:
            credential = from_request(request, "")
            if credential is not None:
                return self._of_kind(Kind.WORKER, credential, request)
        return self._resolve_worker(worker_secret(request.headers), request)

    def account(self, request: Request) -> Principal | None:
        """Return the account that makes the request, or ``None`` when nobody is logged in.

        The answer is kept for the rest of the request, and only for that: logout holds for the next one.
        """
        if "account" not in g:
            g.account = self._account(request)
        return g.account  # type: ignore[no-any-return]

    def principal(self, request: Request) -> Principal | None:
        """Return the worker or account that makes the request, or ``None`` for an anonymous one.

        Raises :class:`CredentialRefused` when a credential is there and not valid.
        """
        if "X-Worker-ID" in request.headers or "X-Secret" in request.headers:
            return self.worker(request)
        credential = from_request(request, self._cookie)
        return None if credential is None else self._resolve(credential, request)

    def _account(self, request: Request) -> Principal | None:
        try:
            credential = from_request(request, self._cookie)
            return None if credential is None else self._of_kind(Kind.ACCOUNT, credential, request)
        except CredentialRefused:
            return None

    def _of_kind(self, kind: Kind, credential: Credential, request: Request) -> Principal:
        principal = self._resolve(credential, request)
        if principal.kind is not kind:
            raise CredentialRefused(f"not the credential of a {'worker' if kind is Kind.WORKER else 'manager'}")
        return principal

    def _resolve(self, credential: Credential, request: Request) -> Principal:
        if isinstance(credential, AccessToken):
            principal = self._verifier.verify(credential.value)
        else:
            principal = self._resolver.resolve(credential, client_address(request))
        if principal.kind is Kind.WORKER and self._on_worker:
            self._on_worker(principal)
        return principal

    def _resolve_worker(self, credential: WorkerSecret, request: Request) -> Principal:
        if self._cache is None:
            return self._resolve(credential, request)
        principal = self._cache.get(credential)
        if principal is None:
            asked = self._cache.generation
            principal = self._resolve(credential, request)
            self._cache.put(credential, principal, asked)
        return principal
