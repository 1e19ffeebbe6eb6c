"""Reads the fields of JSON bodies (spec: scheduler 1.1, 1.2)."""

import re
import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Any

import orjson
from flask import request

from chassis.errors import ApiError
from scheduler_service.refusals import refuse

Reader = Callable[[Any], Any]

MAX_INTEGER = 2**31 - 1
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_DIGITS = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_TRUE = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "off", "0"})


def json_body(argument: str) -> dict[str, Any]:
    """Return the JSON object in the body; raise 400 or 415."""
    if request.mimetype in FORMS:
        raise refuse(f'Missing argument: "{argument}"')
    if request.mimetype not in ("", "application/json"):
        raise ApiError(415, f"Unknown mimetype: {request.mimetype}")
    raw = request.get_data()
    if not raw.strip():
        raise refuse(f'Missing argument: "{argument}"')
    body = parse_json(raw)
    if not isinstance(body, dict):
        raise refuse(f'Invalid input for argument "{argument}": a JSON object is required.')
    return body


def parse_json(raw: bytes | str) -> Any:
    """Return the value of a JSON text; raise 400 when it is none."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise refuse("Request is not in valid JSON format") from None


def read(
    argument: str, body: Mapping[str, Any], known: Mapping[str, Reader], read_only: Collection[str] = ()
) -> dict[str, Any]:
    """Return the fields that are given, converted; null is not given. Raise 400 for any that is not acceptable."""
    values = {}
    for name, value in body.items():
        if name in read_only:
            raise _invalid(name, value, "Cannot set read only field.")
        if name not in known:
            raise refuse(f"Unknown attribute for argument {argument}: {name[:255]}")
        if value is None:
            continue
        try:
            values[name] = known[name](value)
        except ValueError as error:
            raise _invalid(name, value, str(error)) from None
    return values


def text(limit: int) -> Reader:
    """Return a reader of strings of at most ``limit`` characters."""

    def read_text(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"Wrong type. Expected 'str', got '{type(value).__name__}'")  # noqa: TRY004 - for read()
        if len(value) > limit:
            raise ValueError(f"Value should have a maximum of {limit} characters")
        if "\x00" in value:
            raise ValueError("The character U+0000 is not allowed")
        return value

    return read_text


def integer(lowest: int = -MAX_INTEGER, highest: int = MAX_INTEGER) -> Reader:
    """Return a reader of whole numbers, also written as decimal strings."""

    def read_integer(value: Any) -> int:
        number = _whole(value)
        if not lowest <= number <= highest:
            raise ValueError(f"Value should be between {lowest} and {highest}")
        return number

    return read_integer


def uuid_text(value: Any) -> str:
    """Read an id in any spelling and return its canonical form."""
    try:
        return str(uuid.UUID(value))
    except (ValueError, TypeError, AttributeError):
        raise ValueError(f"Wrong type. Expected a uuid but received {_short(value)}.") from None


def boolean(value: Any) -> bool:
    """Read true or false in any of their spellings."""
    word = str(value).lower() if isinstance(value, bool | int | str) else ""
    if word not in _TRUE | _FALSE:
        raise ValueError("Wrong type. Expected 'bool'")
    return word in _TRUE


def choice(options: Collection[str]) -> Reader:
    """Return a reader of one of a few words."""

    def read_choice(value: Any) -> str:
        if not isinstance(value, str) or value not in options:
            raise ValueError(f"Value should be one of: {', '.join(options)}")
        return value

    return read_choice


def path_id(given: str) -> str:
    """Return the canonical form of an id in a path; raise 400 when it is none (spec: scheduler 2.6)."""
    try:
        return uuid_text(given)
    except ValueError:
        reason = f"unable to convert to uuid. Error: Expected a uuid but received {_short(given)}."
        raise _invalid("id", given, reason) from None


def _whole(value: Any) -> int:
    if isinstance(value, int | float) and not isinstance(value, bool) and value == int(value):
        return int(value)
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    raise ValueError("Wrong type. Expected 'int'")


def _invalid(name: str, value: Any, reason: str) -> ApiError:
    return refuse(f"Invalid input for field/attribute {name}. Value: '{_short(value)}'. {reason}")


def _short(value: Any) -> str:
    return str(value)[:100]
