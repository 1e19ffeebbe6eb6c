"""Changing jobs (spec: scheduler 2.8)."""

from typing import Any

import pytest

LATER = "2026-11-22T06:42:54Z"
SOON = "Execution time must be at least 1 minute in the future."


def update(client: Any, job: Any, **fields: Any) -> tuple[int, Any]:
    """PUT a job and return the status with the job or with the text of the error."""
    status, body = client.put(f"/v1/jobs/{job['id']}", fields)
    return status, body if status == 202 else body["faultstring"]


def test_a_no_op_changes_nothing(client: Any) -> None:
    """spec: scheduler 1.3, 2.8, Q33: what the client library sends are nulls."""
    job = client.job()
    assert update(client, job) == (202, job)
    unset = dict.fromkeys(("name", "status", "pattern", "next_execution_time", "function_input"))
    assert update(client, job, **unset) == (202, job)
    ignored = {"count": 9, "function_version": 3, "function_alias": "x", "first_execution_time": "never"}
    assert update(client, job, **ignored, function_id=job["id"], id=job["id"]) == (202, job)


def test_fields_are_replaced(client: Any) -> None:
    """spec: scheduler 2.8, effects."""
    job = client.job()
    status, changed = update(client, job, name="new", function_input="", next_execution_time=LATER, timezone="UTC")
    assert status == 202
    assert changed.pop("updated_at")
    expected = {**job, "name": "new", "function_input": "", "next_execution_time": LATER, "timezone": "UTC"}
    assert changed == {name: value for name, value in expected.items() if name != "updated_at"}


def test_a_new_pattern_does_not_move_the_planned_time(client: Any) -> None:
    """spec: scheduler Q13."""
    job = client.job()
    changed = update(client, job, pattern="0 0 1 1 *")[1]
    assert (changed["pattern"], changed["next_execution_time"]) == ("0 0 1 1 *", job["next_execution_time"])


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"status": "done"}, "Invalid status."),
        ({"status": "canceled"}, "Invalid status."),
        ({"status": ""}, "Invalid status."),
        ({"pattern": ""}, "Can not change job type."),
        ({"pattern": "x", "status": "done"}, "The specified pattern is not valid: x"),
        ({"next_execution_time": "2026-11-22T05:43:53Z"}, SOON),
        ({"status": "done", "next_execution_time": "x"}, "Invalid status."),
        ({"colour": 1}, "Unknown attribute for argument job: colour"),
    ],
)
def test_refused_changes(client: Any, fields: dict[str, Any], text: str) -> None:
    """spec: scheduler 2.8, rows 3 to 8; Q21."""
    job = client.job()
    assert update(client, job, **fields) == (400, text)
    assert client.get(f"/v1/jobs/{job['id']}") == (200, job)


@pytest.mark.parametrize("text", ["", "soon"])
def test_refused_next_times(client: Any, text: str) -> None:
    """spec: scheduler 2.8, row 8; Q21."""
    assert update(client, client.job(), next_execution_time=text)[0] == 400


def test_a_one_shot_stays_one(client: Any) -> None:
    """spec: scheduler 2.8, rows 4 and 6."""
    job = client.job(first_execution_time=LATER)
    assert update(client, job, pattern="* * * * *") == (400, "Can not change job type.")
    assert update(client, job, pattern="") == (202, job)


def test_a_finished_job_cannot_be_changed(client: Any) -> None:
    """spec: scheduler 2.8, row 3; 9, step 9."""
    job = client.job()
    assert update(client, job, status="cancelled")[1]["status"] == "cancelled"
    for fields in ({}, {"status": "running"}, {"status": "nonsense"}, {"pattern": "x"}):
        assert update(client, job, **fields) == (400, "Can not update a finished job.")
    assert client.delete(f"/v1/jobs/{job['id']}")[0] == 204


def test_resuming_skips_what_was_missed_and_uses_the_new_pattern(client: Any, clock: Any) -> None:
    """spec: scheduler Q14; 9, step 8."""
    job = client.job()
    assert update(client, job, status="paused")[1]["next_execution_time"] == job["next_execution_time"]
    clock.forward(minutes=10)
    assert update(client, job, status="running")[1]["next_execution_time"] == "2026-11-22T05:53:00Z"
    update(client, job, status="paused")
    resumed = update(client, job, status="running", pattern="0 * * * *")[1]
    assert resumed["next_execution_time"] == "2026-11-22T06:00:00Z"


def test_resuming_a_one_shot_needs_notice(client: Any, clock: Any) -> None:
    """spec: scheduler 2.8, row 9."""
    job = client.job(first_execution_time=LATER)
    update(client, job, status="paused")
    clock.forward(minutes=59)
    assert update(client, job, status="running")[1]["next_execution_time"] == LATER
    update(client, job, status="paused")
    clock.forward(seconds=1)
    assert update(client, job, status="running") == (400, SOON)
    status, resumed = update(client, job, status="running", next_execution_time="2026-11-22T07:00:00Z")
    assert (status, resumed["next_execution_time"]) == (202, "2026-11-22T07:00:00Z")


def test_other_states(client: Any) -> None:
    """spec: scheduler 2.8, state machine."""
    job = client.job()
    assert update(client, job, status="running") == (202, job)
    paused = update(client, job, status="paused")[1]
    assert update(client, job, status="paused") == (202, paused)
    assert update(client, job, status="cancelled")[0] == 202


def test_the_path_is_checked_first(client: Any) -> None:
    """spec: scheduler 2.8, rows 1 and 2."""
    unknown = "6f02ee1f-cc97-4235-9b78-8d0f60fa08a9"
    assert client.put("/v1/jobs/seven", {})[0] == 400
    assert client.put(f"/v1/jobs/{unknown}", {"status": "done"})[0] == 404
    assert client.put(f"/v1/jobs/{unknown}")[1]["faultstring"] == 'Missing argument: "job"'
