"""Ends a running gate's work gently: for whoever stops it, before the SIGTERM on which Envoy drops everything."""

import re
import time
from urllib.error import URLError
from urllib.request import Request, urlopen

from gateway.errors import GateError
from gateway.launcher import ADMIN_ADDRESS
from gateway.settings import GateSettings

ACTIVE_REQUESTS = "http.gate.downstream_rq_active"


class NoGate(GateError):
    """No gate answers at that admin address."""


class StillBusy(GateError):
    """Requests are still running at the end of the grace time."""


def drain(settings: GateSettings) -> None:
    """Stop taking connections and wait until every request has its answer.

    `StillBusy` after TASKYARD_SHUTDOWN_GRACE seconds, `NoGate` if none is running.
    """
    admin = f"http://{_admin_address(settings)}"
    _call(Request(f"{admin}/healthcheck/fail", method="POST"))  # noqa: S310 - answers say `Connection: close` now
    _call(Request(f"{admin}/drain_listeners", method="POST"))  # noqa: S310
    deadline = time.monotonic() + settings.shutdown_grace
    while running := _running_requests(admin):
        if time.monotonic() > deadline:
            raise StillBusy(f"{running} requests are still running after {settings.shutdown_grace:g} s")
        time.sleep(0.05)


def _admin_address(settings: GateSettings) -> str:
    written = settings.data and settings.data / "gateway" / ADMIN_ADDRESS
    if written and written.exists():
        return written.read_text(encoding="utf-8")
    return f"127.0.0.1:{settings.admin_port}"


def _running_requests(admin: str) -> int:
    answer = _call(Request(f"{admin}/stats?filter=^{ACTIVE_REQUESTS}$"))  # noqa: S310
    found = re.search(r": (\d+)", answer)
    return int(found[1]) if found else 0


def _call(request: Request) -> str:
    try:
        with urlopen(request, timeout=5) as answer:  # noqa: S310 - http to the gate's own admin page
            return str(answer.read(), "utf-8")
    except URLError as error:
        raise NoGate(f"no gate answers at {request.host}: {error.reason}") from error
