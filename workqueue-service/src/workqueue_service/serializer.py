"""Answers in both dialects: ``documented`` as the published page has them, ``pdm`` as PDM clients read them.

Every difference between the two is in this module (DESIGN 10; spec: workqueue 9).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from workqueue_service.enums import JobProtocol, JobStatus, JobType
from workqueue_service.times import wire

Dialect = Literal["documented", "pdm"]
Row = Mapping[str, Any]
Listing = dict[str, orjson.Fragment]

JOB_FIELDS = ("id", "user_id", "log_uid", "src_siteid", "dst_siteid", "src_filepath", "dst_filepath", "priority")
COUNTERS = ("num_elements", "num_new", "num_done", "num_failed", "num_submitted", "num_running")
ELEMENT_FIELDS = ("id", "job_id", "src_filepath", "dst_filepath", "size", "max_tries", "attempts")
PROGRESS = ("transferred", "instant", "average", "elapsed")


@dataclass(frozen=True)
class Serializer:
    """Writes rows in one dialect; ``latest`` alone of the attempts, or all of them."""

    dialect: Dialect
    latest: bool

    @property
    def names_only(self) -> bool:
        """Whether listings hold the names of files, not what else is known of them."""
        return self.dialect == "documented"

    def job(self, row: Row, *, counters: bool = False) -> dict[str, Any]:
        """Return a job as its user sees it."""
        return {
            **{name: row[name] for name in JOB_FIELDS},
            "extra_opts": {} if row["extra_opts"] is None and self.dialect == "documented" else row["extra_opts"],
            "type": JobType(row["type"]).name,
            "protocol": JobProtocol(row["protocol"]).name,
            "status": self.job_status(row),
            "timestamp": wire(row["changed_at"]),
            **({name: row[name] for name in COUNTERS} if counters else {}),
            **({"cancelled": True} if row["cancelled_at"] else {}),
        }

    def job_status(self, row: Row) -> str:
        """Return a job's status; the published page knows no NEW job."""
        status = JobStatus(row["status"])
        return "SUBMITTED" if status is JobStatus.NEW and self.dialect == "documented" else status.name

    def element(self, row: Row, listing: Listing | None) -> dict[str, Any]:
        """Return an element as its user sees it."""
        return {
            **{name: row[name] for name in ELEMENT_FIELDS},
            "type": JobType(row["type"]).name,
            "status": JobStatus(row["status"]).name,
            "timestamp": wire(row["changed_at"]),
            "listing": [listing] if listing is not None and self.dialect == "documented" else listing,
            "monitoring_info": row["monitoring"],
            **({"reason": row["reason"]} if row["reason"] else {}),
        }

    def element_status(self, row: Row) -> dict[str, Any]:
        """Return exactly the keys that clients compare (spec: workqueue 4.4)."""
        progress = row["monitoring"] or {}
        return {
            "jobid": row["job_id"],
            "elementid": row["id"],
            "status": JobStatus(row["status"]).name,
            "attempts": row["attempts"],
            **{name: progress.get(name, "N/A") for name in PROGRESS},
        }

    def attempt(self, element: Row, row: Row, listing: Listing | None) -> dict[str, Any]:
        """Return one attempt; whether an earlier one failed follows from there being a later one."""
        is_last = row["number"] == element["attempts"]
        done = is_last and element["status"] == JobStatus.DONE
        return {
            "jobid": element["job_id"],
            "elementid": element["id"],
            "attempt": row["number"],
            "type": JobType(element["type"]).name,
            "status": "DONE" if done else "FAILED",
            "log": row["log"],
            **({"listing": listing} if done and listing is not None else {}),
        }

    def element_output(self, attempts: Sequence[dict[str, Any]]) -> Any:
        """Return what an element's attempts look like: the latest one, or all."""
        return attempts[-1] if self.latest else list(attempts)

    def is_shown(self, attempts: Sequence[dict[str, Any]]) -> bool:
        """Return whether an element appears in the output of its job."""
        return bool(attempts) or not self.latest


def worker_job(row: Row, credentials: Callable[[int | None], str]) -> dict[str, Any]:
    """Return a job as workers see it, enumerations as numbers (spec: workqueue 5.1)."""
    is_copy = row["type"] == JobType.COPY
    return {
        **{name: row[name] for name in JOB_FIELDS},
        **{name: row[name] for name in ("extra_opts", "type", "protocol", "status")},
        "src_credentials": credentials(row["src_siteid"]),
        "dst_credentials": credentials(row["dst_siteid"]) if is_copy else "",
        "timestamp": wire(row["changed_at"]),
    }


def worker_element(row: Row, token: str) -> dict[str, Any]:
    """Return an element as workers see it."""
    return {
        **{name: row[name] for name in (*ELEMENT_FIELDS, "type", "status")},
        "listing": None,
        "monitoring_info": row["monitoring"],
        "timestamp": wire(row["changed_at"]),
        "token": token,
        "lease": row["lease_seconds"],
    }


def site(row: Row, user_id: int) -> dict[str, Any]:
    """Return a site in the list of sites (spec: workqueue 7.2)."""
    return {
        "site_id": row["id"],
        "site_name": row["name"],
        "site_desc": row["description"],
        "def_path": row["def_path"],
        "public": row["public"],
        "is_owner": row["owner_id"] == user_id,
    }


def whole_site(row: Row, user_id: int) -> dict[str, Any]:
    """Return everything about a site."""
    names = ("auth_type", "auth_uri", "user_ca_cert", "service_ca_cert", "endpoints")
    extensions = ("transport", "home", "login_required", "max_transfers", "bandwidth")
    return {**site(row, user_id), **{name: row[name] for name in (*names, *extensions)}}
