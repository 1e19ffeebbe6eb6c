"""Reads JSON that has one meaning for every reader."""

import json
from typing import Any

import orjson

from poller_service.refused import Refused


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the pairs as a mapping; raise :class:`Refused` when a name comes twice (spec: poller 1)."""
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise Refused(f"{name[:100]!r} is given more than once")
        fields[name] = value
    return fields


def loads(raw: bytes, what: str) -> Any:
    """Return the value of a JSON text; raise :class:`Refused` when ``what`` is none.

    orjson refuses what other readers stumble over (NaN, halves of characters, endless nesting); only the standard
    library sees that a name comes twice and keeps integers of any size.
    """
    try:
        orjson.loads(raw)
        return json.loads(raw, object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise Refused(f"{what} must be valid JSON") from None
