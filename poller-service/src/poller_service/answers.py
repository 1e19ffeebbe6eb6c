"""Jobs on the wire (spec: poller 2, 3)."""

from collections.abc import Sequence

import orjson
from flask import Response

from poller_service.jobs import Job

EMPTY = b"{}"
RETRY_SECONDS = "1"


def one(job: Job | None) -> Response:
    """Answer with the job, or with one empty object when there is none."""
    return _json(EMPTY if job is None else encoded(job))


def upcoming(job: Job | None) -> Response:
    """Answer with the job to run, or with one empty object and when to ask again."""
    response = one(job)
    if job is None:
        response.headers["Retry-After"] = RETRY_SECONDS
    return response


def many(jobs: Sequence[Job]) -> Response:
    """Answer with an array, or with one empty object when there is none: clients test the truth of the value."""
    return _json(b"[" + b",".join(map(encoded, jobs)) + b"]" if jobs else EMPTY)


def updated(count: int) -> Response:
    """Answer how many jobs were changed."""
    return _json(orjson.dumps({"updated": count}))


def encoded(job: Job) -> bytes:
    """Return the job as a JSON object in which the configuration stands as it is stored."""
    head = orjson.dumps({"job_id": job.job_id, "user": job.user, "status": job.status})
    tail = orjson.dumps({"created_at": job.created_at, "updated_at": job.updated_at}, option=orjson.OPT_UTC_Z)
    configuration = job.configuration[1:-1].encode()
    return b",".join(part for part in (head[:-1], configuration, tail[1:]) if part)


def _json(body: bytes) -> Response:
    return Response(body, content_type="application/json")
