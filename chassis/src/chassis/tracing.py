"""W3C trace context: which trace the current work belongs to (DESIGN 3, 5).

A trace comes with the request, as the header ``traceparent``, or with the event that is being handled. A request that
came without one begins a trace that is named after its request id, so that every service it passes gives it the same
name; the gate's access log has the id. Nothing is computed for a request that neither logs nor tells anything.
"""

import hashlib
import os
import re
import uuid

import structlog
from flask import g, has_request_context, request

HEADER = "traceparent"
_FORM = re.compile(r"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def traceparent() -> str | None:
    """Return the context of the request or event that is being handled, ``None`` when there is neither."""
    if has_request_context():
        if HEADER not in g:
            g.traceparent = _valid(request.headers.get(HEADER)) or begun(g.get("request_id"))
        return str(g.traceparent)
    return _valid(structlog.contextvars.get_contextvars().get(HEADER))


def trace_id() -> str | None:
    """Return the 32 hexadecimal digits that name the current trace, ``None`` outside of any."""
    current = traceparent()
    return current and current.split("-")[1]


def begun(request_id: str | None = None) -> str:
    """Return the context of a new trace; of the same trace for the same request id."""
    name = uuid.uuid4().hex if request_id is None else _named_after(request_id)
    return f"00-{name}-{os.urandom(8).hex()}-00"


def _named_after(request_id: str) -> str:
    try:
        return uuid.UUID(request_id).hex
    except ValueError:
        return hashlib.sha256(request_id.encode()).hexdigest()[:32]


def _valid(given: str | None) -> str | None:
    # Whatever a client sent: a trace that nobody can read must not stop the change that an event tells of.
    return given if given and _FORM.fullmatch(given) else None
