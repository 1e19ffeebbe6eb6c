"""Every example of the workqueue's API document, typed as a curl command, against files that really move.

Only the address, the token, the ids and what a run makes up (log ids, times, logs) differ from the document.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from actors import Person
from curl import curl
from share import Share, Site

from chassis.testing.waiting import eventually

Say = Callable[..., Any]

GET = "curl -X GET '{gate}/workqueue/api/v1.0/{path}' -H 'Accept: application/json' -H 'X-Token: {token}'"
POST = GET.replace("GET", "POST") + " -d '{body}'"
MADE_UP = {"log_uid", "timestamp"}
ENDED = ("DONE", "FAILED")


@pytest.fixture
def sites(person: Person, share: Share) -> list[Site]:
    """The two sites of the examples."""
    return [share.site(person, f"{person.username}/{name}") for name in ("site-13", "site-15")]


@pytest.fixture
def say(person: Person, tmp_path: Path) -> Say:
    """Send an example and return the answer, which must be JSON: ``say(path)`` reads, ``say(path, body)`` submits."""
    login = {"username": person.username, "password": person.password}
    token = person.post("/auth/token", login).json()["access_token"]

    def say(path: str, body: str | None = None) -> Any:
        command = GET if body is None else POST
        answer = curl(command.format(gate=person.gate, path=path, token=token, body=body), tmp_path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json"), answer.text
        return answer.json()

    return say


def documented(answer: dict[str, Any], example: dict[str, Any], extensions: tuple[str, ...] = ()) -> None:
    """Make sure that an answer has every key of its example with this value, and nothing else that is set."""
    assert {name: answer[name] for name in example} == example
    assert all(answer[name] for name in MADE_UP & answer.keys())
    rest = answer.keys() - example.keys() - MADE_UP - set(extensions)
    assert {name: answer[name] for name in rest if answer[name] is not None} == {}


SUBMISSIONS = [
    ("jobs", '{{"src_siteid": {src}, "src_filepath": "somefile", "type": "0"}}', "LIST", {}),
    ("list", '{{"src_siteid": {src}, "src_filepath": "somefile"}}', "LIST", {}),
    (
        "copy",
        '{{"src_siteid": {src}, "dst_siteid": {dst}, "src_filepath": "somefile", "dst_filepath": "someotherfile"}}',
        "COPY",
        {"dst_siteid": "dst", "dst_filepath": "someotherfile"},
    ),
    ("remove", '{{"src_siteid": {src}, "src_filepath": "somefile"}}', "REMOVE", {}),
    (
        "rename",
        '{{"src_siteid": {src}, "src_filepath": "somefile", "dst_filepath": "someotherfile"}}',
        "RENAME",
        {"dst_siteid": "src", "dst_filepath": "someotherfile"},
    ),
    ("mkdir", '{{"src_siteid": {src}, "src_filepath": "~/somedir"}}', "MKDIR", {"src_filepath": "~/somedir"}),
]


@pytest.mark.parametrize(("route", "body", "kind", "more"), SUBMISSIONS, ids=[each[0] for each in SUBMISSIONS])
def test_a_job_is_registered_and_done(
    person: Person, sites: list[Site], say: Say, route: str, body: str, kind: str, more: dict[str, str]
) -> None:
    """POST /jobs, /list, /copy, /remove, /rename, /mkdir (spec: workqueue 4.3)."""
    source, target = sites
    (source.path / "somefile").write_text("content")
    ids = {"src": source.id, "dst": target.id}
    job = say(route, body.format(**ids))
    example = {
        "id": job["id"],
        "user_id": person.id,
        "src_siteid": source.id,
        "src_filepath": "somefile",
        "type": kind,
        "status": "SUBMITTED",
        "extra_opts": {},
        "priority": 5,
        "protocol": "GRIDFTP",
    }
    documented(job, example | {name: ids.get(value, value) for name, value in more.items()})
    assert ended(say, job["id"]) == "DONE"
    left = {f"{site.id}/{path.name}" for site in sites for path in site.path.iterdir()}
    wanted = {
        "LIST": {f"{source.id}/somefile"},
        "COPY": {f"{source.id}/somefile", f"{target.id}/someotherfile"},
        "REMOVE": set(),
        "RENAME": {f"{source.id}/someotherfile"},
        "MKDIR": {f"{source.id}/somefile", f"{source.id}/somedir"},
    }
    assert left == wanted[kind]


def test_what_was_done_is_read_as_documented(person: Person, sites: list[Site], say: Say) -> None:
    """All GET routes, for the job of the examples: a copy whose second attempt succeeds."""
    assert say("jobs") == []
    source, target = sites
    (source.path / "file1.txt").write_text("content")
    (target.path / "file2.txt").write_text("in the way")
    body = (
        f'{{"src_siteid": {source.id}, "dst_siteid": {target.id}, "src_filepath": "~/file1.txt",'
        ' "dst_filepath": "~/file2.txt", "max_tries": 1}'
    )
    number = say("copy", body)["id"]
    assert ended(say, number) == "FAILED"
    (target.path / "file2.txt").unlink()
    say(f"jobs/{number}/retry", "")
    assert ended(say, number) == "DONE"

    job = {
        "id": number,
        "user_id": person.id,
        "src_siteid": source.id,
        "dst_siteid": target.id,
        "src_filepath": "~/file1.txt",
        "dst_filepath": "~/file2.txt",
        "type": "COPY",
        "status": "DONE",
        "extra_opts": {},
        "priority": 5,
        "protocol": "GRIDFTP",
    }
    counters = tuple(f"num_{name}" for name in ("elements", "new", "done", "failed", "submitted", "running"))
    (listed,) = say("jobs")
    documented(listed, job, counters)
    documented(say(f"jobs/{number}"), job)

    element = {
        "id": 1,
        "job_id": number,
        "src_filepath": "~/file1.txt",
        "dst_filepath": "~/file2.txt",
        "size": len("content"),
        "max_tries": 2,
        "attempts": 2,
        "type": "COPY",
        "status": "DONE",
    }
    lists, copies = say(f"jobs/{number}/elements")
    assert lists["listing"] == [{"~": ["file1.txt"]}]
    documented(copies, element, ("monitoring_info",))
    documented(say(f"jobs/{number}/elements/1"), element, ("monitoring_info",))

    lists, copies = say(f"jobs/{number}/output")
    about = {"jobid": number, "elementid": 0, "attempt": 1, "type": "LIST", "status": "DONE"}
    assert without_log(lists) == about | {"listing": {"~": ["file1.txt"]}}
    second = {"jobid": number, "elementid": 1, "attempt": 2, "type": "COPY", "status": "DONE"}
    assert without_log(copies) == second
    assert without_log(say(f"jobs/{number}/elements/1/output")) == second
    first = say(f"jobs/{number}/elements/1/output/1")
    assert "already exists" in first["log"]
    assert without_log(first) == second | {"attempt": 1, "status": "FAILED"}

    assert say(f"jobs/{number}/status") == {"jobid": number, "status": "DONE"}
    status = say(f"jobs/{number}/elements/1/status")
    example = {"jobid": number, "elementid": 1, "status": "DONE", "attempts": 2}
    assert {name: status[name] for name in example} == example


def ended(say: Say, job: int) -> str:
    """Wait for the end of a job and return its status."""
    return str(eventually(lambda: found if (found := say(f"jobs/{job}/status")["status"]) in ENDED else None, 60))


def without_log(attempt: dict[str, Any]) -> dict[str, Any]:
    """Return an attempt without its log, which must be there."""
    assert attempt["log"]
    return {name: value for name, value in attempt.items() if name != "log"}
