"""Access tokens: signed statements of who somebody is, good for minutes (DESIGN 4)."""

import time
from typing import Any

import jwt

from auth_service.accounts import Accounts
from auth_service.signing import SigningKeys
from auth_service.workers import Workers
from chassis.identity import CredentialRefused, JwksVerifier, Kind, Principal
from chassis.identity.tokens import ALGORITHM, AUDIENCE, ISSUER

FROM_KEY = "key"


class Tokens:
    """Signs access tokens and reads them back."""

    def __init__(self, keys: SigningKeys, workers: Workers, accounts: Accounts) -> None:
        self._keys = keys
        self._workers = workers
        self._accounts = accounts
        self._verifier = JwksVerifier(keys.public)

    def sign(self, principal: Principal, seconds: int, *, from_key: bool = False) -> str:
        """Return a token that ends after ``seconds``; ``from_key`` marks it as got for an API key."""
        now = int(time.time())
        claims: dict[str, Any] = {
            **principal.claims(),
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + seconds,
            **({"via": FROM_KEY} if from_key else {}),
        }
        kid, private = self._keys.signer()
        return jwt.encode(claims, private, ALGORITHM, headers={"kid": kid})

    def verify(self, token: str) -> Principal:
        """Return the worker or account of a token as it is now, not as the token remembers it.

        Raises :class:`CredentialRefused` for a token that is not valid or whose owner is gone.
        """
        stated = self._verifier.verify(token)
        record = (self._workers if stated.kind is Kind.WORKER else self._accounts).get(stated.id)
        if record is None:
            raise CredentialRefused("invalid token")
        return record.principal()

    def is_from_key(self, token: str) -> bool:
        """Return whether a token, verified before, was got for an API key."""
        return bool(jwt.decode(token, options={"verify_signature": False}).get("via") == FROM_KEY)
