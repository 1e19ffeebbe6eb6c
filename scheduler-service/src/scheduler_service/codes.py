"""What a function does: the ``code`` of each source (spec: scheduler 5.2, design 11)."""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from scheduler_service import archives, inputs
from scheduler_service.refusals import refuse

OWN = ("task", "transfer", "poller", "http")
RUN = ("package", "image")
"""What is code, which a runner runs."""

SOURCES = (*RUN, *OWN)
OFF = "Running code is switched off in this system."
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
MAX_RETRIES = 5
FRAMING = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "expect"})
MAX_BYTES = 64 * 1024
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", re.ASCII)

Code = dict[str, Any]


def read(given: Any) -> Code:
    """Return the code object that a request names, as an object or as its text; raise 400."""
    if isinstance(given, str):
        try:
            given = orjson.loads(given)
        except orjson.JSONDecodeError:
            raise refuse("Invalid code: it must be a JSON object.") from None
    if not isinstance(given, dict):
        raise refuse("Invalid code: it must be a JSON object.")
    source = given.get("source")
    if source == "swift":
        raise refuse("Swift object not supported.")
    if source not in SOURCES:
        raise refuse(f"Invalid code source specified, available sources: {', '.join(SOURCES)}")
    if inputs.is_too_deep(given):
        raise refuse("Invalid code: it is nested too deeply.")
    if len(orjson.dumps(given)) > MAX_BYTES:
        raise refuse(f"Invalid code: at most {MAX_BYTES} bytes are accepted.")
    if b"\\u0000" in orjson.dumps(given):
        raise refuse("Invalid code: the character U+0000 is not accepted.")
    if source in OWN:
        check(given)
    return given


def check(code: Mapping[str, Any]) -> None:
    """Raise 400 unless the details of one of Taskyard's own sources can be carried out."""
    CHECKS[code["source"]](code)


def package(code: Code, content: bytes | None) -> Code:
    """Return the code of a package with its checksum; raise 400 unless it is what the client says it is."""
    if content is None:
        raise refuse('"package" must be specified.')
    checksum = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if code.get("md5sum") not in (None, checksum):
        raise refuse("Package md5 mismatch.")
    archives.check(content)
    return {"source": "package", "md5sum": checksum}


def image(code: Code) -> Code:
    """Return the code of an image function; raise 400."""
    if not isinstance(code.get("image"), str) or not 0 < len(code["image"]) <= 255:
        raise refuse('"image" must be specified.')
    return {"source": "image", "image": code["image"]}


def check_poller(code: Mapping[str, Any]) -> None:
    """A poller job: ``user`` and the object ``config``."""
    _need(code, "user", str)
    if not isinstance(code.get("config", {}), dict):
        raise refuse('Invalid code: "config" must be an object.')


def check_transfer(code: Mapping[str, Any]) -> None:
    """A workqueue job: its fields beside ``source``; the workqueue checks the rest."""
    _need(code, "type", str | int)
    _need(code, "src_siteid", int)


def check_task(code: Mapping[str, Any]) -> None:
    """Tracker tasks: the fields of a task's submission beside ``source``; the tracker checks the rest."""
    _need(code, "project", int)


def check_http(code: Mapping[str, Any]) -> None:
    """A request: ``url``, ``method``, ``headers``, ``body`` or ``json``, ``expected_status``, ``retries``."""
    _need(code, "url", str)
    try:
        parts = urlsplit(code["url"])
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
        usable = usable and (parts.port or 80) > 0 and code["url"].isascii() and code["url"].isprintable()
    except ValueError:
        usable = False
    if not usable or " " in code["url"]:
        raise refuse('Invalid code: "url" must be an http or https address without a user name.')
    if code.get("method", "POST") not in METHODS:
        raise refuse(f'Invalid code: "method" must be one of {", ".join(METHODS)}.')
    if not _is_number(code.get("retries", 0), 0, MAX_RETRIES):
        raise refuse(f'Invalid code: "retries" must be an integer from 0 to {MAX_RETRIES}.')
    expected = code.get("expected_status", [200])
    if not isinstance(expected, list) or not expected or not all(_is_number(item, 100, 599) for item in expected):
        raise refuse('Invalid code: "expected_status" must be a list of status codes.')
    _check_content(code)


def _check_content(code: Mapping[str, Any]) -> None:
    headers = code.get("headers", {})
    if not isinstance(headers, dict) or not all(_is_header(*item) for item in headers.items()):
        raise refuse('Invalid code: "headers" must be an object of header names and texts, without Host.')
    if "body" in code and ("json" in code or not isinstance(code["body"], str)):
        raise refuse('Invalid code: "body" must be a text, and there is either "body" or "json".')


def _is_header(name: str, value: Any) -> bool:
    usable = isinstance(value, str) and value.isascii() and value.isprintable()
    return usable and bool(_HEADER_NAME.fullmatch(name)) and name.lower() not in FRAMING


def _is_number(value: Any, lowest: int, highest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest


def _need(code: Mapping[str, Any], name: str, kind: Any) -> None:
    value = code.get(name)
    if not isinstance(value, kind) or isinstance(value, bool) or value == "":
        raise refuse(f'Invalid code: "{name}" must be given.')


CHECKS: dict[str, Callable[[Mapping[str, Any]], None]] = {
    "poller": check_poller,
    "transfer": check_transfer,
    "task": check_task,
    "http": check_http,
}
