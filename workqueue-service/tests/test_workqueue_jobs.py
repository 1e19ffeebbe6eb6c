"""What users do with jobs: look, page, cancel, try again, watch (spec: workqueue 4.4, 4.6)."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from chassis.database import Database
from workqueue_service import jobs
from workqueue_service.api import events as events_api
from workqueue_service.container import Container
from workqueue_service.testing import API, Person, Worker, entry
from workqueue_service.worker import prune_jobs

COPY = {"dst_siteid": 1, "dst_filepath": "/copy"}


def test_jobs_in_order_with_counters(user: Person, site: int) -> None:
    """spec: workqueue 4.4."""
    assert user.get("/jobs").json == []
    numbers = [user.submit(priority=9 - n) for n in range(3)]
    jobs = user.get("/jobs").json
    assert [job["id"] for job in jobs] == numbers
    counters = {"num_elements": 1, "num_new": 1, "num_done": 0, "num_failed": 0, "num_submitted": 0, "num_running": 0}
    assert counters.items() <= jobs[0].items()
    assert "num_elements" not in user.get("/jobs/1").json


@pytest.mark.parametrize("page", [1, 2, 3, 2_000])
def test_pages_and_filters(user: Person, worker: Worker, site: int, page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """spec: workqueue 4.6; whatever the number of jobs that are held in memory at a time."""
    monkeypatch.setattr(jobs, "PAGE", page)
    for kind in ("list", "copy", "list", "mkdir"):
        user.submit(kind, **COPY)
    worker.report(worker.take(1)[0], listing={})

    def ids(query: str) -> list[int]:
        return [job["id"] for job in user.get(f"/jobs?{query}").json]

    assert ids("") == [1, 2, 3, 4]
    assert ids("limit=2") == [1, 2]
    assert ids("limit=3&offset=2") == [3, 4]
    assert ids("limit=2&offset=1") == [2, 3]
    assert ids("limit=0") == []
    assert ids("offset=9") == []
    assert ids("type=list") == [1, 3]
    assert ids("type=4") == [4]
    assert ids("status=DONE") == [1]
    assert ids("status=SUBMITTED") == [2, 3, 4]
    assert ids("status=SUBMITTED&dialect=pdm") == []
    assert ids("status=new&dialect=pdm&type=COPY") == [2]


@pytest.mark.parametrize(
    "query",
    ["limit=-1", "limit=x", "limit=10001", "offset=-1", "status=OVER", "type=9", "dialect=latin", "view=some"],
)
def test_wrong_queries(user: Person, query: str) -> None:
    """What would select nothing by mistake is refused."""
    assert user.get(f"/jobs?{query}").status_code == 400


def test_huge_numbers_name_nothing(user: Person, site: int) -> None:
    """spec: workqueue 1."""
    job = user.submit()
    for path in (
        f"/jobs/{2**63}",
        f"/jobs/{10**30}",
        f"/jobs/{job}/elements/{2**31}",
        f"/jobs/{job}/elements/{2**31 - 1}",
    ):
        assert user.get(path).status_code == 404


def test_fields_of_elements(user: Person, worker: Worker, site: int) -> None:
    """spec: workqueue 4.6, Q20."""
    job = user.submit()
    worker.report(worker.take()[0], listing={"/data": [entry("a")]})
    assert user.get(f"/jobs/{job}/elements?fields=id,status").json == [{"id": 0, "status": "DONE"}]
    assert user.get(f"/jobs/{job}/elements/0?fields=size").json == {"size": 0}
    assert user.get(f"/jobs/{job}/elements/0?fields=listing").json == {"listing": [{"/data": ["a"]}]}


def test_the_dialects(user: Person, worker: Worker, site: int) -> None:
    """DESIGN 10: every difference between them."""
    job = user.submit("copy", **COPY)
    assert user.get(f"/jobs/{job}").json["status"] == "SUBMITTED"
    assert user.get(f"/jobs/{job}/status").json["status"] == "SUBMITTED"
    assert user.get(f"/jobs/{job}/status?dialect=pdm").json["status"] == "NEW"
    assert user.get(f"/jobs/{job}").json["extra_opts"] == {}
    assert user.get(f"/jobs/{job}?dialect=pdm").json["extra_opts"] is None
    worker.report(worker.take()[0], returncode=1)
    worker.report(worker.take()[0], listing={"/data": [entry("a"), entry("b")]})
    names, entries = {"/data": ["a", "b"]}, {"/data": [entry("a"), entry("b")]}
    assert user.get(f"/jobs/{job}/elements/0").json["listing"] == [names]
    assert user.get(f"/jobs/{job}/elements/0?dialect=pdm").json["listing"] == entries
    assert user.get(f"/jobs/{job}/elements/1").json["listing"] is None
    [latest] = user.get(f"/jobs/{job}/output").json
    assert (latest["attempt"], latest["listing"]) == (2, names)
    first, second, third = user.get(f"/jobs/{job}/output?dialect=pdm").json
    assert [attempt["attempt"] for attempt in first] == [1, 2]
    assert (first[1]["listing"], second, third) == (entries, [], [])
    assert user.get(f"/jobs/{job}/elements/0/output").json == latest
    assert user.get(f"/jobs/{job}/elements/0/output?dialect=pdm").json == first
    assert user.get(f"/jobs/{job}/output?dialect=pdm&view=latest").json == [first[1]]
    assert user.get(f"/jobs/{job}/elements/0/output/2").json == latest
    assert user.get(f"/jobs/{job}/elements/0/output/2?dialect=pdm").json == first[1]


def test_the_configured_dialect(container: Container, user: Person, site: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PDM clients are at home the operator turns it round."""
    monkeypatch.setitem(container.settings.__dict__, "workqueue_dialect", "pdm")
    job = user.submit()
    assert user.get(f"/jobs/{job}").json["status"] == "NEW"
    assert user.get(f"/jobs/{job}?dialect=documented").json["status"] == "SUBMITTED"


def test_the_top_of_a_listing_comes_first(user: Person, worker: Worker, site: int) -> None:
    """spec: workqueue 3.5: PDM clients take the first key as the top."""
    user.submit()
    listing = {"/data": [entry("z")], "/data/b": [], "/data/a": [entry("y")]}
    body = json.dumps({"returncode": 0, "host": "h", "log": "", "timestamp": "t", "listing": listing})
    [element] = worker.take()
    worker.put("/worker/jobs/1/elements/0", data=body, headers={"X-Token": element["token"]})
    text = user.get("/jobs/1/elements/0?dialect=pdm").text
    assert list(json.loads(text)["listing"]) == list(listing)


def test_cancelling(user: Person, worker: Worker, site: int) -> None:
    """What is done stays done; what runs is told to stop; the rest never begins."""
    job = user.submit("copy", **COPY)
    worker.report(worker.take()[0], listing={"/data": [entry(name) for name in "abcd"]})
    first, second = worker.take(2)
    worker.report(first)
    worker.progress(second)
    answer = user.post(f"/jobs/{job}/cancel")
    assert (answer.status_code, answer.json["status"], answer.json["cancelled"]) == (200, "FAILED", True)
    assert worker.progress(second, control=True).json["cancel"] is True
    assert worker.report(second).status_code == 403
    assert worker.take() == []
    elements = user.elements(job)
    assert [element["status"] for element in elements] == ["DONE", "DONE", "FAILED", "FAILED", "FAILED"]
    assert [element["attempts"] for element in elements] == [1, 1, 1, 0, 0]
    assert {element["reason"] for element in elements[2:]} == {"Cancelled by its user"}
    assert "Cancelled by its user" in user.get(f"/jobs/{job}/elements/2/output").json["log"]
    assert user.post(f"/jobs/{job}/cancel").json["cancelled"] is True


def test_an_ended_job_cannot_be_cancelled(user: Person, worker: Worker, site: int) -> None:
    """409."""
    job = user.submit()
    worker.report(worker.take()[0], listing={})
    assert user.post(f"/jobs/{job}/cancel").status_code == 409
    assert user.job(job)["status"] == "DONE"


def test_trying_again(user: Person, worker: Worker, site: int) -> None:
    """The failed elements get as many attempts again; the others are left alone."""
    job = user.submit("copy", **COPY)
    assert user.post(f"/jobs/{job}/retry").status_code == 409
    worker.report(worker.take()[0], listing={"/data": [entry("a"), entry("b")]})
    good, bad = worker.take()
    worker.report(good)
    worker.report(bad, returncode=1)
    assert user.post(f"/jobs/{job}/retry").status_code == 409
    worker.report(worker.take()[0], returncode=1)
    answer = user.post(f"/jobs/{job}/retry")
    assert (answer.status_code, answer.json["status"]) == (200, "SUBMITTED")
    assert worker.report(bad).status_code == 403
    [again] = worker.take()
    assert (again["id"], again["attempts"], again["max_tries"]) == (2, 2, 4)
    worker.report(again)
    assert user.job(job)["status"] == "DONE"
    assert len(user.get(f"/jobs/{job}/elements/2/output?view=all").json) == 3
    assert user.post(f"/jobs/{job}/retry").status_code == 409


def test_a_cancelled_job_can_be_tried_again(user: Person, worker: Worker, site: int) -> None:
    """It is no longer cancelled then."""
    job = user.submit()
    user.post(f"/jobs/{job}/cancel")
    assert "cancelled" not in user.post(f"/jobs/{job}/retry").json
    [element] = worker.take()
    worker.report(element, listing={})
    assert user.job(job)["status"] == "DONE"


def events_of(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Return name and data of server-sent events."""
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    return [(block.split("\n")[0][7:], json.loads(block.split("\n")[1][6:])) for block in blocks]


def test_watching_a_job_that_has_ended(user: Person, worker: Worker, site: int) -> None:
    """One look is enough."""
    job = user.submit()
    worker.report(worker.take()[0], listing={})
    answer = user.get(f"/jobs/{job}/events")
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert [(name, data["status"]) for name, data in events_of(answer.text)] == [("status", "DONE"), ("end", "DONE")]


def test_watching_a_job(
    app: Flask, container: Container, user: Person, worker: Worker, site: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that happens is told as it happens, with comments in between, and the stream ends with the job."""
    monkeypatch.setattr(events_api, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(events_api, "PAUSE_SECONDS", 0.0)
    container.listener.start()
    try:
        assert container.listener.wait_until_listening(10)
        job = user.submit()
        heard: list[str] = []
        changed = threading.Condition()

        def watch() -> None:
            client = app.test_client(use_cookies=False)
            # Not the checking client: it reads the whole answer at once.
            client.__class__ = app.test_client_class.__mro__[1]  # type: ignore[union-attr]
            for piece in client.get(f"{API}/jobs/{job}/events", headers=user.headers).iter_encoded():
                with changed:
                    heard.append(piece.decode())
                    changed.notify_all()

        def wait_for(text: str) -> None:
            with changed:
                assert changed.wait_for(lambda: any(text in piece for piece in heard), 20), heard

        with ThreadPoolExecutor(1) as pool:
            watching = pool.submit(watch)
            wait_for('"num_new":1')
            wait_for(": still there")
            [element] = worker.take()
            wait_for('"num_submitted":1')
            worker.progress(element, 7)
            wait_for('"num_running":1')
            wait_for('"transferred":7')
            worker.report(element, listing={})
            wait_for("event: end")
            watching.result(timeout=10)
        assert not container.bells._waiting
    finally:
        container.listener.stop(5)


def test_ended_jobs_are_forgotten_after_a_while(user: Person, worker: Worker, site: int, database: Database) -> None:
    """spec: workqueue 10 Q42: with everything that belongs to them."""
    old, waiting = user.submit(), user.submit()
    worker.report(worker.take(1)[0], listing={"/data": [entry("a")]})
    assert prune_jobs(database, 1) == 0
    database.execute("UPDATE job SET ended_at = now() - interval '25 hours' WHERE ended_at IS NOT NULL")
    assert prune_jobs(database, 1) == 1
    assert [job["id"] for job in user.get("/jobs").json] == [waiting]
    for table in ("element", "attempt", "listing_directory", "listing_entry"):
        assert database.value(f"SELECT count(*) FROM {table} WHERE job_id = %s", [old]) == 0  # type: ignore[arg-type]
