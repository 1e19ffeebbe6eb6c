"""Requests for new jobs: everything is checked before anything is stored (spec: workqueue 4.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from chassis.database import Database, Transaction
from workqueue_service import fields, options, sessions, sites
from workqueue_service.endpoints import READ_ONLY
from workqueue_service.enums import JobProtocol, JobType
from workqueue_service.filepath import BadPath, normalise, shown

Member = TypeVar("Member", JobType, JobProtocol)
TWO_PATHS = (JobType.COPY, JobType.RENAME)


@dataclass(frozen=True)
class Submission:
    """A job as a client wants it; paths are as sent."""

    type: JobType
    protocol: JobProtocol
    priority: int
    max_tries: int
    src_siteid: int
    dst_siteid: int | None
    src_filepath: str
    dst_filepath: str | None
    extra_opts: dict[str, Any] | None

    @classmethod
    def read(cls, body: Mapping[str, Any], max_tries: int, forced: JobType | None = None) -> Self:
        """Check a body; ``forced`` is the type of the short-hand routes, ``max_tries`` the most that is allowed."""
        fields.require(body, ["src_siteid"])
        if forced is None:
            fields.require(body, ["type"])
        job_type = _enum(JobType, body["type"]) if forced is None else forced
        if job_type is JobType.COPY:
            fields.require(body, ["dst_siteid"])
        src_siteid = fields.whole(body, "src_siteid", 1, fields.MAX_ID)
        protocol = body.get("protocol")
        return cls(
            type=job_type,
            protocol=JobProtocol.GRIDFTP if protocol is None else _enum(JobProtocol, protocol),
            priority=fields.whole(body, "priority", 0, 9, 5),
            max_tries=fields.whole(body, "max_tries", 1, max_tries, 2),
            src_siteid=src_siteid,
            dst_siteid=_destination(body, job_type, src_siteid),
            src_filepath=_path(body, "src_filepath"),
            dst_filepath=_path(body, "dst_filepath") if job_type in TWO_PATHS else _optional_path(body, "dst_filepath"),
            extra_opts=options.accepted(body.get("extra_opts"), job_type),
        )

    def check_sites(self, db: Database | Transaction, user_id: int) -> None:
        """Make sure that the user may do this: the sites are visible, there is a log-in, they can be written."""
        self._check_site(db, user_id, self.src_siteid, writes=self.type not in (JobType.LIST, JobType.COPY))
        if self.type is JobType.COPY and self.dst_siteid is not None:
            self._check_site(db, user_id, self.dst_siteid, writes=True)

    def _check_site(self, db: Database | Transaction, user_id: int, site_id: int, *, writes: bool) -> None:
        site = sites.find(db, user_id, site_id)
        if site is None:
            raise fields.refuse(f"Site {site_id} is unknown or not visible to you")
        if self.protocol is JobProtocol.DUMMY:
            return
        if writes and site["transport"] in READ_ONLY:
            raise fields.refuse(f"Site {site_id} ({site['name']}) can only be read")
        session = sessions.find(db, site_id, user_id) if site["login_required"] else {"valid": True}
        if session is None or not session["valid"]:
            raise fields.refuse(f"No active login at site {site_id} ({site['name']})")


def _enum(kind: type[Member], value: Any) -> Member:
    try:
        return kind.coerce(value)
    except ValueError as error:
        raise fields.refuse(shown(str(error))) from None


def _destination(body: Mapping[str, Any], job_type: JobType, src_siteid: int) -> int | None:
    if job_type is JobType.RENAME:
        return src_siteid
    if job_type is JobType.COPY:
        return fields.whole(body, "dst_siteid", 1, fields.MAX_ID)
    return fields.optional_whole(body, "dst_siteid", 1, fields.MAX_ID)


def _path(body: Mapping[str, Any], name: str) -> str:
    if name not in body:
        raise fields.refuse(f"Missing ['{name}']")
    value = body[name]
    if not isinstance(value, str):
        raise fields.refuse(f"{name} must be a text")
    try:
        normalise(value)
    except BadPath as error:
        raise fields.refuse(str(error)) from None
    return value


def _optional_path(body: Mapping[str, Any], name: str) -> str | None:
    return None if body.get(name) is None else _path(body, name)
