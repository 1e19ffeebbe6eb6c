"""Reads the fields of request bodies: each function returns the value or ends the request with 400."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

import orjson
from flask import request

from chassis.errors import ApiError

MAX_ID = 2**63 - 1
_NUL = re.compile("\0")


def refuse(message: str) -> ApiError:
    """Return the answer to a request that its sender can mend."""
    return ApiError(400, message)


def json_object() -> dict[str, Any]:
    """Return the body of the current request, whatever its content type says (spec: workqueue 1)."""
    try:
        body = orjson.loads(request.get_data())
    except orjson.JSONDecodeError:
        raise refuse("The body is not JSON") from None
    if not isinstance(body, dict):
        raise refuse("The body must be a JSON object")
    return cast(dict[str, Any], body)


def require(body: Mapping[str, Any], names: Iterable[str]) -> None:
    """Make sure that the keys are there, whatever their values."""
    if missing := [name for name in names if name not in body]:
        raise refuse(f"Missing data attributes: {missing}")


def whole(body: Mapping[str, Any], name: str, low: int, high: int, default: int | None = None) -> int:
    """Return a whole number; digit strings count, ``null`` and a missing key are the default if there is one."""
    value = body.get(name)
    if value is None and default is not None:
        return default
    number = as_whole(value)
    if number is None or not low <= number <= high:
        raise refuse(f"{name} must be a whole number from {low} to {high}")
    return number


def optional_whole(body: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    """Return a whole number, or ``None`` for ``null`` and a missing key."""
    return None if body.get(name) is None else whole(body, name, low, high)


def as_whole(value: Any) -> int | None:
    """Return what a client means by a number: ``12``, ``12.7`` (12) and ``"12"``; ``None`` for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value):
        return int(value)
    return None


def text(body: Mapping[str, Any], name: str, longest: int, default: str | None = None, shortest: int = 0) -> str:
    """Return a text; ``null`` and a missing key are the default if there is one."""
    value = body.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or not shortest <= len(value) <= longest or _NUL.search(value):
        raise refuse(f"{name} must be a text of {shortest} to {longest} characters")
    return value


def optional_text(body: Mapping[str, Any], name: str, longest: int) -> str | None:
    """Return a text, or ``None`` for ``null`` and a missing key."""
    return None if body.get(name) is None else text(body, name, longest)


def flag(body: Mapping[str, Any], name: str, default: bool) -> bool:
    """Return a truth value."""
    value = body.get(name)
    if value is None:
        return default
    if value not in (True, False, 0, 1):
        raise refuse(f"{name} must be true or false")
    return bool(value)
