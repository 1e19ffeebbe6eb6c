"""Finds out whose an opaque credential is."""

from dataclasses import dataclass

from auth_service.accounts import Accounts
from auth_service.keys import ApiKeys
from auth_service.login import Login
from auth_service.sessions import Sessions
from auth_service.workers import Workers
from chassis.envelope import BadNumber, path_number
from chassis.identity import (
    ApiKey,
    Basic,
    CredentialRefused,
    Kind,
    Opaque,
    Principal,
    Session,
    WorkerSecret,
    decode_secret,
)


@dataclass(frozen=True, slots=True)
class Grant:
    """Whose a credential is; ``seconds_left`` when it ends by itself, ``from_key`` when it is an API key."""

    principal: Principal
    seconds_left: float | None = None
    from_key: bool = False

    def lifetime(self, longest: int) -> int:
        """Return the seconds, at most ``longest``, that a token for this credential may live."""
        return longest if self.seconds_left is None else max(1, min(longest, int(self.seconds_left)))


class LocalResolver:
    """Resolves credentials in auth-service itself, always against the records as they are now."""

    def __init__(self, workers: Workers, accounts: Accounts, sessions: Sessions, keys: ApiKeys, login: Login) -> None:
        self._workers = workers
        self._accounts = accounts
        self._sessions = sessions
        self._keys = keys
        self._login = login

    def resolve(self, credential: Opaque, address: str) -> Principal:
        """Return the principal (:class:`chassis.identity.Resolver`)."""
        return self.grant(credential, address).principal

    def grant(self, credential: Opaque, address: str) -> Grant:
        """Return whose the credential is; raises :class:`CredentialRefused` with the documented text."""
        match credential:
            case WorkerSecret():
                return Grant(self._workers.authenticate(credential).principal())
            case Session(value):
                return self._session(value)
            case ApiKey(value):
                return self._key(value)
            case Basic():
                return Grant(self._basic(credential, address))

    def _session(self, value: str) -> Grant:
        account = self._sessions.account(value)
        if account is None:
            raise CredentialRefused("not logged in")
        return Grant(account.principal())

    def _key(self, value: str) -> Grant:
        owner = self._keys.owner(value)
        if owner is None:
            raise CredentialRefused("invalid key")
        record = (self._workers if owner.kind is Kind.WORKER else self._accounts).get(owner.id)
        if record is None:
            raise CredentialRefused("invalid key")
        return Grant(record.principal(), owner.seconds_left, from_key=True)

    def _basic(self, credential: Basic, address: str) -> Principal:
        try:
            return self._workers.authenticate(_as_worker(credential)).principal()
        except CredentialRefused:
            # Digits may be an account's name as well, so the last word is the account's.
            return self._login.account(credential.username, credential.password, address).principal()


def _as_worker(credential: Basic) -> WorkerSecret:
    try:
        secret = WorkerSecret(path_number(credential.username), credential.password)
    except BadNumber as error:
        raise CredentialRefused(str(error)) from None
    decode_secret(secret.secret)
    return secret
