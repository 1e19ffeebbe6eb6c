"""GET: every row of the request table, the empty object, paging (spec: poller 1, 3, 4)."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

LISTS = ("all", "new", "in_progress", "complete", "failed")


def ids(answer: tuple[int, Any]) -> list[int]:
    status, jobs = answer
    assert status == 200, jobs
    assert isinstance(jobs, list)
    return [job["job_id"] for job in jobs]


@pytest.fixture
def crowd(poller: Any) -> dict[str, list[int]]:
    """Two jobs of each status, the first of ada and the second of bob."""
    made: dict[str, list[int]] = {}
    for status in ("new", "in_progress", "complete", "failed"):
        made[status] = [poller.create(user) for user in ("ada", "bob")]
        for job_id in made[status]:
            if status != "new":
                poller.move(job_id, status)
    return made


def test_all_gives_every_job_oldest_first(poller: Any, crowd: dict[str, list[int]]) -> None:
    assert ids(poller.get(request="all")) == sorted(job_id for pair in crowd.values() for job_id in pair)


def test_all_of_a_user_gives_that_users_jobs(poller: Any, crowd: dict[str, list[int]]) -> None:
    assert ids(poller.get(request="all", user="bob")) == [pair[1] for pair in crowd.values()]


@pytest.mark.parametrize("status", ["new", "in_progress", "complete", "failed"])
def test_a_status_gives_the_jobs_that_have_it(poller: Any, crowd: dict[str, list[int]], status: str) -> None:
    assert ids(poller.get(request=status)) == crowd[status]
    assert ids(poller.get(request=status, user="ada")) == crowd[status][:1]


def test_next_gives_the_oldest_new_job_and_changes_nothing(poller: Any, crowd: dict[str, list[int]]) -> None:
    before = poller.get(request="all")
    for _ in range(2):
        status, job = poller.get(request="next")
        assert (status, job["job_id"], job["status"]) == (200, crowd["new"][0], "new")
    assert poller.get(request="next", user="bob")[1]["job_id"] == crowd["new"][1]
    assert poller.get(request="all") == before


def test_job_gives_the_job(poller: Any, crowd: dict[str, list[int]]) -> None:
    job_id = crowd["failed"][1]
    status, job = poller.get(request="job", job_id=job_id)
    assert status == 200
    assert (job["job_id"], job["user"], job["status"]) == (job_id, "bob", "failed")


@pytest.mark.parametrize("request_", [*LISTS, "next"])
def test_no_match_is_one_empty_object(poller: Any, request_: str) -> None:
    assert poller.get(request=request_) == (200, {})
    assert poller.get(request=request_, user="nobody") == (200, {})


def test_an_unknown_job_is_one_empty_object(poller: Any) -> None:
    assert poller.get(request="job", job_id=4711) == (200, {})
    assert poller.get(request="job", job_id=2**63 - 1) == (200, {})


@pytest.mark.parametrize("url", ["/poller/update", "/poller/update/"])
def test_the_last_slash_makes_no_difference(poller: Any, url: str) -> None:
    job_id = poller.create()
    response = poller.client.get(url, query_string={"request": "next"})
    assert (response.status_code, response.json["job_id"]) == (200, job_id)
    assert response.content_type == "application/json"
    response = poller.client.post(url, data={"request": "complete", "job_id": job_id})
    assert (response.status_code, response.json["status"]) == (200, "complete")


def test_head_answers_like_get_without_a_body(poller: Any) -> None:
    response = poller.client.head("/poller/update/", query_string={"request": "all"})
    assert (response.status_code, response.data) == (200, b"")


def test_pages_follow_each_other_without_gap_or_double(poller: Any) -> None:
    made = [poller.create() for _ in range(7)]
    pages, after = [], 0
    while (page := poller.get(request="new", limit=3, after=after)) != (200, {}):
        pages.append(ids(page))
        after = pages[-1][-1]
    assert pages == [made[:3], made[3:6], made[6:]]
    assert ids(poller.get(request="all", limit=10_000)) == made


BAD = {
    "no request": {},
    "empty request": {"request": ""},
    "unknown request": {"request": "everything"},
    "a request in capitals": {"request": "ALL"},
    "job without id": {"request": "job"},
    "job with a word": {"request": "job", "job_id": "one"},
    "job with zero": {"request": "job", "job_id": 0},
    "job with a sign": {"request": "job", "job_id": "+1"},
    "job with a fraction": {"request": "job", "job_id": "1.0"},
    "job with foreign digits": {"request": "job", "job_id": "\u0661"},
    "job beyond 64 bits": {"request": "job", "job_id": 2**63},
    "job of a user": {"request": "job", "job_id": 1, "user": "ada"},
    "empty user": {"request": "all", "user": ""},
    "long user": {"request": "all", "user": "u" * 201},
    "user with NUL": {"request": "all", "user": "a\0"},
    "unknown parameter": {"request": "all", "usr": "ada"},
    "claim by GET": {"request": "next", "claim": 1},
    "wait for a list": {"request": "new", "wait": 1},
    "wait too long": {"request": "next", "wait": 61},
    "wait a little too long": {"request": "next", "wait": "60.1"},
    "wait for ever": {"request": "next", "wait": "inf"},
    "negative wait": {"request": "next", "wait": "-1"},
    "limit zero": {"request": "all", "limit": 0},
    "limit too high": {"request": "all", "limit": 10_001},
    "limit a word": {"request": "all", "limit": "ten"},
    "negative after": {"request": "all", "after": -1},
    "limit on next": {"request": "next", "limit": 1},
    "status by GET": {"request": "all", "status": "new"},
}


@pytest.mark.parametrize("parameters", BAD.values(), ids=BAD.keys())
def test_what_is_wrong_is_said(poller: Any, parameters: dict[str, object]) -> None:
    status, answer = poller.get(**parameters)
    assert status == 400
    assert list(answer) == ["error"]


def test_an_error_names_what_is_accepted(poller: Any) -> None:
    assert poller.get(request="everything")[1]["error"] == (
        "request is unknown: it must be one of all, new, in_progress, complete, failed, next, job"
    )
    assert "'usr'" in poller.get(request="all", usr="ada")[1]["error"]


@pytest.mark.parametrize("query", ["request=all&request=all", "request=all&user=a&user=b"])
def test_a_parameter_given_twice_is_refused(poller: Any, query: str) -> None:
    response = poller.client.get(f"/poller/update/?{query}")
    assert response.status_code == 400
    assert "more than once" in response.json["error"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("url", ["/poller/update", "/poller/update/"])
def test_other_methods_are_told_which_are_accepted(app: Any, url: str, method: str) -> None:
    response = FlaskClient(app, app.response_class).open(url, method=method)
    assert response.status_code == 405
    assert sorted(response.headers["Allow"].split(", ")) == ["GET", "HEAD", "POST"]
    assert list(json.loads(response.data)) == ["error"]


@pytest.mark.parametrize("path", ["/poller", "/poller/", "/poller/update/1", "/internal/x"])
def test_other_paths_are_not_found(app: Any, path: str) -> None:
    response = app.test_client().get(path)
    assert (response.status_code, json.loads(response.data)) == (404, {"error": "Not found"})
