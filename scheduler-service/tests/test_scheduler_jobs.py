"""Creating, reading and removing jobs (spec: scheduler 2.1 to 2.7, 2.10)."""

from typing import Any
from uuid import uuid4

import pytest

KEYS = {
    "id", "name", "function_id", "function_alias", "function_version", "function_input", "status", "pattern", "count",
    "first_execution_time", "next_execution_time", "project_id", "created_at", "updated_at",
}  # fmt: skip
LATER = "2026-11-22 06:42:54"


def fault(answer: tuple[int, Any]) -> tuple[int, str]:
    """Return status and text of an error with its three keys."""
    status, body = answer
    assert body["faultcode"] == ("Server" if status >= 500 else "Client")
    assert body["debuginfo"] is None
    return status, body["faultstring"]


def test_a_recurring_job(client: Any) -> None:
    """spec: scheduler 2.1."""
    function_id = client.function()
    job = client.job(name="nightly", function_id=function_id, pattern="0 2 * * *", function_input='{"a": 1}')
    assert set(job) == KEYS
    assert {name: job[name] for name in KEYS - {"id", "created_at"}} == {
        "name": "nightly",
        "function_id": function_id,
        "function_alias": None,
        "function_version": 0,
        "function_input": '{"a": 1}',
        "status": "running",
        "pattern": "0 2 * * *",
        "count": None,
        "first_execution_time": "2026-11-23T02:00:00Z",
        "next_execution_time": "2026-11-23T02:00:00Z",
        "project_id": "3",
        "updated_at": None,
    }
    assert client.get(f"/v1/jobs/{job['id']}") == (200, job)
    assert client.get("/v1/jobs") == (200, {"jobs": [job]})


def test_what_the_client_library_sends_is_accepted(client: Any) -> None:
    """spec: scheduler 6.4: always eight keys, those not set are null."""
    unset = dict.fromkeys(("function_alias", "name", "first_execution_time", "function_input", "count"))
    body = {**unset, "function_id": client.function(), "function_version": None, "pattern": "0 * * * *"}
    status, job = client.post("/v1/jobs", body)
    assert (status, job["function_version"], job["first_execution_time"]) == (201, 0, "2026-11-22T06:00:00Z")


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("2026-11-22 06:42:20.993598", "2026-11-22T06:42:20Z"),
        ("2026-11-23", "2026-11-23T00:00:00Z"),
        ("2026-11-22 06:42", "2026-11-22T06:42:00Z"),
        ("2026-11-22T06:42:20", "2026-11-22T06:42:20Z"),
        ("2026-11-22T06:42:20Z", "2026-11-22T06:42:20Z"),
        ("2026-11-22 06:42:20 UTC", "2026-11-22T06:42:20Z"),
        ("2026-11-22T11:42:20+05:00", "2026-11-22T06:42:20Z"),
        ("2026-11-22T05:43:54", "2026-11-22T05:43:54Z"),
    ],
)
def test_times_that_are_accepted(client: Any, text: str, stored: str) -> None:
    """spec: scheduler 2.4."""
    job = client.job(first_execution_time=text)
    assert (job["first_execution_time"], job["next_execution_time"]) == (stored, stored)
    assert (job["count"], job["pattern"]) == (1, None)


@pytest.mark.parametrize(
    "text",
    ["Jan 1 2030", "1/2/2030", "2030", "23:59", "2026-13-01", "2026-11-22T25:00:00", "99999-01-01", "2030-01-01T", " ",
     "2030-01-01T00:00:00+99:00", "9999-12-31T23:59:59-23:00"],
)  # fmt: skip
def test_times_that_are_refused(client: Any, text: str) -> None:
    """spec: scheduler 2.4, Q20."""
    body = {"function_id": client.function(), "first_execution_time": text}
    assert fault(client.post("/v1/jobs", body))[0] == 400


@pytest.mark.parametrize(
    ("pattern", "first", "stored"),
    [
        ("* * * * *", "2026-11-22 06:42:00", "2026-11-22T06:42:00Z"),
        ("* * * * *", "2026-11-22 06:42:59", "2026-11-22T06:43:00Z"),
        ("0 * * * *", "2026-11-22 07:00:00", "2026-11-22T07:00:00Z"),
        ("0 * * * *", "2026-11-22 07:00:30", "2026-11-22T08:00:00Z"),
        ("0 * * * *", "2026-11-22 07:01:00", "2026-11-22T08:00:00Z"),
    ],
)
def test_a_pattern_starts_at_or_after_the_first_time(client: Any, pattern: str, first: str, stored: str) -> None:
    """spec: scheduler 2.5, Q11, Q12."""
    job = client.job(pattern=pattern, first_execution_time=first)
    assert job["first_execution_time"] == job["next_execution_time"] == stored
    assert job["count"] is None


@pytest.mark.parametrize(("count", "stored"), [(None, 1), (0, 1), (1, 1), ("1", 1)])
def test_count_of_a_one_shot(client: Any, count: object, stored: int) -> None:
    """spec: scheduler 2.3, Q15."""
    assert client.job(first_execution_time=LATER, count=count)["count"] == stored


@pytest.mark.parametrize(("count", "stored"), [(None, None), (1, 1), ("7", 7), (2.0, 2), (2**31 - 1, 2**31 - 1)])
def test_count_of_a_recurring_job(client: Any, count: object, stored: int | None) -> None:
    """spec: scheduler 2.3."""
    assert client.job(count=count)["count"] == stored


BODY = 'Missing argument: "job"'
PATTERN = "pattern or first_execution_time must be specified."
COUNT = "count must be a positive integer."


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"function_id": None}, "Either function_alias or function_id must be provided."),
        ({"function_id": None, "function_alias": ""}, "Either function_alias or function_id must be provided."),
        ({"pattern": None}, PATTERN),
        ({"pattern": "", "first_execution_time": ""}, PATTERN),
        ({"pattern": None, "first_execution_time": "2026-11-22T05:43:53Z"},
         "Execution time must be at least 1 minute in the future."),
        ({"pattern": None, "first_execution_time": LATER, "count": 2},
         "pattern must be provided if count is greater than 1."),
        ({"pattern": None, "first_execution_time": LATER, "count": -1}, COUNT),
        ({"count": 0}, COUNT),
        ({"count": -1}, COUNT),
        ({"pattern": "0 0 30 2 *"}, "The specified pattern is not valid: 0 0 30 2 *"),
        ({"pattern": "* * * * * *"}, "The specified pattern is not valid: * * * * * *"),
        ({"colour": "red"}, "Unknown attribute for argument job: colour"),
        ({"project_id": None},
         "Invalid input for field/attribute project_id. Value: 'None'. Cannot set read only field."),
    ],
)  # fmt: skip
def test_refused_jobs(client: Any, fields: dict[str, Any], text: str) -> None:
    """spec: scheduler 2.2, the table of checks; Q15, Q35."""
    body = {"function_id": client.function(), "pattern": "* * * * *", **fields}
    assert fault(client.post("/v1/jobs", body)) == (400, text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("function_id", ""), ("function_id", "x"), ("function_id", 7), ("function_version", -1),
        ("function_version", "x"), ("function_version", True), ("count", 2**31), ("count", 1.5), ("count", "one"),
        ("name", 7), ("name", "n" * 256), ("function_input", {"a": 1}), ("function_input", "x" * 65_537),
        ("pattern", "0 " * 200), ("id", "x"), ("name", "\x00"), ("timezone", "Europe/Nowhere"), ("jitter", 3601),
        ("misfire_policy", "never"), ("overlap_policy", ""), ("function_alias", ["a"]), ("created_at", "2030-01-01"),
    ],
)  # fmt: skip
def test_fields_of_a_wrong_kind(client: Any, name: str, value: Any) -> None:
    """spec: scheduler 1.2, 2.2, Q42."""
    body = {"function_id": client.function(), "pattern": "* * * * *", name: value}
    status, text = fault(client.post("/v1/jobs", body))
    assert status == 400
    assert text.startswith(f"Invalid input for field/attribute {name}. Value: '")


def test_fields_that_are_ignored(client: Any) -> None:
    """spec: scheduler 2.2, Q34."""
    job = client.job(id=str(uuid4()).upper(), status="done", next_execution_time="whenever")
    assert (job["status"], job["next_execution_time"]) == ("running", "2026-11-22T05:43:00Z")


def test_bodies_that_are_no_job(client: Any) -> None:
    """spec: scheduler 1.1, 2.2."""
    assert fault(client.post("/v1/jobs")) == (400, BODY)
    assert fault(client.post("/v1/jobs", data="{", content_type="application/json; charset=utf-8")) == (
        400,
        "Request is not in valid JSON format",
    )
    assert fault(client.post("/v1/jobs", data="[]", content_type="application/json"))[0] == 400
    assert fault(client.post("/v1/jobs", data="null", content_type="application/json"))[0] == 400
    assert fault(client.post("/v1/jobs", data={"pattern": "x"}))[0] == 400
    assert fault(client.post("/v1/jobs", data="x", content_type="text/xml")) == (415, "Unknown mimetype: text/xml")


def test_targets_must_exist_in_the_callers_project(client: Any, other: Any, admin: Any) -> None:
    """spec: scheduler 2.2, rows 11 to 13; Q27."""
    unknown, mine = str(uuid4()), client.function()
    once = {"pattern": "* * * * *"}
    missing = f"Function not found [id={unknown}]"
    assert fault(client.post("/v1/jobs", {"function_id": unknown, **once})) == (404, missing)
    for foreign in (other, admin):
        assert fault(foreign.post("/v1/jobs", {"function_id": mine, **once}))[0] == 404
    assert fault(client.post("/v1/jobs", {"function_id": mine, "function_version": 2, **once})) == (
        404,
        f"FunctionVersion not found [function_id={mine}, version_number=2]",
    )
    assert fault(client.post("/v1/jobs", {"function_alias": "now", **once})) == (
        404,
        "FunctionAlias not found [name=now]",
    )


def test_an_alias_wins_over_an_id(client: Any) -> None:
    """spec: scheduler 2.2: both may be given."""
    function_id = client.function()
    assert client.post("/v1/aliases", {"name": "now", "function_id": function_id})[0] == 201
    job = client.job(function_alias="now", function_id=str(uuid4()), function_version=9)
    assert (job["function_alias"], job["function_id"], job["function_version"]) == ("now", None, 0)


def test_extensions_show_only_where_they_are_used(client: Any) -> None:
    """spec: scheduler 2.1; design 11."""
    job = client.job(pattern="0 9 * * *", timezone="America/New_York", misfire_policy="none", jitter=0)
    assert set(job) == KEYS | {"timezone", "misfire_policy", "jitter"}
    assert job["next_execution_time"] == "2026-11-22T14:00:00Z"


def test_ids_in_any_spelling(client: Any) -> None:
    """spec: scheduler 1.2, 2.6."""
    job = client.job()
    plain = job["id"].replace("-", "").upper()
    assert client.get(f"/v1/jobs/{plain}") == (200, job)
    unknown = str(uuid4())
    for method in ("GET", "DELETE"):
        assert fault(client.request(method, f"/v1/jobs/{unknown}")) == (404, f"Job not found [id={unknown}]")
        status, text = fault(client.request(method, "/v1/jobs/seven"))
        assert (status, text[:58]) == (400, "Invalid input for field/attribute id. Value: 'seven'. unab")
        assert text.endswith("unable to convert to uuid. Error: Expected a uuid but received seven.")


def test_deletion(client: Any) -> None:
    """spec: scheduler 2.10."""
    job = client.job()
    response = client.open("DELETE", f"/v1/jobs/{job['id']}")
    assert (response.status_code, response.data) == (204, b"")
    assert "Content-Type" not in response.headers
    assert client.get(f"/v1/jobs/{job['id']}")[0] == 404
    assert fault(client.delete("/v1/jobs")) == (400, 'Missing argument: "id"')


def test_lists_are_in_the_order_of_creation_and_can_be_filtered(client: Any) -> None:
    """spec: scheduler 1.5, 2.7, Q32."""
    function_id = client.function()
    ids = [client.job(function_id=function_id, name=f"job {n}")["id"] for n in range(4)]
    assert client.put(f"/v1/jobs/{ids[1]}", {"status": "paused"})[0] == 202

    def listed(**query: str) -> list[int]:
        return [ids.index(job["id"]) for job in client.get("/v1/jobs", **query)[1]["jobs"]]

    assert listed() == [0, 1, 2, 3]
    assert listed(status="paused") == [1]
    assert listed(status="neq:paused") == [0, 2, 3]
    assert listed(name="in:job 0,job 3") == [0, 3]
    assert listed(name="nin:job 0,job 3") == [1, 2]
    assert listed(name="has:b 2") == [2]
    assert listed(name="has:%") == []
    assert listed(name="gt:job 2") == [3]
    assert listed(function_id=f"eq:{function_id}", status="running") == [0, 2, 3]


@pytest.mark.parametrize("name", ["limit", "marker", "sort_keys", "all_project"])
def test_unknown_arguments(client: Any, name: str) -> None:
    """spec: scheduler 1.5."""
    assert fault(client.get("/v1/jobs", **{name: "1"})) == (400, f'Unknown argument: "{name}"')


def test_several_unknown_arguments(client: Any) -> None:
    """spec: scheduler 1.5."""
    assert fault(client.get("/v1/jobs", a="1", b="2")) == (400, 'Unknown argument: "a, b"')


def test_an_idempotency_key_creates_once(client: Any) -> None:
    """design 11."""
    body = {"function_id": client.function(), "pattern": "* * * * *"}
    headers = {"Idempotency-Key": "k1"}
    first = client.post("/v1/jobs", body, headers=headers)
    assert client.post("/v1/jobs", body, headers=headers) == first
    assert client.post("/v1/jobs", {**body, "name": "x"}, headers=headers)[0] == 422
    assert len(client.get("/v1/jobs")[1]["jobs"]) == 1


def test_changes_are_told(client: Any, sent: Any) -> None:
    job = client.job()
    client.put(f"/v1/jobs/{job['id']}", {"status": "paused"})
    client.put(f"/v1/jobs/{job['id']}", {"status": "paused"})
    client.delete(f"/v1/jobs/{job['id']}")
    same = {"job_id": job["id"], "project_id": "3", "next_execution_time": "2026-11-22T05:43:00Z"}
    assert sent("scheduler.job.created") == [{**same, "status": "running", "version": 1}]
    assert sent("scheduler.job.updated") == [{**same, "status": "paused", "version": 2}]
    assert sent("scheduler.job.deleted") == [{**same, "status": "paused", "version": 2}]
    assert len(sent()) == 3


def test_a_version_of_what_has_none(client: Any) -> None:
    """spec: scheduler 2.2: of an image, or of one of Taskyard's own sources."""
    for code in ({"source": "image", "image": "hello"}, None):
        body = {"function_id": client.function(code), "function_version": 1, "pattern": "* * * * *"}
        status, text = fault(client.post("/v1/jobs", body))
        assert (status, text[:29]) == (404, "FunctionVersion not found [fu")


def test_an_empty_name_is_a_name(client: Any) -> None:
    """spec: scheduler 2.2."""
    assert client.job(name="")["name"] == ""


def test_finished_jobs_stay_readable(client: Any) -> None:
    """spec: scheduler 2.6, 2.7."""
    job = client.job()
    client.put(f"/v1/jobs/{job['id']}", {"status": "cancelled"})
    assert client.get(f"/v1/jobs/{job['id']}")[1]["status"] == "cancelled"
    assert [item["status"] for item in client.get("/v1/jobs")[1]["jobs"]] == ["cancelled"]


def test_an_empty_list_has_its_envelope(client: Any) -> None:
    """spec: scheduler 2.7, Q30."""
    assert client.get("/v1/jobs") == (200, {"jobs": []})


def test_the_first_failing_check_is_the_answer(client: Any) -> None:
    """spec: scheduler 2.2, the order of the checks."""
    wrong = {"first_execution_time": "x", "pattern": "x", "count": 2, "function_id": str(uuid4()), "colour": 1}
    texts = []
    for mended in ("colour", "first_execution_time", "pattern", None):
        texts.append(fault(client.post("/v1/jobs", wrong))[1])
        wrong.pop(mended or "", None)
        if mended == "pattern":
            wrong["pattern"] = "* * * * *"
    assert [text.partition(":")[0].partition(" [")[0] for text in texts] == [
        "Unknown attribute for argument job",
        "The time must look like 2026-11-22T06",
        "The specified pattern is not valid",
        "Function not found",
    ]
