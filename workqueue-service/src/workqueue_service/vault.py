"""Encryption at rest of site credentials."""

from collections.abc import Mapping
from typing import Any, cast

import orjson
from cryptography.fernet import Fernet, InvalidToken


class Vault:
    """Seals with the Fernet key of ``TASKYARD_SECRET_KEY``, which is not in the database."""

    def __init__(self, key: str) -> None:
        self._fernet = Fernet(key)

    def seal(self, secret: Mapping[str, Any]) -> bytes:
        """Return the secret encrypted."""
        return self._fernet.encrypt(orjson.dumps(secret))

    def open(self, sealed: bytes) -> dict[str, Any] | None:
        """Return the secret, or ``None`` when it was sealed with another key."""
        try:
            return cast(dict[str, Any], orjson.loads(self._fernet.decrypt(sealed)))
        except InvalidToken:
            return None
