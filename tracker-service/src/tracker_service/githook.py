"""Push hooks of forges: a signed push sets the version of the projects it is for (spec: tracker 4.7, 8)."""

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Self

import orjson

from chassis.database import Database
from chassis.queries import Queries
from tracker_service import events, projects

sql = Queries.beside(__file__)

MAX_TEXT = 255


class BadPush(Exception):
    """The body is not a push to a production branch of a repository that a project names."""


class BadSignature(Exception):
    """Signature does not match"""


@dataclass(frozen=True, slots=True)
class Push:
    """What a push says: the branch, the commit after it, the repository."""

    ref: str
    after: str
    repository: str

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read the payload; raises :class:`BadPush`."""
        try:
            document = orjson.loads(body)
            texts = document["ref"], document["after"], document["repository"]["full_name"]
        except (ValueError, TypeError, KeyError):
            raise BadPush from None
        if not all(_is_storable(text) for text in texts):
            raise BadPush
        return cls(*texts)

    def is_to(self, branches: Collection[str]) -> bool:
        """Return whether the push is to one of these branches, by its whole name (Q-54)."""
        prefix, _, branch = self.ref.partition("refs/heads/")
        return not prefix and branch in branches


def receive(db: Database, body: bytes, signature: str, *, digest: str, branches: Collection[str]) -> list[int]:
    """Set the version of every project whose key has signed the body, and return their ids.

    Raises :class:`BadPush`, and :class:`BadSignature` when no key fits; an empty key fits nothing (Q-18, Q-29).
    """
    push = Push.parse(body)
    if not push.is_to(branches):
        raise BadPush
    candidates = db.all(sql.projects_of_repository, {"repository": push.repository}) if push.repository else []
    if not candidates:
        raise BadPush
    signed = [row["id"] for row in candidates if _signed(row["webhook_secret"], body, signature, digest)]
    if not signed:
        raise BadSignature
    for project_id in signed:
        _set_version(db, project_id, push.after)
    return signed


def _set_version(db: Database, project_id: int, version: str) -> None:
    with db.transaction() as tx:
        tx.execute(sql.set_version, {"id": project_id, "version": version})
        project = projects.find(tx, project_id)
        assert project is not None
        events.project_updated(tx, project)


def _signed(key: str, body: bytes, signature: str, digest: str) -> bool:
    given = signature.rpartition("=")[2].encode()
    return bool(key) and hmac.compare_digest(hmac.new(key.encode(), body, digest).hexdigest().encode(), given)


def _is_storable(text: Any) -> bool:
    return isinstance(text, str) and len(text) <= MAX_TEXT and "\0" not in text
