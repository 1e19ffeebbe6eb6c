"""Requests generated from the contract, good and bad ones: each answer is one that the contract allows (design 7)."""

from typing import Any

import orjson
import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from chassis.contracts import Contract, Operation
from chassis.testing.identity import KnownPrincipals

CONTRACT = Contract.load("scheduler")
SCHEMA = schemathesis.openapi.from_dict(dict(CONTRACT.document))
GENERATED = [
    pytest.param(operation, mode, id=f"{operation.id}-{mode.value}")
    for operation in CONTRACT.operations.values()
    if "_wrong_" not in operation.id
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or operation.request or "{" in operation.path
]
FEW = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def things(client: Any, admin: Any) -> dict[str, str]:
    """One of each, by the name that its id has in paths."""
    function_id = client.function()
    client.post("/v1/aliases", {"name": "now", "function_id": function_id})
    execution = client.post("/v1/executions", {"function_id": function_id, "sync": False})[1]
    job = client.job(function_id=function_id)
    webhook = client.post("/v1/webhooks", {"function_id": function_id})[1]
    return {
        "function_id": function_id,
        "job_id": job["id"],
        "execution_id": execution["id"],
        "name": "now",
        "webhook_id": webhook["id"],
        "version_number": "1",
        "runtime_id": admin.post("/v1/runtimes", {"image": "python:3.13-slim"})[1]["id"],
    }


@pytest.mark.parametrize(("operation", "mode"), GENERATED)
def test_generated_requests(
    app: Flask, known: KnownPrincipals, things: dict[str, str], operation: Operation, mode: GenerationMode
) -> None:
    """The client of the tests checks the answers."""
    cases = SCHEMA[operation.path][operation.method].as_strategy(generation_mode=mode)
    everybody = [{}, known.add_account(3, "ada"), known.add_account(1, "root", admin=True)]

    @FEW
    @given(case=cases, headers=st.sampled_from(everybody))
    def send(case: Any, headers: dict[str, str]) -> None:
        parameters = {name: str(value) for name, value in (case.path_parameters or {}).items()}
        if any(not value or set(value) & set("/?#") for value in parameters.values()):
            return
        if mode is GenerationMode.POSITIVE:
            parameters = {name: things[name] for name in parameters}
        body = _json(case.body) if operation.request else None
        app.test_client(use_cookies=False).open(
            operation.path.format(**parameters),
            method=operation.method,
            data=body,
            content_type="application/json" if body else None,
            query_string={name: str(value) for name, value in (case.query or {}).items()},
            headers=headers,
        )

    send()


def _json(body: Any) -> bytes:
    """Return the body as JSON, also where a form was drawn."""
    try:
        return orjson.dumps(body if "package" not in (body if isinstance(body, dict) else {}) else {"code": "{}"})
    except TypeError:
        return repr(body).encode()
