"""Tokens of users in the form of the reference's users service, which its clients take apart (spec: workqueue 2.2)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from itsdangerous import BadData, URLSafeSerializer

from workqueue_service.times import wire
from workqueue_service.tokens import InvalidToken

SALT = "pdmwebsvc"


@dataclass(frozen=True, slots=True)
class User:
    """Whom a token names: the id of an account, and the name with which it logs in."""

    id: int
    name: str


class UserTokens:
    """Signs and reads tokens with a secret that other services may share; ``lifetime`` is in seconds."""

    def __init__(self, secret: str, lifetime: float) -> None:
        self._serializer = URLSafeSerializer(secret, salt=SALT)
        self._lifetime = timedelta(seconds=lifetime)

    def issue(self, user: User) -> str:
        """Return a token; its expiry always has a fraction, without which the reference refuses it."""
        expiry = wire(datetime.now(UTC) + self._lifetime)
        return str(self._serializer.dumps({"id": user.id, "expiry": expiry, "email": user.name}))

    def read(self, token: str) -> User:
        """Return whom a token names; raises :class:`InvalidToken` for one that is forged, expired or something else."""
        try:
            payload = self._serializer.loads(token)
            expiry = datetime.fromisoformat(payload["expiry"]).replace(tzinfo=UTC)
            user = User(int(payload["id"]), str(payload.get("email", "")))
        except (BadData, ValueError, TypeError, KeyError, AttributeError):
            raise InvalidToken from None
        if expiry <= datetime.now(UTC):
            raise InvalidToken
        return user
