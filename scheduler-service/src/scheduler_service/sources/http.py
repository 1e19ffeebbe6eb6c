"""Functions of the source ``http``: a request, with its expected answer and its retries (design 11)."""

from collections.abc import Collection, Mapping
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import orjson
from pydantic import IPvAnyNetwork

from chassis.addresses import AddressRefused, Resolve, pinned, resolve
from scheduler_service.sources.requesting import Answer, RequestFailed, port_of, request
from scheduler_service.sources.work import Ending, Outcome, Work

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
FIRST_DELAY = 1.0


class HttpRunner:
    """Sends requests to the public internet, and to ``allowed`` networks."""

    def __init__(self, allowed: Collection[IPvAnyNetwork], look_up: Resolve = resolve) -> None:
        self._allowed = allowed
        self._look_up = look_up

    def run(self, work: Work, ending: Ending) -> Outcome:
        """Try until the answer is the expected one, at most ``retries`` times more."""
        started, lines = monotonic(), []
        for number in range(1 + work.code.get("retries", 0)):
            if number and ending.wait(FIRST_DELAY * 2 ** (number - 1)):
                break
            succeeded, again, output = self._try(work)
            lines.append(f"{work.code.get('method', 'POST')} {work.code['url']}: {_line(output)}\n")
            if succeeded or not again:
                break
        status = "success" if succeeded else "failed"
        return Outcome(status, output, monotonic() - started, "".join(lines))

    def _try(self, work: Work) -> tuple[bool, bool, Any]:
        """Return whether it succeeded, whether another try may help, and the output."""
        code = work.code
        url = urlsplit(code["url"])
        try:
            address = pinned(url.hostname or "", port_of(url), self._allowed, self._look_up)
            headers, body = _content(code)
            answer = request(url, address, code.get("method", "POST"), headers, body, float(work.timeout))
        except AddressRefused as error:
            return False, False, str(error)
        except RequestFailed as error:
            return False, True, str(error)
        except (OSError, UnicodeError):
            return False, True, f"the host {url.hostname} is not known"
        if _is_expected(code, answer):
            return True, False, {"status": answer.status, "body": answer.body}
        return False, answer.status in RETRIED, f"the answer was {answer.status}, not as expected"


def _is_expected(code: Mapping[str, Any], answer: Answer) -> bool:
    expected = code.get("expected_status")
    return 200 <= answer.status < 300 if expected is None else answer.status in expected


def _content(code: Mapping[str, Any]) -> tuple[dict[str, str], bytes | None]:
    headers = {"User-Agent": "Taskyard", **code.get("headers", {})}
    if "json" in code:
        return {"Content-Type": "application/json", **headers}, orjson.dumps(code["json"])
    return headers, code["body"].encode() if "body" in code else None


def _line(output: Any) -> str:
    return str(output["status"]) if isinstance(output, dict) else output
