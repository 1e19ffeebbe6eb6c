"""Workers that keep their own books, to be compared with the tracker's."""

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import requests
from actors import Machine

AWAY = (502, 503, 504)


@dataclass
class Books:
    """What the clients of one run saw with their own eyes."""

    leases: Counter[int] = field(default_factory=Counter)
    closed: Counter[int] = field(default_factory=Counter)
    uncertain: set[int] = field(default_factory=set)
    refused: Counter[int] = field(default_factory=Counter)
    without_retry_after: int = 0
    strange: list[str] = field(default_factory=list)


class Crew:
    """Threads that lease and release until a project has nothing left to do."""

    def __init__(self, machines: list[Machine], project: int, deadline: float = 240.0) -> None:
        self.books = Books()
        self._project = project
        self._lock = threading.Lock()
        self._stop_at = time.monotonic() + deadline
        self._threads = [threading.Thread(target=self._work, args=[machine]) for machine in machines]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def join(self) -> Books:
        """Wait until nothing is left and return the books."""
        for thread in self._threads:
            thread.join()
        return self.books

    def _work(self, machine: Machine) -> None:
        session = requests.Session()
        idle = 0
        while idle < 3 and time.monotonic() < self._stop_at:
            answer = self._send(session, "GET", f"{machine.gate}/task/get/{self._project}?wait=2", machine)
            if answer is None:
                continue
            if not answer["ok"]:
                idle += 1
                continue
            idle = 0
            self._do(session, machine, answer["content"]["task"]["id"])

    def _do(self, session: requests.Session, machine: Machine, task: int) -> None:
        with self._lock:
            self.books.leases[task] += 1
        body = json.dumps({"task_id": task, "result": 0, "verification": 0})
        sure = True
        answer = None
        while time.monotonic() < self._stop_at:
            answer = self._send(session, "POST", f"{machine.gate}/task/release", machine, body)
            if answer is not None:
                break
            sure = False
        with self._lock:
            if answer and answer["content"]["updated"]:
                self.books.closed[task] += 1
            elif not sure:
                self.books.uncertain.add(task)

    def _send(
        self, session: requests.Session, method: str, url: str, machine: Machine, body: str | None = None
    ) -> dict[str, Any] | None:
        try:
            answer = session.request(method, url, headers=machine.headers(), data=body, timeout=20)
        except requests.RequestException as error:
            with self._lock:
                self.books.strange.append(type(error).__name__)
            return None
        if answer.status_code in AWAY:
            with self._lock:
                self.books.refused[answer.status_code] += 1
                self.books.without_retry_after += "Retry-After" not in answer.headers
            time.sleep(0.2)
            return None
        if answer.status_code != 200:
            with self._lock:
                self.books.strange.append(f"{answer.status_code} {answer.text[:200]}")
            return None
        return answer.json()  # type: ignore[no-any-return]
