"""Steady work through the gate, by clients that keep their own books."""

import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from insistent import Insistent, Refused, worker
from stack import Stack

WORKERS = 6
AT_ONCE = 20
EVERY = 0.25  # seconds between submissions: 80 tasks/s, which leaves a small machine room for everything else
LEASE = 5  # seconds; a lease whose answer was lost comes back after them


@dataclass
class Books:
    """What the clients have seen with their own eyes, by the text that each task was submitted with."""

    submitted: set[str] = field(default_factory=set)
    tasks: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    closed: Counter[str] = field(default_factory=Counter)
    uncertain: set[str] = field(default_factory=set)
    strange: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Balance:
    """The books against the tracker's own: how many tasks were submitted, lost, done twice."""

    submitted: int
    lost: int
    twice: int


class Load:
    """One client that submits and several that lease and release, in a project of their own."""

    def __init__(self, stack: Stack, admin: Insistent) -> None:
        self.books = Books()
        self.balance = Balance(0, 0, 0)
        self._stack = stack
        self._project = admin.call("POST", "/project/create", {"name": f"load {time.time_ns()}", "public": True})[
            "content"
        ]["id"]
        machines = [worker(stack.url, admin, self._project) for _ in range(WORKERS)]
        self._lock = threading.Lock()
        self._submitting = threading.Event()
        self._stopping = threading.Event()
        self._idle = threading.Event()
        jobs = [(self._submit, machines[0]), *((self._work, machine) for machine in machines)]
        self._threads = [
            threading.Thread(target=job, args=[Insistent(m.gate, m.headers)], daemon=True) for job, m in jobs
        ]
        for thread in self._threads:
            thread.start()

    def resume(self) -> None:
        """Go on submitting."""
        self._idle.clear()
        self._submitting.set()

    def settle(self, seconds: float = 90) -> Balance:
        """Stop submitting, let everything be worked off, and compare the books."""
        self._submitting.clear()
        self._idle.wait(seconds)
        deadline = time.monotonic() + seconds
        while self._held() and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(0.5)  # the answer of the last release is on its way to the books
        self.balance = self._compare()
        return self.balance

    def stop(self) -> None:
        """End all clients."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _held(self) -> int:
        return self._stack.query("taskyard_tracker", f"SELECT count(*) FROM task WHERE project = {self._project}")[0]

    def _compare(self) -> Balance:
        statement = f"SELECT closed_task_count FROM project WHERE id = {self._project}"
        [closed] = self._stack.query("taskyard_tracker", statement)
        with self._lock:
            books = self.books
            unseen = books.submitted - set(books.closed) - books.uncertain
            doubled = [text for text in books.submitted if len(books.tasks[text]) > 1 or books.closed[text] > 1]
            lost = max(len(unseen), len(books.submitted) - closed)
            return Balance(len(books.submitted), lost, max(len(doubled), closed - len(books.submitted)))

    def _submit(self, machine: Insistent) -> None:
        number = 0
        while not self._stopping.is_set():
            if not self._submitting.wait(0.2):
                self._idle.set()
                continue
            texts = [str(number + n) for n in range(AT_ONCE)]
            number += AT_ONCE
            self._noting(self._submit_batch, machine, texts)
            self._stopping.wait(EVERY)

    def _submit_batch(self, machine: Insistent, texts: list[str]) -> None:
        fields = {"project": self._project, "max_retries": 100, "max_assign_time": LEASE}
        with self._lock:
            self.books.submitted.update(texts)
        machine.call("POST", "/task/bulk_submit", {"requests": [{**fields, "recipe": text} for text in texts]})

    def _work(self, machine: Insistent) -> None:
        while not self._stopping.is_set():
            self._noting(self._one_task, machine)

    def _one_task(self, machine: Insistent) -> None:
        answer = machine.once("GET", f"/task/get/{self._project}?wait=1")
        if answer is None:
            self._stopping.wait(0.2)
            return
        if answer["ok"]:
            self._release(machine, answer["content"]["task"])

    def _release(self, machine: Insistent, task: dict[str, object]) -> None:
        text, before = str(task["recipe"]), machine.repeated
        with self._lock:
            self.books.tasks[text].add(int(str(task["id"])))
        answer = machine.call("POST", "/task/release", {"task_id": task["id"], "result": 0, "verification": 0})
        with self._lock:
            if answer["content"]["updated"]:
                self.books.closed[text] += 1
            elif machine.repeated > before:  # an earlier try may have done it
                self.books.uncertain.add(text)

    def _noting(self, job, *arguments) -> None:  # type: ignore[no-untyped-def]
        try:
            job(*arguments)
        except Refused as refusal:
            with self._lock:
                self.books.strange.append(str(refusal))
