"""`/auth/audit`: who did what, for tracker admins."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from flask import Blueprint, Response, request

from auth_service.api.requests import caller
from auth_service.audit import Selection
from auth_service.container import parts
from chassis.envelope import UNAUTHORIZED
from chassis.errors import JSON, ApiError

routes = Blueprint("audit", __name__, url_prefix="/auth")

LARGEST = 1_000
MAX_ID = 2**63 - 1
MAX_TEXT = 255
_DIGITS = re.compile(r"[0-9]{1,19}")


@routes.get("/audit")
def audit() -> Response:
    """Tracker admins: a page of the audit, newest first."""
    account = caller()
    if account is None:
        raise ApiError(401, UNAUTHORIZED)
    if not account.admin:
        raise ApiError(403, UNAUTHORIZED)
    events, after = parts().audit.select(_selection(request.args))
    return Response(orjson.dumps({"events": events, "next": after}), content_type=JSON)


def _selection(arguments: Mapping[str, str]) -> Selection:
    """Read the filters; one that is not known is refused, because without it too much would be shown."""
    values = {}
    for name, text in arguments.items():
        if name not in _READERS:
            raise ApiError(400, f"Unknown filter {name[:MAX_TEXT]}: there are {', '.join(_READERS)}")
        try:
            values[name] = _READERS[name](text)
        except (ValueError, OverflowError):
            raise ApiError(400, f"Invalid {name}") from None
    return Selection(**values)


def _text(text: str) -> str:
    if not text or len(text) > MAX_TEXT or "\0" in text:
        raise ValueError
    return text


def _number(text: str) -> int:
    if not _DIGITS.fullmatch(text) or int(text) > MAX_ID:
        raise ValueError
    return int(text)


def _limit(text: str) -> int:
    number = _number(text)
    if not 1 <= number <= LARGEST:
        raise ValueError
    return number


def _time(text: str) -> datetime:
    """Read RFC 3339 (without an offset: UTC) or Unix seconds."""
    if _DIGITS.fullmatch(text):
        return datetime.fromtimestamp(int(text), UTC)
    time = datetime.fromisoformat(text)
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


_READERS: Mapping[str, Callable[[str], Any]] = {
    "type": _text,
    "since": _time,
    "until": _time,
    "account": _number,
    "worker": _number,
    "username": _text,
    "address": _text,
    "after": _number,
    "limit": _limit,
}
