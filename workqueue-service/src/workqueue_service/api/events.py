"""A job as it moves: server-sent events until it ends."""

import threading
from collections.abc import Iterator
from time import monotonic
from typing import Any

import orjson
from flask import Response

from chassis.database import Database
from workqueue_service import answers, callers, jobs
from workqueue_service.api import routes
from workqueue_service.bells import Bells, job_bell
from workqueue_service.container import container
from workqueue_service.serializer import COUNTERS, PROGRESS, Serializer
from workqueue_service.statements import jobs as sql

blueprint = routes.blueprint("events")

HEARTBEAT_SECONDS = 10.0
# Many reports a second make one event: people do not read faster.
PAUSE_SECONDS = 0.2
MAX_RUNNING = 100
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@blueprint.get("/jobs/<long:job_id>/events")
def watch_job(job_id: int) -> Response:
    """Send ``status`` and ``progress`` events as they happen, and ``end`` when nothing more will."""
    user, parts, serializer = callers.user(), container(), answers.serializer()
    jobs.find(parts.database, user.id, job_id)
    stream = _stream(parts.database, parts.bells, serializer, job_id)
    return Response(stream, content_type="text/event-stream", headers=HEADERS)


def _stream(db: Database, bells: Bells, serializer: Serializer, job_id: int) -> Iterator[bytes]:
    told: dict[Any, Any] = {}
    with bells.waiting(job_bell(job_id)) as bell:
        while True:
            bell.clear()
            started = monotonic()
            job = db.one(sql.job_by_id, {"id": job_id})
            if job is None:
                return
            state = {"jobid": job_id, "status": serializer.job_status(job), **{name: job[name] for name in COUNTERS}}
            yield from _news(told, "status", state)
            for row in db.all(sql.running_elements, {"job_id": job_id, "limit": MAX_RUNNING}):
                yield from _news(told, "progress", _progress(job_id, row))
            if job["ended_at"]:
                yield _event("end", state)
                return
            yield from _await(bell, started)
            if bells.closed:
                return


def _await(bell: threading.Event, started: float) -> Iterator[bytes]:
    while not bell.wait(HEARTBEAT_SECONDS):
        yield b": still there\n\n"
    threading.Event().wait(max(0.0, started + PAUSE_SECONDS - monotonic()))


def _news(told: dict[Any, Any], kind: str, data: dict[str, Any]) -> Iterator[bytes]:
    key = (kind, data.get("elementid"))
    if told.get(key) != data:
        told[key] = data
        yield _event(kind, data)


def _progress(job_id: int, row: dict[str, Any]) -> dict[str, Any]:
    progress = row["monitoring"] or {}
    numbers = {name: progress.get(name) for name in PROGRESS}
    return {"jobid": job_id, "elementid": row["id"], "size": row["size"], **numbers}


def _event(kind: str, data: dict[str, Any]) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"
