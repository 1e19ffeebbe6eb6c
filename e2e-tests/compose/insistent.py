"""A client that repeats what got no answer, under one idempotency key, as every client should."""

import os
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import requests

AWAY = (429, 502, 503, 504)
BUSY = 409  # the first try is still running
PATIENCE = 120.0  # seconds
ADMINISTRATOR = {  # the same as for the other end-to-end tests
    "username": os.environ.get("TASKYARD_ADMIN_USER", "admin"),
    "password": os.environ.get("TASKYARD_ADMIN_PASSWORD", "correct horse battery"),
}


class Refused(Exception):
    """An answer that repeating does not change, or none at all for too long."""


@dataclass
class Insistent:
    """Speaks to `gate` with `headers` and its own cookies."""

    gate: str
    headers: dict[str, str] = field(default_factory=dict)
    session: requests.Session = field(default_factory=requests.Session)
    repeated: int = 0

    def call(self, method: str, path: str, body: Any = None, timeout: float = 15) -> Any:
        """Return the answer's JSON, however often it takes; `repeated` counts the tries that failed."""
        headers = {**self.headers, "Idempotency-Key": uuid.uuid4().hex}
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                answer = self.session.request(method, self.gate + path, json=body, headers=headers, timeout=timeout)
                if answer.ok:
                    return answer.json()
                if answer.status_code not in (*AWAY, BUSY):
                    raise Refused(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
                reason = f"{answer.status_code} {answer.text[:300]}"
            except requests.RequestException as error:
                reason = type(error).__name__
            if time.monotonic() > deadline:
                raise Refused(f"{method} {path}: nothing but {reason} for {PATIENCE:g} s")
            self.repeated += 1
            time.sleep(0.2)

    def once(self, method: str, path: str, body: Any = None) -> Any:
        """Return the answer's JSON, or None if there was none or the gate said that the service is away."""
        try:
            answer = self.session.request(method, self.gate + path, json=body, headers=self.headers, timeout=15)
        except requests.RequestException:
            return None
        if answer.status_code in AWAY:
            return None
        if not answer.ok:
            raise Refused(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()


def administrator(gate: str) -> Insistent:
    """The first account, logged in; it is made if nobody has it."""
    person = Insistent(gate)
    try:
        person.call("POST", "/login", ADMINISTRATOR)
    except Refused:
        person.call("POST", "/register", ADMINISTRATOR)
    return person


def worker(gate: str, admin: Insistent, project: int) -> Insistent:
    """A worker that may lease and submit in the project."""
    made = Insistent(gate).call("POST", "/worker/create", {"alias": "chaos"})["content"]["worker"]
    machine = Insistent(gate, {"X-Worker-ID": str(made["id"]), "X-Secret": made["secret"]})
    machine.call("POST", "/project/request_access", {"project": project, "assign": True, "submit": True})
    admin.call("POST", f"/project/accept_request/{project}/{made['id']}")
    return machine
