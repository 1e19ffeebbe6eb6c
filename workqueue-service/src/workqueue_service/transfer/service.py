"""The worker routes of the workqueue, over HTTP (W1-W3 and their batches, the service's README)."""

import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import orjson
import urllib3

from workqueue_service.transfer.errors import TemporaryError
from workqueue_service.transfer.listing import Directory
from workqueue_service.transfer.work import Element, Json

BASE = "/workqueue/api/v1.0"
TRANSPORTS = ["file", "sftp", "s3", "webdav", "http", "ftp", "rclone", "dummy"]
TYPES = [0, 1, 2, 3, 4]
ANSWER_SECONDS = 30.0
PART_ENTRIES = 5_000
LINE_ENTRIES = 1_000
PART_TRIES = 6


class Unreachable(TemporaryError):
    """The workqueue cannot be reached"""


class Refused(TemporaryError):
    """The workqueue refused a call."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"the workqueue refused: {status} {message}")
        self.status = status


class Workqueue(Protocol):
    """What the worker needs of the workqueue. Every call raises :class:`Unreachable` or :class:`Refused`."""

    def ask(self, limit: int, wait: float, lease: float) -> list[Json]:
        """Return up to ``limit`` elements in their jobs, or nothing after ``wait`` seconds (W1)."""

    def report(self, reports: Sequence[Json]) -> list[Json]:
        """Report results; return what became of each, in order (W2)."""

    def monitor(self, reports: Sequence[Json]) -> list[Json]:
        """Report progress and signs of life; return for each whether to cancel, in order (W3)."""

    def upload(self, element: Element, directories: Iterable[Directory]) -> None:
        """Send a listing in parts."""


class HttpWorkqueue:
    """The workqueue at ``url``, behind the gate or not; ``headers`` gives the worker's credential for each call."""

    def __init__(self, url: str, headers: Callable[[], dict[str, str]]) -> None:
        self._base = url.rstrip("/") + BASE
        self._headers = headers
        self._host = socket.gethostname()
        self._pool = urllib3.PoolManager(maxsize=16, retries=False)

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def ask(self, limit: int, wait: float, lease: float) -> list[Json]:
        """Return up to ``limit`` elements in their jobs, or nothing after ``wait`` seconds (W1)."""
        body = {
            "types": TYPES,
            "algorithm": "BY_NUMBER",
            "algorithm.args": {"limit": limit},
            "transports": TRANSPORTS,
            "lease": lease,
            "host": self._host,
        }
        try:
            jobs: list[Json] = self._call("POST", f"/worker/jobs?wait={wait:g}", body, ANSWER_SECONDS + wait)
        except Refused as error:
            if error.status == 404:
                return []
            raise
        return jobs

    def report(self, reports: Sequence[Json]) -> list[Json]:
        """Report results; return what became of each, in order (W2)."""
        results: list[Json] = self._call("POST", "/worker/reports", {"reports": reports})["results"]
        return results

    def monitor(self, reports: Sequence[Json]) -> list[Json]:
        """Report progress and signs of life; return for each whether to cancel, in order (W3)."""
        results: list[Json] = self._call("POST", "/worker/monitoring", {"reports": reports})["results"]
        return results

    def upload(self, element: Element, directories: Iterable[Directory]) -> None:
        """Send a listing in parts, each repeated while the workqueue is away."""
        path = f"/worker/jobs/{element.job.id}/elements/{element.id}/listing"
        for number, part in enumerate(_parts(directories)):
            self._send_part(f"{path}?part={number}", part, element.token)

    def _send_part(self, path: str, part: bytes, token: str) -> None:
        for tries in range(1, PART_TRIES + 1):
            try:
                self._exchange("PUT", path, part, {"X-Token": token, "Content-Type": "application/x-ndjson"})
            except Unreachable:
                if tries == PART_TRIES:
                    raise
                time.sleep(2**tries / 4)
            else:
                return

    def _call(self, method: str, path: str, body: Any, timeout: float = ANSWER_SECONDS) -> Any:
        headers = {"Content-Type": "application/json"}
        answer = self._exchange(method, path, orjson.dumps(body), headers, timeout)
        try:
            return orjson.loads(answer)
        except orjson.JSONDecodeError:
            raise Unreachable("the workqueue answered with something else than JSON") from None

    def _exchange(
        self, method: str, path: str, body: bytes, headers: dict[str, str], timeout: float = ANSWER_SECONDS
    ) -> bytes:
        try:
            response = self._pool.request(
                method,
                self._base + path,
                body=body,
                headers=self._headers() | headers,
                timeout=urllib3.Timeout(connect=5.0, read=timeout),
                redirect=False,
            )
        except urllib3.exceptions.HTTPError:
            raise Unreachable(str(Unreachable.__doc__)) from None
        if response.status >= 500 or response.status == 429:
            raise Unreachable(f"the workqueue answers {response.status}")
        if response.status >= 400:
            raise Refused(response.status, response.data[:300].decode(errors="replace"))
        return response.data


def _parts(directories: Iterable[Directory]) -> Iterator[bytes]:
    """Yield the lines of a listing, :data:`PART_ENTRIES` entries at a time."""
    lines: list[bytes] = []
    entries = 0
    for path, found in directories:
        for start in range(0, max(1, len(found)), LINE_ENTRIES):
            some = found[start : start + LINE_ENTRIES]
            lines.append(orjson.dumps({"path": path, "entries": [entry.json() for entry in some]}))
            entries += 1 + len(some)
            if entries >= PART_ENTRIES:
                yield b"\n".join(lines)
                lines, entries = [], 0
    if lines:
        yield b"\n".join(lines)
