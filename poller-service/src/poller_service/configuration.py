"""The fields that describe how a job runs: flat beside ``job_id`` and ``user`` on the wire (spec: poller 2, 4)."""

import json
from collections.abc import Mapping
from typing import Any

from poller_service import strict_json
from poller_service.refused import Refused

OPTIONS = "config_options"
RESERVED = frozenset({"job_id", "user", "status", "created_at", "updated_at", "request", OPTIONS})
MAX_BYTES = 64 * 1024
MAX_FIELDS = 200
MAX_NAME = 100


def flatten(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``fields`` with the object in ``config_options`` merged in; raise :class:`Refused` for a bad name."""
    flat = {name: value for name, value in fields.items() if name != OPTIONS}
    for name, value in _options(fields).items():
        if name in flat:
            raise Refused(f"{name!r} is given twice: flat and in {OPTIONS}")
        flat[name] = value
    for name in flat:
        _check_name(name)
    if len(flat) > MAX_FIELDS:
        raise Refused(f"{len(flat)} configuration fields are too many: at most {MAX_FIELDS} are accepted")
    return flat


def encode(configuration: Mapping[str, Any]) -> str:
    """Return the flat fields as the text of a JSON object; raise :class:`Refused` when it is too long to be kept."""
    try:
        text = json.dumps(configuration, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except RecursionError:
        raise Refused("the configuration is nested too deeply") from None
    if len(text.encode()) > MAX_BYTES:
        raise Refused(f"the configuration is too large: at most {MAX_BYTES} bytes as JSON are accepted")
    return text


def read_options(text: str) -> Any:
    """Return what the text of a form's ``config_options`` stands for."""
    return strict_json.loads(text.encode(), OPTIONS)


def _options(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    options = fields.get(OPTIONS, {})
    if not isinstance(options, dict):
        raise Refused(f"{OPTIONS} must be a JSON object")
    return options


def _check_name(name: str) -> None:
    if name in RESERVED:
        raise Refused(f"{name!r} cannot be a configuration field")
    if not 1 <= len(name) <= MAX_NAME:
        raise Refused(f"the field name {name[:MAX_NAME]!r} is not accepted: it must have 1 to {MAX_NAME} characters")
