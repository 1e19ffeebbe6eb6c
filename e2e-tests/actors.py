"""Who uses Taskyard in these tests: persons and machines that speak to the gate as a real client would."""

import itertools
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import requests

from chassis.testing.contract_client import contract_checked

PASSWORD = "correct horse battery"
TIMEOUT = 30
_numbers = itertools.count()


def unique(prefix: str) -> str:
    """Return a name that no other test uses, short enough for a username."""
    return f"{prefix}{secrets.token_hex(3)}{next(_numbers)}"[:16]


@dataclass
class Client:
    """Sends bodies the way ``curl -d`` does: as JSON text with a form's content type."""

    gate: str
    session: requests.Session = field(default_factory=lambda: contract_checked(requests.Session()))

    def headers(self) -> dict[str, str]:
        """Return what identifies this client."""
        return {}

    def get(self, path: str) -> requests.Response:
        """GET."""
        return self.session.get(self.gate + path, headers=self.headers(), timeout=TIMEOUT)

    def post(self, path: str, body: str | dict[str, Any] = "") -> requests.Response:
        """POST a body; when the gate says that it was too often, wait as long as it says and try again."""
        data = body if isinstance(body, str) else json.dumps(body)
        headers = self.headers() | {"Content-Type": "application/x-www-form-urlencoded"}
        while True:
            answer = self.session.post(self.gate + path, data=data.encode(), headers=headers, timeout=TIMEOUT)
            if answer.status_code != 429:
                return answer
            time.sleep(int(answer.headers["Retry-After"]))


@dataclass
class Person(Client):
    """Somebody with an account, logged in by a session cookie."""

    username: str = ""
    password: str = PASSWORD

    @classmethod
    def register(cls, gate: str, username: str = "") -> "Person":
        """Create an account."""
        person = cls(gate, username=username or unique("p"))
        answer = person.post("/register", {"username": person.username, "password": person.password})
        assert answer.json() == {"ok": True}, answer.text
        return person

    @classmethod
    def enter(cls, gate: str, username: str, password: str) -> "Person":
        """Log in to an account, which is created if nobody has it."""
        person = cls(gate, username=username, password=password)
        credentials = {"username": username, "password": password}
        if person.post("/login", credentials).status_code != 200 and not person.post("/register", credentials).ok:
            person.login()  # somebody else has just created it
        return person

    @property
    def id(self) -> int:
        """The account's number."""
        return int(self._account["id"])

    @property
    def is_admin(self) -> bool:
        """Whether this is an administrator."""
        return bool(self._account["tracker_admin"])

    @property
    def _account(self) -> dict[str, Any]:
        return dict(self.get("/account").json()["content"]["manager"])

    def login(self) -> None:
        """Begin a new session."""
        answer = self.post("/login", {"username": self.username, "password": self.password})
        assert answer.status_code == 200, answer.text

    def scheduler(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call the scheduler with an access token, as a Qinling client would, and return its answer."""
        login = {"username": self.username, "password": self.password}
        headers = {"X-Auth-Token": self.post("/auth/token", login).json()["access_token"]}
        answer = self.session.request(method, f"{self.gate}/v1{path}", json=body, headers=headers, timeout=60)
        assert answer.status_code in (200, 201, 202), answer.text
        return answer.json()

    def job(self, pattern: str, code: dict[str, Any], **fields: Any) -> str:
        """Create a function and a cron job that calls it, and return the job's id."""
        function = self.scheduler("POST", "/functions", {"name": unique("f"), "code": code})
        job = self.scheduler("POST", "/jobs", {"function_id": function["id"], "pattern": pattern, **fields})
        return str(job["id"])

    def ended_run(self, job: str) -> dict[str, Any] | None:
        """Return the only run of a job once it has ended."""
        runs = self.scheduler("GET", f"/jobs/{job}/runs")["runs"]
        assert len(runs) <= 1
        return runs[0] if runs and runs[0]["status"] not in ("running", "pending") else None

    def create_project(self, **fields: Any) -> int:
        """Create a project and return its id."""
        answer = self.post("/project/create", {"name": unique("project"), **fields})
        assert answer.status_code == 200, answer.text
        return int(answer.json()["content"]["id"])

    def admit(self, machine: "Machine", project: int, *, assign: bool = True, submit: bool = True) -> None:
        """Let a machine ask for access to a project, and agree."""
        asked = machine.post("/project/request_access", {"project": project, "assign": assign, "submit": submit})
        assert asked.json() == {"ok": True}, asked.text
        agreed = self.post(f"/project/accept_request/{project}/{machine.id}")
        assert agreed.json() == {"ok": True}, agreed.text


@dataclass
class Machine(Client):
    """A worker."""

    id: int = 0
    secret: str = ""

    @classmethod
    def create(cls, gate: str, alias: str = "machine") -> "Machine":
        """Register a worker."""
        machine = cls(gate)
        worker = machine.post("/worker/create", {"alias": alias}).json()["content"]["worker"]
        machine.id, machine.secret = worker["id"], worker["secret"]
        return machine

    def headers(self) -> dict[str, str]:
        """Return the two headers of spec: tracker 2.1."""
        return {"X-Worker-ID": str(self.id), "X-Secret": self.secret} if self.id else {}

    def submit(self, project: int, count: int, **fields: Any) -> None:
        """Submit ``count`` tasks."""
        tasks = [
            {"project": project, "recipe": f"recipe {n}", "max_retries": 3, "max_assign_time": 3600, **fields}
            for n in range(count)
        ]
        answer = self.post("/task/bulk_submit", {"requests": tasks})
        assert answer.json()["ok"], answer.text

    def task(self, project: int) -> dict[str, Any] | None:
        """Lease a task, or ``None`` when there is none."""
        answer = self.get(f"/task/get/{project}")
        assert answer.status_code == 200, answer.text
        return answer.json()["content"]["task"] if answer.json()["ok"] else None

    def release(self, task_id: int, result: int = 0, verification: int = 0) -> bool:
        """Release a task and return whether that changed it as asked."""
        answer = self.post("/task/release", {"task_id": task_id, "result": result, "verification": verification})
        assert answer.status_code == 200, answer.text
        return bool(answer.json()["content"]["updated"])
