"""How the tracker's API treats methods, paths and bodies (spec: tracker 1.1, 1.2); auth and tracker share it."""

from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, request

from chassis import lenient
from chassis.contracts import Contract
from chassis.envelope import PARSE_FAILED, empty
from chassis.errors import ApiError

PREFLIGHT = {
    "Access-Control-Allow-Headers": "Content-Type",
    "Access-Control-Allow-Methods": "GET, POST, OPTION",
    "Access-Control-Allow-Origin": "*",
}


def install(app: Flask) -> None:
    """Answer OPTIONS everywhere and HEAD nowhere; must be called before routes are added."""
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.before_request(_special_methods)


def _special_methods() -> Response | None:
    if request.method == "OPTIONS":
        response = empty(200)
        response.headers.extend(PREFLIGHT)
        return response
    if request.method == "HEAD":
        raise ApiError(404, "Not found")
    return None


def parsed_body(
    contract: Contract, operation: str, *, status: int = 400, message: str = PARSE_FAILED
) -> dict[str, Any]:
    """Return the fields of the current request's body; a parse error ends the request with ``message``."""
    try:
        return lenient.parse(request.get_data(cache=False), contract.body(operation))
    except lenient.ParseError:
        raise ApiError(status, message) from None


def keeps_rules(contract: Contract, operation: str, body: Mapping[str, Any], message: str) -> None:
    """End the request with 400 and ``message`` when the body breaks a rule of its contract."""
    if not contract.rules(operation).is_valid(body):
        raise ApiError(400, message)
