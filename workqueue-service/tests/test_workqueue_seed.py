"""Every example of the page that defines the API gives the documented answer, in the dialect that is the default."""

from typing import Any

import pytest

from chassis.database import Database
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals
from workqueue_service.testing import TRANSPORTS, Person, Worker, entry

# What the server makes up, and what the page leaves out where it is unset (spec: workqueue 9).
MADE_UP = {"log_uid", "timestamp"}


@pytest.fixture
def ada(client: ContractClient, known: KnownPrincipals) -> Person:
    """User 123 of the examples."""
    return Person(client, known.add_account(123, "ada"), 123)


@pytest.fixture(autouse=True)
def _sites(database: Database) -> None:
    """Sites 12 to 15 of the examples."""
    database.execute(
        """INSERT INTO site (id, owner_id, name, public, transport, endpoints, home, login_required)
        OVERRIDING SYSTEM VALUE
        SELECT n, 123, 'site ' || n, true, 'file', ARRAY['file:///srv/taskyard/' || n], '/', false
        FROM generate_series(12, 15) n"""
    )


def documented(answer: dict[str, Any], example: dict[str, Any]) -> None:
    """Make sure that an answer says what the example says; what the page leaves out is unset."""
    assert {name: answer[name] for name in example} == example
    assert answer.keys() >= MADE_UP
    rest = answer.keys() - example.keys() - MADE_UP
    assert all(answer[name] is None for name in rest if not name.startswith("num_")), rest


@pytest.mark.parametrize(
    ("route", "body", "more"),
    [
        ("jobs", {"src_siteid": 12, "src_filepath": "somefile", "type": "0"}, {"type": "LIST"}),
        ("list", {"src_siteid": 12, "src_filepath": "somefile"}, {"type": "LIST"}),
        (
            "copy",
            {"src_siteid": 12, "dst_siteid": 14, "src_filepath": "somefile", "dst_filepath": "someotherfile"},
            {"type": "COPY", "dst_siteid": 14, "dst_filepath": "someotherfile"},
        ),
        ("remove", {"src_siteid": 12, "src_filepath": "somefile"}, {"type": "REMOVE"}),
        (
            "rename",
            {"src_siteid": 12, "src_filepath": "somefile", "dst_filepath": "someotherfile"},
            {"type": "RENAME", "dst_siteid": 12, "dst_filepath": "someotherfile"},
        ),
        ("mkdir", {"src_siteid": 12, "src_filepath": "~/somedir"}, {"type": "MKDIR", "src_filepath": "~/somedir"}),
    ],
)
def test_new_jobs(ada: Person, route: str, body: dict[str, Any], more: dict[str, Any]) -> None:
    """POST /jobs, /list, /copy, /remove, /rename, /mkdir."""
    response = ada.post(f"/{route}", body, headers={"Accept": "application/json"})
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    example = {
        "id": 1,
        "user_id": 123,
        "src_siteid": 12,
        "src_filepath": "somefile",
        "status": "SUBMITTED",
        "extra_opts": {},
        "priority": 5,
        "protocol": "GRIDFTP",
        **more,
    }
    documented(response.json, example)


@pytest.fixture
def done(ada: Person, worker: Worker, database: Database) -> Person:
    """The user of job 12345, a COPY of one file that took two attempts."""
    database.execute("SELECT setval('job_id_seq', 12344)")
    body = {"src_siteid": 13, "dst_siteid": 15, "src_filepath": "~/file1.txt", "dst_filepath": "~/file2.txt"}
    ada.post("/copy", body)
    listing = {"~": [entry("file1.txt", 123354523)]}
    worker.report(worker.take(transports=TRANSPORTS)[0], listing=listing, log="The output from the list command")
    worker.report(worker.take()[0], returncode=1, log="The output from the first copy")
    worker.report(worker.take()[0], log="The output from the second copy")
    return ada


JOB = {
    "id": 12345,
    "user_id": 123,
    "src_siteid": 13,
    "dst_siteid": 15,
    "src_filepath": "~/file1.txt",
    "dst_filepath": "~/file2.txt",
    "type": "COPY",
    "status": "DONE",
    "extra_opts": {},
    "priority": 5,
    "protocol": "GRIDFTP",
}
ELEMENT = {
    "id": 1,
    "job_id": 12345,
    "src_filepath": "~/file1.txt",
    "dst_filepath": "~/file2.txt",
    "size": 123354523,
    "max_tries": 2,
    "attempts": 2,
    "type": "COPY",
    "status": "DONE",
}


def test_jobs(done: Person, ada: Person) -> None:
    """GET /jobs and /jobs/<job_id>."""
    [job] = done.get("/jobs").json
    documented(job, JOB)
    documented(done.get("/jobs/12345").json, JOB)


def test_no_jobs(ada: Person) -> None:
    """GET /jobs: or empty array."""
    assert ada.get("/jobs").json == []


def test_elements(done: Person) -> None:
    """GET /jobs/<job_id>/elements and /jobs/<job_id>/elements/<element_id>."""
    lists, copies = done.get("/jobs/12345/elements").json
    assert lists["listing"] == [{"~": ["file1.txt"]}]
    for element in (copies, done.get("/jobs/12345/elements/1").json):
        assert {name: element[name] for name in ELEMENT} == ELEMENT
        assert element.keys() - ELEMENT.keys() == {"timestamp", "listing", "monitoring_info"}


def output(element: int, attempt: int, kind: str, status: str) -> dict[str, Any]:
    """Return an attempt without its log."""
    return {"jobid": 12345, "elementid": element, "attempt": attempt, "type": kind, "status": status}


def test_job_output(done: Person) -> None:
    """GET /jobs/<job_id>/output: flat, the latest of each element, a listing only where something was listed."""
    lists, copies = done.get("/jobs/12345/output").json
    assert "The output from the list command" in lists.pop("log")
    assert lists == {**output(0, 1, "LIST", "DONE"), "listing": {"~": ["file1.txt"]}}
    assert "The output from the second copy" in copies.pop("log")
    assert copies == output(1, 2, "COPY", "DONE")


def test_element_output(done: Person) -> None:
    """GET /jobs/<job_id>/elements/<element_id>/output and .../output/<attempt>."""
    latest = done.get("/jobs/12345/elements/1/output").json
    assert "The output from the second copy" in latest.pop("log")
    assert latest == output(1, 2, "COPY", "DONE")
    first = done.get("/jobs/12345/elements/1/output/1").json
    assert "The output from the first copy" in first.pop("log")
    assert first == output(1, 1, "COPY", "FAILED")


def test_status(done: Person) -> None:
    """GET /jobs/<job_id>/status and /jobs/<job_id>/elements/<element_id>/status."""
    assert done.get("/jobs/12345/status").json == {"jobid": 12345, "status": "DONE"}
    status = done.get("/jobs/12345/elements/1/status").json
    example = {"jobid": 12345, "elementid": 1, "status": "DONE", "attempts": 2}
    assert {name: status[name] for name in example} == example
