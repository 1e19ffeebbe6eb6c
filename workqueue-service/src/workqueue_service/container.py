"""What the views need, made once per process."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from chassis import idempotency
from chassis.database import Database
from chassis.idempotency import Idempotency
from chassis.identity import Identity, WorkerCache, auth_identity
from chassis.listen import Listener
from workqueue_service.bells import Bells
from workqueue_service.elements import Limits
from workqueue_service.endpoints import Rules
from workqueue_service.outcomes import Backoff
from workqueue_service.settings import WorkqueueSettings
from workqueue_service.tokens import ElementTokens
from workqueue_service.usertokens import UserTokens
from workqueue_service.vault import Vault

SERVICE = "workqueue"
NAME = "workqueue_service"
WORKER_CHANGED = "workqueue_worker"

MakeIdentity = Callable[[WorkerCache], Identity]


@dataclass(frozen=True)
class Container:
    """The parts of one API process."""

    settings: WorkqueueSettings
    database: Database
    identity: Identity
    listener: Listener
    bells: Bells
    vault: Vault
    tokens: ElementTokens
    user_tokens: UserTokens

    @property
    def backoff(self) -> Backoff:
        """Return the pauses between attempts."""
        return backoff(self.settings)

    @property
    def limits(self) -> Limits:
        """Return the limits of hand-outs."""
        return Limits(self.settings.workqueue_site_transfers, self.settings.workqueue_lease_margin)

    @property
    def rules(self) -> Rules:
        """Return which endpoints the operator allows."""
        settings = self.settings
        return Rules(settings.workqueue_file_roots, settings.workqueue_remotes, settings.workqueue_networks)


def assemble(settings: WorkqueueSettings, database: Database, make_identity: MakeIdentity) -> Container:
    """Put the parts together; the listener does not run yet."""
    cache, bells = WorkerCache(settings.credential_cache_seconds), Bells()
    listener = Listener(database.dsn, "workqueue-listener")
    listener.on(WORKER_CHANGED, lambda worker_id: cache.drop(int(worker_id)), missed=cache.clear)
    bells.listen(listener)
    key = settings.secret_key.get_secret_value()
    return Container(
        settings=settings,
        database=database,
        identity=make_identity(cache),
        listener=listener,
        bells=bells,
        vault=Vault(key),
        tokens=ElementTokens(key),
        user_tokens=UserTokens(
            settings.workqueue_pdm_secret.get_secret_value() or key, settings.workqueue_pdm_token_lifetime
        ),
    )


def build(settings: WorkqueueSettings, database: Database) -> Container:
    """Return the container of a real process, which asks auth-service who is who."""
    return assemble(settings, database, lambda cache: auth_identity(settings, SERVICE, cache=cache))


def backoff(settings: WorkqueueSettings) -> Backoff:
    """Return the pauses between attempts."""
    return Backoff(settings.workqueue_retry_delay, settings.workqueue_retry_delay_max)


def install(app: Flask, parts: Container) -> None:
    """Give the application its container."""
    idempotency.install(app, Idempotency(parts.database))
    app.extensions[NAME] = parts


def container() -> Container:
    """Return the container of the application that serves the current request."""
    return cast(Container, current_app.extensions[NAME])
