"""Element tokens: each proves one hand-out of one element (spec: workqueue 2.3)."""

import hashlib
import uuid
from dataclasses import dataclass

from itsdangerous import BadSignature, URLSafeSerializer


class InvalidToken(Exception):
    """Invalid token"""


@dataclass(frozen=True, slots=True)
class HandOut:
    """One hand-out of an element."""

    job_id: int
    element_id: int
    lease: uuid.UUID


class ElementTokens:
    """Signs and reads tokens; they are opaque to workers."""

    def __init__(self, key: str) -> None:
        self._serializer = URLSafeSerializer(
            key, salt="workqueue.element", signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"}
        )

    def issue(self, hand_out: HandOut) -> str:
        """Return the token of a hand-out."""
        return str(self._serializer.dumps([hand_out.job_id, hand_out.element_id, hand_out.lease.hex]))

    def read(self, token: str) -> HandOut:
        """Return what a token proves; raises :class:`InvalidToken`."""
        try:
            job_id, element_id, lease = self._serializer.loads(token)
            return HandOut(int(job_id), int(element_id), uuid.UUID(lease))
        except (BadSignature, ValueError, TypeError, AttributeError):
            raise InvalidToken from None
