"""``POST /v1/webhooks/<id>/invoke``: needs no credential, the address is one (spec: scheduler 1.6, 5.5)."""

from collections.abc import Iterable
from typing import Any

import orjson
from flask import Blueprint, Response, request
from werkzeug.datastructures import MultiDict

from chassis.idempotency import once
from scheduler_service import access, executions, inputs, webhooks
from scheduler_service.api.answers import answer
from scheduler_service.container import container
from scheduler_service.fields import FORMS, uuid_text
from scheduler_service.refusals import not_found, refuse

blueprint = Blueprint("invocations", __name__)


@blueprint.post("/v1/webhooks/<webhook_id>/invoke")
def invoke(webhook_id: str) -> Response:
    """Run the webhook's function; any other spelling of the address needs a credential."""
    try:
        known = uuid_text(webhook_id)
    except ValueError:
        known = None
    if request.path != f"/v1/webhooks/{known}/invoke":
        access.require()
    if known is None:
        raise not_found("Webhook", id=webhook_id)
    return once(f"webhook:{known}", lambda: _invoke(known))


@blueprint.get("/v1/webhooks/<webhook_id>/invoke")
def look(webhook_id: str) -> Response:
    """Nothing to be seen."""
    raise not_found("Webhook", id=webhook_id)


def _invoke(webhook_id: str) -> Response:
    given = _input()
    if inputs.is_too_deep(given):
        raise refuse(inputs.TOO_DEEP)
    text = orjson.dumps(given).decode()
    if len(text) > inputs.MOST:
        raise refuse(f"The input is longer than {inputs.MOST} characters.")
    with container().database.transaction() as tx:
        webhook = webhooks.find(tx, webhook_id, None)
        row = executions.of_webhook(tx, webhook, text, container().settings.scheduler_patience)
    return answer({"execution_id": str(row["id"])}, 202)


def _input() -> dict[str, Any]:
    """Return one object of query arguments, form fields and members of the body; a name given twice is a list."""
    given: MultiDict[str, Any] = MultiDict(request.args)
    given.update(request.form if request.mimetype in FORMS else _members())
    return {name: _one_or_many(values) for name, values in given.lists()}


def _members() -> Iterable[tuple[str, Any]]:
    try:
        body = orjson.loads(request.get_data())
    except orjson.JSONDecodeError:
        return []
    return list(body.items()) if isinstance(body, dict) else []


def _one_or_many(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values
