"""Answers in the tracker's dialect: one JSON object `{ok, message, rate_limit_delay, content}` (spec: tracker 1.3)."""

from __future__ import annotations

import re
import sys
from typing import Any

import orjson
from flask import Response

from chassis.errors import spent

UNLIMITED = sys.float_info.max
"""The rate that never refuses, on the wire 1.7976931348623157e308 (spec: tracker 3)."""

PARSE_FAILED = "Could not parse request"
UNAUTHORIZED = "Unauthorized"

_INT64 = 1 << 63
_DIGITS = len(str(_INT64))
_UNSIGNED = re.compile(r"[0-9]+")
_SIGNED = re.compile(r"[+-]?[0-9]+")
_QUOTED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class BadNumber(ValueError):
    """strconv.ParseInt: parsing a path or header number failed"""


def ok(content: Any = None, message: str = "") -> Response:
    """200 with `ok:true`; empty parts are left out."""
    return answer(200, True, message, content)


def refused(status: int, message: str = "", content: Any = None, **extra: Any) -> Response:
    """`ok:false` with a status, which may be 200; `extra` becomes top-level keys such as `rate_limit_delay`."""
    return answer(status, False, message, content, **extra)


def answer(status: int, success: bool, message: str = "", content: Any = None, **extra: Any) -> Response:
    """One envelope; keys come in the order of the specification, empty ones are left out."""
    body: dict[str, Any] = {"ok": success}
    if message:
        body["message"] = message
    if extra:
        body.update({key: value for key, value in extra.items() if value})
    if content is not None:
        body["content"] = content
    return Response(orjson.dumps(body), status, content_type="application/json")


def too_many_requests(delay: float) -> Response:
    """429 with the seconds until a token is there, in the body and rounded up in the headers (spec: tracker 6)."""
    response = refused(429, "Too many requests", rate_limit_delay=delay)
    response.headers.update(spent(delay))
    return response


def empty(status: int = 204) -> Response:
    """An answer without a body and without a content type."""
    response = Response(status=status)
    del response.headers["Content-Type"]
    return response


def path_number(text: str) -> int:
    """A signed 64-bit number of a path or header; raises `BadNumber` with the documented text (spec: tracker 2.1)."""
    if not _SIGNED.fullmatch(text):
        raise BadNumber(f"strconv.ParseInt: parsing {_quote(text)}: invalid syntax")
    digits = text.lstrip("+-0") or "0"
    # Python refuses to read integers of thousands of digits, so length decides first.
    number = int(digits) if len(digits) <= _DIGITS else _INT64 + 1
    if text.startswith("-"):
        number = -number
    if not -_INT64 <= number < _INT64:
        raise BadNumber(f"strconv.ParseInt: parsing {_quote(text)}: value out of range")
    return number


def query_number(text: str | None) -> int:
    """A number of a query string: digits only, anything else or absent counts as 0 (spec: tracker 1.2)."""
    if not text or not _UNSIGNED.fullmatch(text):
        return 0
    digits = text.lstrip("0")
    number = int(digits) if 0 < len(digits) <= _DIGITS else 0
    return number if number < _INT64 else 0


def _quote(text: str) -> str:
    return '"' + "".join(_QUOTED.get(char, char) for char in text) + '"'
