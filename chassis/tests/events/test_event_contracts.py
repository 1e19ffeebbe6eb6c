"""Every schema in contracts/events, and the envelope around its examples."""

import re
import uuid
from typing import Any

import jsonschema_rs
import orjson
import pytest
import structlog

from chassis.events import Event, Handlers, InvalidEvent
from chassis.events.envelope import MAX_BYTES, uuid7
from chassis.events.schemas import schemas

EXAMPLES = [(type_, n) for type_ in sorted(schemas().types) for n in range(len(schemas().documents[type_]["examples"]))]
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("name", sorted(schemas().documents))
def test_a_schema_is_valid_described_and_has_examples(name: str) -> None:
    document = schemas().documents[name]
    jsonschema_rs.meta.validate(document)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["title"]
    assert document["description"]
    assert document["additionalProperties"] is True, "old readers ignore new fields"
    assert document["examples"]
    assert all(
        "description" in field or "const" in field or field == {"type": "object"}
        for field in document["properties"].values()
    )
    for example in document["examples"]:
        assert schemas().problem(name, example) is None


@pytest.mark.parametrize(("type_", "n"), EXAMPLES)
def test_the_envelope_of_an_example_comes_back_as_it_was(type_: str, n: int) -> None:
    event = Event.new(type_, "x/1", schemas().documents[type_]["examples"][n], service="auth")
    assert Event.parse(event.dump()) == event


@pytest.mark.parametrize("type_", sorted(schemas().types))
def test_readers_ignore_fields_that_they_do_not_know(type_: str) -> None:
    assert schemas().problem(type_, schemas().documents[type_]["examples"][0] | {"from_the_future": [1]}) is None


@pytest.mark.parametrize("type_", sorted(schemas().types))
def test_every_required_field_is_missed(type_: str) -> None:
    document = schemas().documents[type_]
    for field in document["required"]:
        example = {name: value for name, value in document["examples"][0].items() if name != field}
        assert schemas().problem(type_, example)


def test_the_envelope_is_cloudevents() -> None:
    event = Event.new("tracker.tasks.submitted", "project/1", {"project_id": 1, "count": 2}, service="tracker")
    document = orjson.loads(event.dump())
    assert document.pop("time").endswith("Z")
    assert uuid.UUID(document.pop("id")).version == 7
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", document.pop("traceparent"))
    assert document == {
        "specversion": "1.0",
        "source": "/taskyard/tracker",
        "type": "tracker.tasks.submitted",
        "subject": "project/1",
        "datacontenttype": "application/json",
        "data": {"project_id": 1, "count": 2},
    }


@pytest.mark.parametrize(("trace", "kept"), [(TRACE, True), ("rubbish", False), ("", False)])
def test_the_trace_goes_along_when_it_is_one(trace: str, kept: bool) -> None:
    """What nobody caused, or whose cause nobody can read, begins a trace."""
    with structlog.contextvars.bound_contextvars(traceparent=trace):
        event = Event.new("tracker.tasks.submitted", "project/1", {"project_id": 1, "count": 2}, service="tracker")
    assert (event.traceparent == trace) == kept
    assert Event.parse(event.dump()).traceparent == event.traceparent


@pytest.mark.parametrize(
    "change",
    [
        {"specversion": "0.3"},
        {"id": "17"},
        {"time": "yesterday"},
        {"time": "2026-01-01T00:00:00+02:00"},
        {"source": "auth"},
        {"subject": ""},
        {"type": "worker"},
        {"data": []},
        {"data": {"project_id": 1}},
    ],
)
def test_a_wrong_envelope_is_refused(change: dict[str, Any]) -> None:
    good = Event.new("tracker.tasks.submitted", "project/1", {"project_id": 1, "count": 2}, service="tracker")
    document = orjson.loads(good.dump())
    with pytest.raises(InvalidEvent):
        Event.parse(orjson.dumps(document | change))


def test_a_reason_does_not_repeat_the_value() -> None:
    with pytest.raises(InvalidEvent, match="count") as failure:
        Event.new("tracker.tasks.submitted", "project/1", {"project_id": 1, "count": "s3cr3t"}, service="x").dump()
    assert "s3cr3t" not in str(failure.value)


def test_an_event_that_no_broker_takes_is_refused() -> None:
    data = {"project_id": 1, "count": 1, "note": "x" * MAX_BYTES}
    with pytest.raises(InvalidEvent, match="larger"):
        Event.new("tracker.tasks.submitted", "project/1", data, service="tracker").dump()


def test_handlers_are_for_known_types_and_one_each() -> None:
    handlers = Handlers()
    handlers.on("auth.worker.created")(lambda tx, event: None)
    with pytest.raises(ValueError, match=r"auth\.worker\.created"):
        handlers.on("auth.worker.created")
    with pytest.raises(LookupError):
        handlers.on("auth.worker.exploded")


def test_ids_sort_by_time() -> None:
    ids = [uuid7() for _ in range(50)]
    assert len(set(ids)) == 50
    assert [id_.int >> 80 for id_ in ids] == sorted(id_.int >> 80 for id_ in ids)
    assert {(id_.version, id_.variant) for id_ in ids} == {(7, uuid.RFC_4122)}
