"""Requests generated from the contract, good and bad ones: each answer is one that the contract allows (DESIGN 7)."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from chassis.contracts import Contract, Operation
from workqueue_service.testing import Person, Worker, entry

CONTRACT = Contract.load("workqueue")
SCHEMA = schemathesis.openapi.from_dict(dict(CONTRACT.document))
TWINS = {"workqueue_copy", "workqueue_remove", "workqueue_rename", "workqueue_mkdir"}  # of workqueue_list
LINES = {"workqueue_upload_listing"}  # lines of JSON; see test_wrong_parts
GENERATED = [
    pytest.param(operation, mode, id=f"{operation.id}-{mode.value}")
    for operation in CONTRACT.operations.values()
    if operation.id not in TWINS | LINES
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or operation.request or "{" in operation.path
]
FEW = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
TOKENS = {"workqueue_report", "workqueue_monitor"}


@pytest.fixture
def taken(user: Person, worker: Worker, site: int, other_site: int) -> dict[str, Any]:
    """An element of a job of which another is done; the first job has ended."""
    user.submit()
    user.submit("copy", dst_siteid=2, dst_filepath="/x")
    for element in worker.take():
        worker.report(element, listing={"/data": [entry("a"), entry("b")]})
    first, second = worker.take()
    worker.report(first)
    return second


@pytest.mark.parametrize(("operation", "mode"), GENERATED)
def test_generated_requests(
    user: Person,
    worker: Worker,
    person: Callable[..., Person],
    taken: dict[str, Any],
    operation: Operation,
    mode: GenerationMode,
) -> None:
    """The client of the tests checks the answers."""
    cases = SCHEMA[operation.path][operation.method].as_strategy(generation_mode=mode)
    everybody = [{}, user.headers, worker.headers, person(1, admin=True).headers]
    token = {"X-Token": taken["token"]} if operation.id in TOKENS else {}

    @FEW
    @given(case=cases, headers=st.sampled_from(everybody), job=st.integers(1, 3))
    def send(case: Any, headers: dict[str, str], job: int) -> None:
        parameters = {name: str(value) for name, value in (case.path_parameters or {}).items()}
        if any(not value or set(value) & set("/?#") for value in parameters.values()):
            return
        if mode is GenerationMode.POSITIVE:
            known = {"job": taken["job_id"] if token else job, "element": taken["id"], "site": job}
            parameters |= {name: str(known[name]) for name in parameters.keys() & known.keys()}
        # A job that has not ended would be watched for ever; nobody waits for work here.
        if operation.id == "workqueue_events" and parameters["job"] == "2":
            parameters["job"] = "1"
        query = {name: "0" if name == "wait" else str(value) for name, value in (case.query or {}).items()}
        user.client.open(
            operation.path.format(**parameters),
            method=operation.method,
            data=_body(case) if operation.request is not None else None,
            query_string=query,
            headers={**headers, **(token if headers is worker.headers else {})},
        )

    send()


def _body(case: Any) -> bytes:
    try:
        return orjson.dumps(case.body)
    except TypeError:
        return repr(case.body).encode()


def test_documented_requests(user: Person, worker: Worker, site: int) -> None:
    """Every example of a request is understood."""
    for operation in CONTRACT.operations.values():
        if operation.id in TWINS:  # of other types than the example
            continue
        node = CONTRACT.document["paths"][operation.path][operation.method]
        examples = node.get("requestBody", {}).get("content", {}).get("application/json", {}).get("examples", {})
        sender = worker if "worker" in operation.callers else user
        for example in examples.values():
            body = orjson.dumps(example["value"])
            path = operation.path.replace("{site}", str(site))
            answer = user.client.open(path, method=operation.method, data=body, headers=sender.headers)
            # What the examples name need not be there.
            assert answer.status_code != 400 or "unknown or not visible" in answer.text or "operator" in answer.text
