"""Checks names and passwords."""

from prometheus_client import Counter

from auth_service.accounts import Account, Accounts, acceptable
from auth_service.attempts import Attempts
from auth_service.passwords import Passwords
from chassis.identity import CredentialRefused

REFUSED = "Invalid username/password"
LOGINS = Counter("logins", "Passwords that were checked against their hash", ["result"])


class Login:
    """Says whose name and password these are; throttled, and as slow for an unknown name as for a wrong password."""

    def __init__(self, accounts: Accounts, passwords: Passwords, attempts: Attempts) -> None:
        self._accounts = accounts
        self._passwords = passwords
        self._attempts = attempts

    def account(self, username: str, password: str, address: str) -> Account:
        """Return the account.

        Raises :class:`CredentialRefused`, or :class:`auth_service.attempts.TooManyAttempts` after too many failures.
        """
        if not acceptable(username, password):
            raise CredentialRefused(REFUSED)
        account, stored = self._accounts.with_password(username) or (None, None)
        if not self._passwords.recently_verified(stored, password):
            self._verify(stored, username, password, address)
        if account is None or stored is None:
            raise CredentialRefused(REFUSED)
        if self._passwords.outdated(stored):
            self._accounts.replace_password_hash(account.id, stored, self._passwords.hash(password))
        return account

    def _verify(self, stored: str | None, username: str, password: str, address: str) -> None:
        # Who waits for a turn must not slip by the limit, so the count is read when the turn has come.
        with self._passwords.turn:
            self._attempts.check(username, address)
            if not self._passwords.verify(stored, password):
                self._attempts.failed(username, address, known=stored is not None)
                LOGINS.labels("refused").inc()
                raise CredentialRefused(REFUSED)
        self._attempts.forget(username, address)
        LOGINS.labels("good").inc()
