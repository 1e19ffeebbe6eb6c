"""Encryption at rest of what must be readable again."""

from cryptography.fernet import Fernet, InvalidToken


class Vault:
    """Seals with the Fernet key of ``TASKYARD_SECRET_KEY``, which is not in the database."""

    def __init__(self, key: str) -> None:
        self._fernet = Fernet(key)

    def seal(self, secret: bytes) -> bytes:
        """Return the secret encrypted."""
        return self._fernet.encrypt(secret)

    def open(self, sealed: bytes) -> bytes | None:
        """Return the secret, or ``None`` when it was sealed with another key."""
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken:
            return None
