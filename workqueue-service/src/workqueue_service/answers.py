"""Forms of answers: JSON, an empty body, a long array piece by piece."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson
from flask import Response, request

from workqueue_service import fields
from workqueue_service.container import container
from workqueue_service.serializer import Serializer

JSON = "application/json"


def of(value: Any) -> Response:
    """Return JSON."""
    return Response(orjson.dumps(value), content_type=JSON)


def empty() -> Response:
    """Return the empty body of the worker routes (spec: workqueue 1)."""
    return Response(b"", content_type="text/plain; charset=utf-8")


def array(pages: Iterable[Iterable[Any]]) -> Response:
    """Return a JSON array that is never whole in memory."""
    return Response(_pieces(pages), content_type=JSON)


def serializer() -> Serializer:
    """Return the dialect that the request asks for with ``dialect`` and ``view``, or the configured one."""
    dialect = request.args.get("dialect", container().settings.workqueue_dialect)
    if dialect not in ("documented", "pdm"):
        raise fields.refuse("dialect must be documented or pdm")
    view = request.args.get("view", "latest" if dialect == "documented" else "all")
    if view not in ("latest", "all"):
        raise fields.refuse("view must be latest or all")
    return Serializer("pdm" if dialect == "pdm" else "documented", view == "latest")


def _pieces(pages: Iterable[Iterable[Any]]) -> Iterator[bytes]:
    opening = b"["
    for page in pages:
        items = b",".join(map(orjson.dumps, page))
        if items:
            yield opening + items
            opening = b","
    yield b"[]" if opening == b"[" else b"]"
