"""What the views of auth-service work with."""

from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from auth_service.accounts import Accounts
from auth_service.attempts import Attempts
from auth_service.audit import Audit
from auth_service.keys import ApiKeys
from auth_service.login import Login
from auth_service.passwords import Passwords
from auth_service.resolve import LocalResolver
from auth_service.sessions import Sessions
from auth_service.settings import AuthSettings
from auth_service.signing import SigningKeys
from auth_service.tokens import Tokens
from auth_service.tracker import Tracker
from auth_service.vault import Vault
from auth_service.workers import Workers
from chassis.contracts import Contract
from chassis.database import Database
from chassis.idempotency import Idempotency
from chassis.idempotency import install as install_idempotency
from chassis.identity import Identity

NAME = "auth"


@dataclass(frozen=True)
class Container:
    """One of each."""

    settings: AuthSettings
    database: Database
    contract: Contract
    identity: Identity
    workers: Workers
    accounts: Accounts
    sessions: Sessions
    keys: ApiKeys
    passwords: Passwords
    attempts: Attempts
    login: Login
    signing: SigningKeys
    tokens: Tokens
    resolver: LocalResolver
    tracker: Tracker
    audit: Audit
    idempotency: Idempotency


def build(settings: AuthSettings, database: Database) -> Container:
    """Return the parts, wired together."""
    vault = Vault(settings.secret_key.get_secret_value())
    workers, accounts, passwords = Workers(database, vault), Accounts(database), Passwords()
    sessions, keys = Sessions(database, settings.session_seconds), ApiKeys(database)
    signing = SigningKeys(database, vault)
    tokens = Tokens(signing, workers, accounts)
    attempts = Attempts(database, settings.login_failures, settings.login_window)
    login = Login(accounts, passwords, attempts)
    resolver = LocalResolver(workers, accounts, sessions, keys, login)
    return Container(
        settings=settings,
        database=database,
        contract=Contract.load(NAME),
        identity=Identity(resolver, tokens, session_cookie=settings.session_cookie),
        workers=workers,
        accounts=accounts,
        sessions=sessions,
        keys=keys,
        passwords=passwords,
        attempts=attempts,
        login=login,
        signing=signing,
        tokens=tokens,
        resolver=resolver,
        tracker=Tracker(settings),
        audit=Audit(database, settings.audit_days),
        idempotency=Idempotency(database, vault.seal, vault.open),
    )


def install(app: Flask, container: Container) -> None:
    """Give an application its parts."""
    app.extensions[NAME] = container
    install_idempotency(app, container.idempotency)


def parts() -> Container:
    """Return the parts of the application that answers the current request."""
    return cast(Container, current_app.extensions[NAME])
