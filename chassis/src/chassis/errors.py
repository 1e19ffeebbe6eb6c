"""Errors that a client may see, and the forms in which the clients of each API expect them.

::

    ApiError
    └── Unavailable      503, something we depend on is away; try again after a moment
"""

import math
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import orjson

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


class ApiError(Exception):
    """The request ends with this status and message."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})


class Unavailable(ApiError):
    """A part that is needed for the answer is away for the moment; nothing was changed or lost."""

    def __init__(self, reason: str, retry_after: int = 1) -> None:
        super().__init__(503, f"{reason} is not available, try again", headers={"Retry-After": str(retry_after)})
        self.reason = reason


def spent(seconds: float, limit: int = 1) -> dict[str, str]:
    """Return the headers that say: of ``limit`` requests none is left, come again in ``seconds`` (DESIGN 11)."""
    whole = str(max(1, math.ceil(seconds)))
    return {
        "Retry-After": whole,
        "RateLimit-Limit": str(limit),
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": whole,
    }


def _tracker(status: int, message: str, extra: Mapping[str, Any]) -> tuple[bytes, str]:
    if status == 404 and message == "Not found":
        return b"Not found", TEXT
    return orjson.dumps({"ok": False, **({"message": message} if message else {}), **extra}), JSON


def _faultstring(status: int, message: str, extra: Mapping[str, Any]) -> tuple[bytes, str]:
    return orjson.dumps({"faultstring": message, "debuginfo": None, **extra}), JSON


def _error(status: int, message: str, extra: Mapping[str, Any]) -> tuple[bytes, str]:
    return orjson.dumps({"error": message, **extra}), JSON


def _keystone(status: int, message: str, extra: Mapping[str, Any]) -> tuple[bytes, str]:
    return orjson.dumps(
        {"error": {"code": status, "title": HTTPStatus(status).phrase, "message": message, **extra}}
    ), JSON


def _plain(status: int, message: str, extra: Mapping[str, Any]) -> tuple[bytes, str]:
    return message.encode(), TEXT


STYLES: dict[str, Callable[[int, str, Mapping[str, Any]], tuple[bytes, str]]] = {
    "tracker": _tracker,
    "faultstring": _faultstring,
    "error": _error,
    "keystone": _keystone,
    "plain": _plain,
}


def render(style: str, status: int, message: str, extra: Mapping[str, Any] | None = None) -> tuple[bytes, str]:
    """Return body and media type of an error answer in the form that the clients of ``style`` read."""
    return STYLES[style](status, message, extra or {})
