"""Jobs and elements as their user sees them (spec: workqueue 4.4), and what the user can do with them."""

from collections.abc import Iterator
from typing import Any

from flask import Response, request
from psycopg.rows import DictRow

from chassis.database import Database
from workqueue_service import answers, callers, fields, jobs, listings
from workqueue_service.api import routes
from workqueue_service.container import container
from workqueue_service.enums import JobStatus, JobType
from workqueue_service.jobs import Selection
from workqueue_service.listings import Place
from workqueue_service.serializer import Listing, Serializer
from workqueue_service.statements import jobs as sql

blueprint = routes.blueprint("jobs")

MAX_LIMIT = 10_000


@blueprint.get("/jobs")
def list_jobs() -> Response:
    """Return the user's jobs, with counters; ``limit``, ``offset``, ``status`` and ``type`` select."""
    user, serializer = callers.user(), answers.serializer()
    pages = jobs.select(container().database, user.id, _selection(serializer))
    return answers.array([serializer.job(row, counters=True) for row in page] for page in pages)


@blueprint.get("/jobs/<long:job_id>")
def show_job(job_id: int) -> Response:
    """Return one job."""
    user, serializer = callers.user(), answers.serializer()
    return answers.of(serializer.job(jobs.find(container().database, user.id, job_id)))


@blueprint.get("/jobs/<long:job_id>/status")
def job_status(job_id: int) -> Response:
    """Return the status of a job."""
    user, serializer = callers.user(), answers.serializer()
    row = jobs.find(container().database, user.id, job_id)
    return answers.of({"jobid": job_id, "status": serializer.job_status(row)})


@blueprint.post("/jobs/<long:job_id>/cancel")
def cancel_job(job_id: int) -> Response:
    """End a job."""
    user, parts, serializer = callers.user(), container(), answers.serializer()
    with parts.database.transaction() as tx:
        job = jobs.cancel(tx, jobs.find(tx, user.id, job_id), parts.backoff)
    return answers.of(serializer.job(job))


@blueprint.post("/jobs/<long:job_id>/retry")
def retry_job(job_id: int) -> Response:
    """Try again what has failed of a job."""
    user, parts, serializer = callers.user(), container(), answers.serializer()
    with parts.database.transaction() as tx:
        job = jobs.find(tx, user.id, job_id)
        jobs.wanted(job).check_sites(tx, user.id)
        job = jobs.retry(tx, job)
    return answers.of(serializer.job(job))


@blueprint.get("/jobs/<long:job_id>/elements")
def list_elements(job_id: int) -> Response:
    """Return the elements of a job; ``[]`` when the user has no such job (Q16). ``fields`` selects keys."""
    user, parts, serializer = callers.user(), container(), answers.serializer()
    wanted = _wanted_fields()
    row = parts.database.one(sql.job_of_user, {"id": job_id, "user_id": user.id})
    if row is None:
        return answers.of([])

    def pages() -> Iterator[list[dict[str, Any]]]:
        for page in jobs.elements(parts.database, job_id):
            yield [_select(_shown(parts.database, serializer, element, wanted), wanted) for element in page]

    return answers.array(pages())


@blueprint.get("/jobs/<long:job_id>/elements/<element:element_id>")
def show_element(job_id: int, element_id: int) -> Response:
    """Return one element."""
    user, serializer = callers.user(), answers.serializer()
    wanted = _wanted_fields()
    db = container().database
    row = jobs.element(db, user.id, job_id, element_id)
    return answers.of(_select(_shown(db, serializer, row, wanted), wanted))


@blueprint.get("/jobs/<long:job_id>/elements/<element:element_id>/status")
def element_status(job_id: int, element_id: int) -> Response:
    """Return status and progress of an element."""
    user, serializer = callers.user(), answers.serializer()
    return answers.of(serializer.element_status(jobs.element(container().database, user.id, job_id, element_id)))


def listing_of(db: Database, serializer: Serializer, row: DictRow) -> Listing | None:
    """Return the listing of a LIST element that is done."""
    if row["type"] != JobType.LIST or row["status"] != JobStatus.DONE:
        return None
    place = Place(row["job_id"], row["id"])
    return listings.read(db, place, names_only=serializer.names_only)


def _shown(db: Database, serializer: Serializer, row: DictRow, wanted: frozenset[str] | None) -> dict[str, Any]:
    has_listing = wanted is None or "listing" in wanted
    return serializer.element(row, listing_of(db, serializer, row) if has_listing else None)


def _wanted_fields() -> frozenset[str] | None:
    given = request.args.get("fields")
    return None if given is None else frozenset(given.split(","))


def _select(element: dict[str, Any], wanted: frozenset[str] | None) -> dict[str, Any]:
    return element if wanted is None else {name: value for name, value in element.items() if name in wanted}


def _selection(serializer: Serializer) -> Selection:
    return Selection(
        limit=fields.optional_whole(request.args, "limit", 0, MAX_LIMIT),
        offset=fields.whole(request.args, "offset", 0, fields.MAX_ID, 0),
        statuses=_statuses(serializer),
        type=_enum(JobType, "type"),
    )


def _statuses(serializer: Serializer) -> tuple[JobStatus, ...] | None:
    status = _enum(JobStatus, "status")
    if status is None:
        return None
    is_both = status is JobStatus.SUBMITTED and serializer.dialect == "documented"
    return (status, JobStatus.NEW) if is_both else (status,)


def _enum(kind: Any, name: str) -> Any:
    value = request.args.get(name)
    try:
        return None if value is None else kind.coerce(value)
    except ValueError as error:
        raise fields.refuse(str(error)) from None
