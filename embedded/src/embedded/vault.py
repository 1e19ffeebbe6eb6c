"""Secrets of one data directory: made once, kept in files that only their owner reads."""

import base64
import os
import secrets
from collections.abc import Callable
from pathlib import Path


def fernet_key() -> str:
    """A new key for Fernet encryption."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def password() -> str:
    """A new password of 256 random bits that needs no escaping in a URL."""
    return secrets.token_urlsafe(32)


class Vault:
    """The directory of the secrets."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)

    def get(self, name: str, make: Callable[[], str] = password) -> str:
        """Return the secret `name`; the first time, make it."""
        path = self._directory / name
        if not path.exists():
            unfinished = self._directory / f".{name}.new"
            unfinished.unlink(missing_ok=True)
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(make())
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(path)
        return path.read_text()
