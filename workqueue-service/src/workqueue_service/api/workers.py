"""The routes of workers: ask for work, report, tell progress (spec: workqueue 5), and batches of these."""

from collections.abc import Callable
from io import BufferedReader, RawIOBase
from time import monotonic
from typing import Any, TypeVar, cast

from flask import Response, request

from chassis.errors import ApiError
from chassis.identity import Kind, Principal
from workqueue_service import answers, callers, elements, fields, listings, monitoring, reports
from workqueue_service.api import routes
from workqueue_service.bells import READY
from workqueue_service.container import Container, container
from workqueue_service.elements import Request
from workqueue_service.handouts import Writer
from workqueue_service.listings import Place
from workqueue_service.monitoring import Progress
from workqueue_service.reports import Report
from workqueue_service.statements import elements as sql
from workqueue_service.tokens import HandOut, InvalidToken

blueprint = routes.blueprint("workers")

MAX_WAIT = 50
MAX_BATCH = 1_000
LISTING_BUFFER = 1 << 16
IDLE = "No work to be done."
Item = TypeVar("Item")


@blueprint.post("/worker/jobs")
def hand_out() -> Response:
    """Hand out work, as soon as there is some and not after ``wait`` seconds (W1)."""
    worker, parts = callers.worker(), container()
    wanted = Request.read(fields.json_object(), parts.settings.workqueue_lease)
    wait = fields.whole(request.args, "wait", 0, MAX_WAIT, 0)
    work = None if worker.paused else _await_work(parts, wanted, _holder(worker, wanted), wait)
    if work is None:
        raise ApiError(404, IDLE, headers={"Retry-After": "1"})
    return answers.of(work)


@blueprint.put("/worker/jobs/<long:job_id>/elements/<element:element_id>")
def report(job_id: int, element_id: int) -> Response:
    """Take the result of an element (W2)."""
    worker, parts = callers.worker(), container()
    result = Report.read(callers.hand_out(job_id, element_id), fields.json_object())
    with parts.database.transaction() as tx:
        refusal = reports.record(tx, [result], _name(worker), parts.backoff)[0]
        if refusal is not None:
            raise refusal
    return answers.empty()


@blueprint.put("/worker/jobs/<long:job_id>/elements/<element:element_id>/monitoring")
def monitor(job_id: int, element_id: int) -> Response:
    """Take the progress of an element (W3)."""
    callers.worker()
    found, body = callers.hand_out(job_id, element_id), fields.json_object()
    progress = Progress.read(found, body)
    with container().database.transaction() as tx:
        if not monitoring.exists(tx, found):
            raise ApiError(404, f"No element {element_id} in job {job_id}")
        lease = monitoring.record(tx, [progress])[0]
    return answers.of({"cancel": lease is None, "lease": lease or 0.0}) if body.get("control") else answers.empty()


@blueprint.put("/worker/jobs/<long:job_id>/elements/<element:element_id>/listing")
def upload_listing(job_id: int, element_id: int) -> Response:
    """Take a part of a listing, to be reported later."""
    callers.worker()
    found = callers.hand_out(job_id, element_id)
    part = fields.whole(request.args, "part", 0, listings.MAX_PARTS - 1, 0)
    with container().database.transaction() as tx:
        rows = tx.all(sql.lock_reported, {"job_ids": [job_id], "element_ids": [element_id]})
        if not rows or rows[0]["lease"] != found.lease or rows[0]["status"] not in reports.OUT:
            raise reports.token_refused(job_id, element_id)
        # Without a buffer the lines of a request are read byte by byte.
        lines = BufferedReader(cast(RawIOBase, request.stream), LISTING_BUFFER)
        listings.store(tx, Place(job_id, element_id), listings.of_lines(lines), part)
    return answers.empty()


@blueprint.post("/worker/reports")
def report_many() -> Response:
    """Take results of many elements in one transaction."""
    worker, parts = callers.worker(), container()
    items = _items(lambda found, body: Report.read(found, body))
    results = [item for item in items if isinstance(item, Report)]
    refusals = iter(_record_each_if_needed(parts, results, _name(worker)))
    told = [next(refusals) if isinstance(item, Report) else item for item in items]
    return answers.of({"results": [_result(each, told[n]) for n, each in enumerate(_bodies())]})


@blueprint.post("/worker/monitoring")
def monitor_many() -> Response:
    """Take progress, or signs of life, of many elements."""
    callers.worker()
    parts = container()
    items = _items(lambda found, body: Progress.read(found, body, alive_is_enough=True))
    with parts.database.transaction() as tx:
        leases = iter(monitoring.record(tx, [item for item in items if isinstance(item, Progress)]))
    alive = [isinstance(item, Progress) and next(leases) is not None for item in items]
    results = [{**_ids(each), "cancel": not alive[n]} for n, each in enumerate(_bodies())]
    return answers.of({"results": results, "lease": parts.settings.workqueue_lease})


def _await_work(parts: Container, wanted: Request, holder: str, wait: float) -> list[dict[str, Any]] | None:
    writer = Writer(parts.vault, parts.tokens, extended=wanted.transports is not None)
    deadline = monotonic() + wait
    with parts.bells.waiting(READY) as bell:
        while True:
            bell.clear()
            with parts.database.transaction() as tx:
                if claim := elements.claim(tx, wanted, holder, parts.limits):
                    return writer.write(tx, claim)
            rest = deadline - monotonic()
            if rest <= 0 or parts.bells.closed:
                return None
            due = elements.seconds_until_due(parts.database)
            bell.wait(rest if due is None else min(rest, due + 0.01))


def _record_each_if_needed(parts: Container, results: list[Report], worker: str) -> list[ApiError | None]:
    """Record all at once; when one of them is wrong in itself, each for itself."""
    try:
        with parts.database.transaction() as tx:
            return reports.record(tx, results, worker, parts.backoff)
    except ApiError as error:
        if error.status != 400:
            raise
    return [_record_one(parts, each, worker) for each in results]


def _record_one(parts: Container, result: Report, worker: str) -> ApiError | None:
    try:
        with parts.database.transaction() as tx:
            return reports.record(tx, [result], worker, parts.backoff)[0]
    except ApiError as error:
        if error.status != 400:
            raise
        return error


def _bodies() -> list[dict[str, Any]]:
    given = fields.json_object().get("reports")
    if not isinstance(given, list) or not 0 < len(given) <= MAX_BATCH or not all(isinstance(e, dict) for e in given):
        raise fields.refuse(f"reports must be a list of 1 to {MAX_BATCH} objects")
    return given


def _items(read: Callable[[HandOut, dict[str, Any]], Item]) -> list[Item | ApiError]:
    return [_item(body, read) for body in _bodies()]


def _item(body: dict[str, Any], read: Callable[[HandOut, dict[str, Any]], Item]) -> Item | ApiError:
    try:
        found = container().tokens.read(str(body.get("token")))
    except InvalidToken:
        return ApiError(403, "Invalid token")
    if (found.job_id, found.element_id) != (body.get("job_id"), body.get("element_id")):
        return ApiError(403, f"Token not valid for element {body.get('element_id')} of job {body.get('job_id')}")
    try:
        return read(found, body)
    except ApiError as error:
        return error


def _result(body: dict[str, Any], refusal: ApiError | None) -> dict[str, Any]:
    if refusal is None:
        return {**_ids(body), "status": 200}
    return {**_ids(body), "status": refusal.status, "message": refusal.message}


def _ids(body: dict[str, Any]) -> dict[str, Any]:
    return {"job_id": body.get("job_id"), "element_id": body.get("element_id")}


def _name(worker: Principal) -> str:
    return f"worker {worker.id} ({worker.name})" if worker.kind is Kind.WORKER else worker.name


def _holder(worker: Principal, wanted: Request) -> str:
    return f"{_name(worker)} on {wanted.host}" if wanted.host else _name(worker)
