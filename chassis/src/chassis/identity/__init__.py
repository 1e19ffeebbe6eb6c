"""Who makes a request, and the proof of it.

A signed access token is verified in the process. Anything opaque is resolved at auth-service, worker credentials
then stay known for a moment. ``auth_identity`` builds the usual :class:`Identity` of a service.
"""

from collections.abc import Callable

from chassis.identity.authenticator import Identity, client_address
from chassis.identity.cache import WorkerCache
from chassis.identity.credentials import (
    AccessToken,
    ApiKey,
    Basic,
    Credential,
    CredentialRefused,
    Opaque,
    Session,
    WorkerSecret,
    decode_secret,
)
from chassis.identity.principal import Kind, Principal
from chassis.identity.resolver import AuthResolver, Resolver, fetch_keys, understand
from chassis.identity.tokens import JwksVerifier, Verifier
from chassis.internal import InternalClient
from chassis.settings import Settings

__all__ = [
    "AccessToken",
    "ApiKey",
    "AuthResolver",
    "Basic",
    "Credential",
    "CredentialRefused",
    "Identity",
    "JwksVerifier",
    "Kind",
    "Opaque",
    "Principal",
    "Resolver",
    "Session",
    "Verifier",
    "WorkerCache",
    "WorkerSecret",
    "auth_identity",
    "client_address",
    "decode_secret",
    "understand",
]


def auth_identity(
    settings: Settings,
    caller: str,
    *,
    cache: WorkerCache | None = None,
    on_worker: Callable[[Principal], None] | None = None,
) -> Identity:
    """Return the identity of the service ``caller``, which asks auth-service at ``settings.auth_url``."""
    client = InternalClient(
        settings.auth_url, service="auth", caller=caller, key=settings.internal_key.get_secret_value()
    )
    verifier = JwksVerifier(lambda: fetch_keys(client))
    return Identity(
        AuthResolver(client, verifier),
        verifier,
        session_cookie=settings.session_cookie,
        cache=cache,
        on_worker=on_worker,
    )
