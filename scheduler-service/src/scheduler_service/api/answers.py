"""Answers, and what every resource of the API has in common (spec: scheduler 1.1)."""

from typing import Any

import orjson
from flask import Blueprint, Response, request
from werkzeug.exceptions import MethodNotAllowed

from chassis import public_address
from scheduler_service import access
from scheduler_service.container import container


def resource(name: str) -> Blueprint:
    """Return a blueprint whose views know their caller and answer no HEAD."""
    blueprint = Blueprint(name, __name__)
    blueprint.before_request(_no_head)
    blueprint.before_request(access.require)
    return blueprint


def answer(body: Any, status: int = 200) -> Response:
    """Answer with JSON."""
    return Response(orjson.dumps(body), status, content_type="application/json")


def nothing(status: int = 204) -> Response:
    """Answer without a body, and so without its type."""
    response = Response(status=status)
    del response.headers["Content-Type"]
    return response


def public_base() -> str:
    """Return the address under which clients see the service."""
    return public_address.public_base(request, container().settings)


def _no_head() -> None:
    if request.method == "HEAD":
        rule = request.url_rule
        raise MethodNotAllowed(sorted((rule.methods or set()) - {"HEAD"}) if rule else None)
