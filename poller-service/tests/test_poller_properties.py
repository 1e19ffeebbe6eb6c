"""What holds for every configuration and every sequence of changes (spec: poller 2, 4)."""

import json
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poller_service import configuration
from poller_service.answers import encoded
from poller_service.configuration import MAX_BYTES, RESERVED
from poller_service.jobs import Job
from poller_service.refused import Refused
from poller_service.statuses import Status, may_follow
from poller_service.strict_json import loads

SLOW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

text = st.text(st.characters(exclude_categories=["Cs"]))
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100).filter(lambda n: n not in RESERVED)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3))
fields = st.dictionaries(names, values, max_size=8)
statuses = st.sampled_from(Status)


@given(flat=fields, options=fields)
def test_flattening_merges_all_and_loses_nothing(flat: dict[str, Any], options: dict[str, Any]) -> None:
    given_ = {**flat, "config_options": options}
    if flat.keys() & options.keys():
        with pytest.raises(Refused, match="twice"):
            configuration.flatten(given_)
        return
    merged = configuration.flatten(given_)
    assert merged == {**flat, **options}
    assert list(merged) == [*flat, *options]
    assert configuration.flatten(merged) == merged


@given(config=fields)
def test_what_is_stored_is_what_was_given(config: dict[str, Any]) -> None:
    stored = configuration.encode(config)
    assert json.dumps(loads(stored.encode(), "it")) == json.dumps(config)
    assert len(stored.encode()) <= MAX_BYTES


@given(config=fields, user=text.filter(bool))
def test_a_job_on_the_wire_is_one_json_object_with_everything(config: dict[str, Any], user: str) -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
    job = Job(7, user, Status.NEW, configuration.encode(config), 1, now, now)
    wire = json.loads(encoded(job))
    assert wire.pop("created_at") == wire.pop("updated_at") == "2026-01-02T03:04:05.000006Z"
    assert json.dumps(wire) == json.dumps({"job_id": 7, "user": user, "status": "new", **config})


@SLOW
@given(config=fields)
def test_json_comes_back_as_it_was_sent(poller: Any, config: dict[str, Any]) -> None:
    status, job = poller.json(request="new", user="ada", config_options=config)
    assert status == 200, job
    for name, value in config.items():
        assert job[name] == value or not -(2**63) <= value < 2**64
    assert poller.job(job["job_id"]) == job


@SLOW
@given(config=st.dictionaries(names, text.filter(lambda t: t == t.replace("\r", "\n")), max_size=8))
def test_a_form_comes_back_as_strings(poller: Any, config: dict[str, str]) -> None:
    response = poller.client.post("/poller/update/", data={"request": "new", "user": "ada", **config})
    assert response.status_code == 200, response.data
    job = orjson.loads(response.data)
    assert {name: job[name] for name in config} == config


@given(now=statuses, then=statuses)
def test_the_ends_are_ends_and_nothing_returns_to_new(now: Status, then: Status) -> None:
    """spec: poller 4, status changes; what one job may do on its own."""
    order = [Status.NEW, Status.IN_PROGRESS]
    onward = now in order and (then not in order or order.index(then) > order.index(now))
    assert may_follow(now, then) is onward


@SLOW
@given(wanted=st.lists(st.sampled_from([*Status][1:]), max_size=6))
def test_any_sequence_of_changes_keeps_the_table(poller: Any, wanted: list[Status]) -> None:
    job_id, now, version = poller.create(), Status.NEW, 1
    for then in wanted:
        status, _ = poller.post(request=then, job_id=job_id)
        assert status == (200 if then is now or may_follow(now, then) else 400)
        if may_follow(now, then):
            now, version = then, version + 1
        assert poller.job(job_id)["status"] == now


@SLOW
@given(raw=st.binary(max_size=60) | values.map(lambda value: json.dumps(value).encode()))
def test_no_body_is_a_server_fault(poller: Any, raw: bytes) -> None:
    for kind in ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=0", "x/y"):
        response = poller.client.post("/poller/update/", data=raw, content_type=kind)
        assert response.status_code in (200, 400)
