"""What the gate itself says when it refuses or cannot deliver, in the words each service's clients understand."""

import json
import math
from dataclasses import dataclass
from typing import Any

MESSAGES = {
    400: "Bad request",
    404: "Not found",
    408: "The request did not arrive in time",
    413: "The request body is too large",
    426: "This protocol version is not served",
    429: "Too many requests",
    431: "The request headers are too large",
    500: "Internal error",
    502: "The service sent a broken answer",
    503: "The service is not available, try again",
    504: "The service did not answer in time",
}
RETRY_LATER = frozenset({429, 503, 504})
TEXT = "text/plain; charset=utf-8"
JSON = "application/json"


@dataclass(frozen=True)
class Reply:
    """One answer made by the gate. `style` None: for requests without a route, so every style at once."""

    style: str | None
    status: int
    content_type: str
    body: str
    headers: dict[str, str]


def replies(throttle_rate: float, throttle_burst: int) -> list[Reply]:
    """Every answer of the gate: per style and status, then the ones for requests without a route.

    `throttle_rate` is the refill of the per-address buckets in requests per second, `throttle_burst` their size.
    """
    styles = ("tracker", "faultstring", "error", "keystone", None)
    return [_reply(style, status, 1 / throttle_rate, throttle_burst) for style in styles for status in MESSAGES]


def _reply(style: str | None, status: int, token_delay: float, burst: int) -> Reply:
    headers = {"server": "task_tracker"} if style == "tracker" else {}  # spec: tracker 1.1
    if status in RETRY_LATER:
        headers["retry-after"] = str(math.ceil(token_delay)) if status == 429 else "1"
    if status == 429:
        headers |= {
            "ratelimit-limit": str(burst),
            "ratelimit-remaining": "0",
            "ratelimit-reset": headers["retry-after"],
        }
    if status == 404 and style in ("tracker", None):  # spec: tracker 1.1
        return Reply(style, status, TEXT, "Not found", headers)
    return Reply(style, status, JSON, json.dumps(_content(style, status, token_delay)), headers)


def _content(style: str | None, status: int, token_delay: float) -> dict[str, Any]:
    message = MESSAGES[status]
    tracker: dict[str, Any] = {"ok": False, "message": message}
    if status == 429:
        tracker["rate_limit_delay"] = token_delay
    fault = {  # spec: scheduler 1.4
        "faultcode": "Client" if status < 500 else "Server",
        "faultstring": message,
        "debuginfo": None,
    }
    error = {"error": message}  # spec: poller 3
    keystone = {"error": {"code": status, "title": message, "message": message}}
    by_style: dict[str | None, dict[str, Any]] = {
        "tracker": tracker,
        "faultstring": fault,
        "error": error,
        "keystone": keystone,
    }
    return by_style.get(style, tracker | fault | error)
