"""The text that a function is given (spec: scheduler 5.1.2)."""

from typing import Any

import orjson

from scheduler_service import fields

PLAIN = "__function_input"
MOST = 65_536
TOO_DEEP = "It is nested too deeply."
ROOM = 50
"""Levels that a message may have around an input: orjson writes no more than 254 in all, but reads more."""


def read(value: Any) -> str:
    """Read the text of an input (a :data:`scheduler_service.fields.Reader`)."""
    text: str = fields.text(MOST)(value)
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    if is_too_deep(parsed):
        raise ValueError(TOO_DEEP)
    return text


def is_too_deep(value: Any) -> bool:
    """Whether a value could not be written as a part of a message."""
    for _ in range(ROOM):
        value = [value]
    try:
        orjson.dumps(value)
    except TypeError:
        return True
    return False


def stored(text: str | None) -> str | None:
    """Return the JSON object that stands for the text, ``None`` for no input."""
    if not text:
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = text
    if value is None:
        return None
    return orjson.dumps(value if isinstance(value, dict) else {PLAIN: text}).decode()


def shown(kept: str | None) -> str | None:
    """Return what clients see of a stored input."""
    if kept is None:
        return None
    value = orjson.loads(kept)
    if set(value) == {PLAIN} and isinstance(value[PLAIN], str):
        return str(value[PLAIN])
    return kept


def members(kept: str | None) -> dict[str, Any]:
    """Return the members of an input that is an object, nothing for plain text."""
    value = {} if kept is None else orjson.loads(kept)
    return {name: part for name, part in value.items() if name != PLAIN}
