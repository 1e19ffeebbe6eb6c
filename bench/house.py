"""Prepares projects, workers and tasks in a running Taskyard."""

import os
import time
import uuid
from dataclasses import dataclass
from typing import Any

import orjson
import requests

PER_REQUEST = 5_000
LEASE_SECONDS = 3_600


@dataclass(frozen=True)
class Worker:
    """A worker and its secret."""

    id: int
    secret: str

    @property
    def headers(self) -> dict[str, str]:
        """What the worker sends with every request."""
        return {"X-Worker-ID": str(self.id), "X-Secret": self.secret}


class House:
    """The system at ``url``; logs in as ``TASKYARD_BENCH_ACCOUNT`` (``name:password``), or registers that account."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._people, self._machines = requests.Session(), requests.Session()
        name, _, password = os.environ.get("TASKYARD_BENCH_ACCOUNT", "bench:bench-account").partition(":")
        account = {"username": name, "password": password}
        if not self._people.post(self._url + "/login", json=account, timeout=30).ok:
            self._call(self._people, "/register", account)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the answer to a request of the account, for routes that answer with plain JSON."""
        answer = self._people.request(method, self._url + path, json=body, timeout=120)
        while answer.status_code == 503:
            time.sleep(float(answer.headers.get("Retry-After", 1)))
            answer = self._people.request(method, self._url + path, json=body, timeout=120)
        if not answer.ok:
            raise SystemExit(f"{path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()

    def watch(self, path: str) -> Any:
        """Return the last of the server-sent events at ``path``."""
        data = b""
        with self._people.get(self._url + path, stream=True, timeout=120) as answer:
            for line in answer.iter_lines(chunk_size=1):
                data = line.removeprefix(b"data: ") if line.startswith(b"data: ") else data
        return orjson.loads(data)

    def workers(self, project: int, count: int) -> list[Worker]:
        """Create workers that may submit to the project and work for it."""
        made = []
        for number in range(count):
            given = self._call(self._machines, "/worker/create", {"alias": f"bench-{number}"})["content"]["worker"]
            worker = Worker(given["id"], given["secret"])
            wish = {"project": project, "assign": True, "submit": True}
            self._call(self._machines, "/project/request_access", wish, worker)
            self._call(self._people, f"/project/accept_request/{project}/{worker.id}", None)
            made.append(worker)
        return made

    def project(self) -> int:
        """Create a project of its own for a measurement."""
        fields = {"name": f"bench-{uuid.uuid4().hex[:12]}", "version": "1", "motd": "measuring"}
        return int(self._call(self._people, "/project/create", fields)["content"]["id"])

    def submit(self, project: int, worker: Worker, count: int) -> float:
        """Store tasks and return how many a second went in."""
        seconds = 0.0
        for first in range(0, count, PER_REQUEST):
            body = orjson.dumps({"requests": _tasks(project, min(PER_REQUEST, count - first))})
            started = time.perf_counter()
            self._send(self._machines, "/task/bulk_submit", body, worker)
            seconds += time.perf_counter() - started
        return count / seconds

    def submit_one(self, project: int, worker: Worker) -> None:
        """Store one task."""
        self._call(self._machines, "/task/submit", {"project": project, "recipe": "now"}, worker)

    def lease(self, project: int, worker: Worker, count: int) -> None:
        """Lease so many tasks to the worker and keep them."""
        while count > 0:
            path = f"{self._url}/task/get/{project}?count={min(count, 1000)}"
            answer = self._machines.get(path, headers=worker.headers, timeout=60).json()
            count -= len(answer["content"]["tasks"])

    def wait_for_task(self, project: int, worker: Worker) -> dict[str, Any]:
        """Wait for a task and return the answer."""
        path = f"{self._url}/task/get/{project}?wait=30"
        return dict(requests.get(path, headers=worker.headers, timeout=60).json())

    def release(self, worker: Worker, task: int) -> None:
        """Close a task."""
        self._call(self._machines, "/task/release", {"task_id": task}, worker)

    def clear(self, project: int) -> None:
        """Delete what is left of the project's tasks."""
        self._call(self._people, f"/project/hard_reset/{project}", None)

    def _call(self, session: requests.Session, path: str, body: Any, worker: Worker | None = None) -> dict[str, Any]:
        return self._send(session, path, orjson.dumps(body), worker)

    def _send(self, session: requests.Session, path: str, body: bytes, worker: Worker | None) -> dict[str, Any]:
        answer = session.post(self._url + path, data=body, headers=worker.headers if worker else {}, timeout=120)
        if not answer.ok or not answer.json()["ok"]:
            raise SystemExit(f"{path}: {answer.status_code} {answer.text[:300]}")
        return dict(answer.json())


def _tasks(project: int, count: int) -> list[dict[str, Any]]:
    return [
        {
            "project": project,
            "recipe": f'{{"url":"http://example.org/{uuid.uuid4().hex}"}}',
            "priority": 1,
            "max_retries": 3,
            "max_assign_time": LEASE_SECONDS,
            "hash64": 0,
            "unique_string": "",
            "verification_count": 0,
        }
        for _ in range(count)
    ]
