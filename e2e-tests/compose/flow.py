"""A pass through the whole house: the scheduler feeds tracker, poller and workqueue, and all of it is done.

The worker writes its task's result at one site, and a transfer job copies it to the other.
"""

import json
import time
import uuid
from pathlib import Path
from typing import Any

from insistent import ADMINISTRATOR, Insistent, worker
from stack import Stack

SITES = "/site/api/v1.0"
PATIENCE = 120.0  # seconds
LEASE = 30  # seconds; comes back after them if its answer was lost


class NotDone(AssertionError):
    """A part of the pass did not come to its end."""


class Flow:
    """What a pass needs, made once: a project, a worker, two sites and three functions."""

    def __init__(self, stack: Stack, admin: Insistent) -> None:
        self._stack = stack
        self._admin = admin
        self.passes = 0
        self._project = admin.call("POST", "/project/create", {"name": f"flow {time.time_ns()}", "public": True})[
            "content"
        ]["id"]
        self._machine = worker(stack.url, admin, self._project)
        self._made, self._kept = _directory(stack, "made"), _directory(stack, "kept")
        self._source, self._target = self._site(self._made), self._site(self._kept)
        self._functions = {
            "task": self._function(
                {"source": "task", "project": self._project, "recipe": "?", "max_retries": 9, "max_assign_time": LEASE}
            ),
            "poller": self._function({"source": "poller", "user": "?", "config": {}}),
            "transfer": self._function(
                {"source": "transfer", "type": "COPY", "src_siteid": self._source, "dst_siteid": self._target}
                | {"src_filepath": "/?", "dst_filepath": "/?"}
            ),
        }

    def run(self) -> None:
        """Make one pass; returns when every part of it has been done, `NotDone` if that takes too long."""
        mark = f"mark{uuid.uuid4().hex[:12]}"
        self.passes += 1
        token = self._token()
        running = [self._start(token, "task", recipe=mark), self._start(token, "poller", user=mark)]
        _eventually(lambda: self._take_task() == mark, "the task is leased and released")
        running.append(self._start(token, "transfer", src_filepath=f"/{mark}", dst_filepath=f"/{mark}"))
        for number in running:
            _eventually(lambda number=number: self._ended(token, number), "the execution ends")
        _eventually(lambda: len(self._poller_jobs(mark)) == 1, "the poller has the job")
        _eventually(lambda: self._transferred(mark), "the result is copied")
        _eventually(lambda: self._copies("AND status = 1") == self.passes, "the transfer job is done")

    def balance(self) -> tuple[int, int, int]:
        """Return (passes, closed tasks, transfer jobs): equal when nothing was lost or done twice."""
        closed = f"SELECT closed_task_count FROM project WHERE id = {self._project}"
        return self.passes, self._stack.query("taskyard_tracker", closed)[0], self._copies()

    def _copies(self, which: str = "") -> int:
        statement = f"SELECT count(*) FROM job WHERE src_siteid = {self._source} {which}"
        return self._stack.query("taskyard_workqueue", statement)[0]

    def _site(self, directory: Path) -> int:
        wanted = {"site_name": directory.name, "endpoints": [f"file:///files/{directory.name}"]}
        return int(self._admin.call("POST", f"{SITES}/site", wanted))

    def _token(self) -> Insistent:
        token = self._admin.call("POST", "/auth/token", ADMINISTRATOR)["access_token"]
        return Insistent(self._stack.url, {"X-Auth-Token": token})

    def _function(self, code: dict[str, Any]) -> str:
        return str(self._token().call("POST", "/v1/functions", {"name": code["source"], "code": code})["id"])

    def _start(self, token: Insistent, source: str, **details: str) -> str:
        wanted = {"function_id": self._functions[source], "sync": False, "input": json.dumps(details)}
        return str(token.call("POST", "/v1/executions", wanted)["id"])

    def _ended(self, token: Insistent, number: str) -> bool:
        execution = token.call("GET", f"/v1/executions/{number}")
        if execution["status"] not in ("pending", "running", "success"):
            raise NotDone(f"execution: {execution}")
        return bool(execution["status"] == "success")

    def _take_task(self) -> str | None:
        answer = self._machine.once("GET", f"/task/get/{self._project}?wait=2")
        if not answer or not answer["ok"]:
            return None
        task, before = answer["content"]["task"], self._machine.repeated
        (self._made / task["recipe"]).write_text(task["recipe"])
        released = self._machine.call("POST", "/task/release", {"task_id": task["id"], "result": 0, "verification": 0})
        is_done = released["content"]["updated"] or self._machine.repeated > before  # then an earlier try has done it
        return str(task["recipe"]) if is_done else None

    def _poller_jobs(self, user: str) -> list[Any]:
        found = self._admin.call("GET", f"/poller/update/?request=new&user={user}")
        return list(found or [])

    def _transferred(self, mark: str) -> bool:
        copy = self._kept / mark
        return copy.exists() and copy.read_text() == mark


def _directory(stack: Stack, name: str) -> Path:
    made = stack.files() / f"{name}-{uuid.uuid4().hex[:8]}"
    made.mkdir()
    made.chmod(0o777)  # the transfer worker writes there too
    return made


def _eventually(condition, what: str) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise NotDone(f"not within {PATIENCE:g} s: {what}")
        time.sleep(0.1)
