"""Output of attempts (spec: workqueue 4.5)."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from flask import Response
from psycopg.rows import DictRow

from chassis.database import Database
from chassis.errors import ApiError
from workqueue_service import answers, callers, fields, jobs
from workqueue_service.api import routes
from workqueue_service.api.jobs import listing_of
from workqueue_service.container import container
from workqueue_service.serializer import Serializer
from workqueue_service.statements import jobs as sql

blueprint = routes.blueprint("outputs")


@blueprint.get("/jobs/<long:job_id>/output")
def job_output(job_id: int) -> Response:
    """Return the output of all elements of a job."""
    user, db, serializer = callers.user(), container().database, answers.serializer()
    jobs.find(db, user.id, job_id)
    return answers.array(_pages(db, serializer, job_id))


@blueprint.get("/jobs/<long:job_id>/elements/<element:element_id>/output")
def element_output(job_id: int, element_id: int) -> Response:
    """Return the output of an element."""
    user, db, serializer = callers.user(), container().database, answers.serializer()
    element = jobs.element(db, user.id, job_id, element_id)
    return answers.of(serializer.element_output(_attempts(db, serializer, element)))


@blueprint.get("/jobs/<long:job_id>/elements/<element:element_id>/output/<attempt>")
def attempt_output(job_id: int, element_id: int, attempt: str) -> Response:
    """Return the output of one attempt; negative numbers count from the last."""
    user, db, serializer = callers.user(), container().database, answers.serializer()
    element = jobs.element(db, user.id, job_id, element_id)
    attempts = _attempts(db, serializer, element)
    return answers.of(attempts[_number(attempt, element) - 1])


def _attempts(db: Database, serializer: Serializer, element: DictRow) -> list[dict[str, Any]]:
    rows = db.all(sql.attempts_of_element, {"job_id": element["job_id"], "element_id": element["id"]})
    # A report may have come in since the element was read.
    attempts = _shown(db, serializer, element, rows[: element["attempts"]])
    if not attempts:
        where = f"element {element['id']} of job {element['job_id']}"
        raise ApiError(404, f"No attempts have yet been recorded for {where}. Please try later.")
    return attempts


def _number(text: str, element: DictRow) -> int:
    number = fields.as_whole(text.strip())
    if number is None:
        raise fields.refuse("bad attempt, expected an integer.")
    tried = element["attempts"]
    number = number + tried + 1 if number < 0 else number
    if not 1 <= number <= tried:
        where = f"{element['job_id']}.{element['id']}"
        raise ApiError(404, f"Invalid attempt '{number}', job.element {where} has been tried {tried} time(s)")
    return number


def _pages(db: Database, serializer: Serializer, job_id: int) -> Iterator[list[Any]]:
    for page in jobs.elements(db, job_id):
        by_element = defaultdict(list)
        span = {"job_id": job_id, "first": page[0]["id"], "last": page[-1]["id"]}
        for row in db.all(sql.attempts_of_elements, span):
            by_element[row["element_id"]].append(row)
        shown = [_shown(db, serializer, each, by_element[each["id"]][: each["attempts"]]) for each in page]
        yield [serializer.element_output(attempts) for attempts in shown if serializer.is_shown(attempts)]


def _shown(db: Database, serializer: Serializer, element: DictRow, rows: list[DictRow]) -> list[dict[str, Any]]:
    listing = listing_of(db, serializer, element) if rows else None
    return [serializer.attempt(element, row, listing) for row in rows]
