"""Who makes a request."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self


class Kind(StrEnum):
    """The three kinds of principal."""

    WORKER = "worker"
    ACCOUNT = "account"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Principal:
    """A worker machine, a person's account, or a service of the house, as auth-service knows it.

    ``created`` is in Unix seconds. ``version`` grows with every change of the record, so that of two
    notices about one principal the newer can be told.
    """

    kind: Kind
    id: int
    name: str
    created: int = 0
    version: int = 0
    admin: bool = False
    paused: bool = False
    tenant: str = ""

    @classmethod
    def from_claims(cls, claims: dict[str, Any]) -> Self:
        """Read the principal out of the verified claims of an access token."""
        kind, _, number = claims["sub"].partition(":")
        return cls(
            kind=Kind(kind),
            id=int(number),
            name=claims["name"],
            created=claims.get("created", 0),
            version=claims.get("version", 0),
            admin=claims.get("admin", False),
            paused=claims.get("paused", False),
            tenant=claims.get("tenant", ""),
        )

    def claims(self) -> dict[str, Any]:
        """Return the claims from which :meth:`from_claims` makes the same principal again."""
        return {
            "sub": f"{self.kind}:{self.id}",
            "name": self.name,
            "created": self.created,
            "version": self.version,
            "admin": self.admin,
            "paused": self.paused,
            "tenant": self.tenant,
        }
