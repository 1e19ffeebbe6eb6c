"""Requests generated from the contract, good and bad ones: each answer is one that the contract allows (DESIGN 7)."""

import base64
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from auth_service.testing import PASSWORD, House, Visitor
from chassis.contracts import Contract, Operation

CONTRACT = Contract.load("auth")
SCHEMA = schemathesis.openapi.from_dict(dict(CONTRACT.document))
GENERATED = [
    pytest.param(operation, mode, id=f"{operation.id}-{mode.value}")
    for operation in CONTRACT.operations.values()
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or operation.request or "{" in operation.path or operation.id == "auth_audit"
]
FEW = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def callers(house: House) -> list[Visitor]:
    """Nobody, a worker, an admin by session, another account by Basic."""
    house.account("other")
    basic = base64.b64encode(f"other:{PASSWORD}".encode()).decode()
    return [house.visitor(), house.worker(), house.account("admin"), house.visitor(Authorization=f"Basic {basic}")]


@pytest.mark.parametrize(("operation", "mode"), GENERATED)
def test_generated_requests(callers: list[Visitor], operation: Operation, mode: GenerationMode) -> None:
    """The client of the tests checks the answers."""
    cases = SCHEMA[operation.path][operation.method].as_strategy(generation_mode=mode)

    @FEW
    @given(case=cases, caller=st.sampled_from(callers))
    def send(case: Any, caller: Visitor) -> None:
        try:
            body = orjson.dumps(case.body) if operation.request else None
        except TypeError:
            body = repr(case.body).encode()
        parameters = {name: str(value) for name, value in (case.path_parameters or {}).items()}
        if all(value and not set(value) & set("/?#") for value in parameters.values()):
            key = case.headers.get("Idempotency-Key", "")
            headers = {"Idempotency_Key": key} if key.isascii() and key.isprintable() and key else {}
            path = f"{operation.path.format(**parameters)}?{urlencode(case.query or {}, errors='replace')}"
            caller.send(operation.method.upper(), path, body, headers)

    send()


def test_documented_requests(callers: list[Visitor]) -> None:
    """Every example of a request is understood."""
    admin = callers[2]
    for operation in CONTRACT.operations.values():
        node = CONTRACT.document["paths"][operation.path][operation.method]
        examples = node.get("requestBody", {}).get("content", {}).get("application/json", {}).get("examples", {})
        for example in examples.values():
            if operation.id != "keystone_authenticate":  # its body is read as it stands
                CONTRACT.check_request(operation.method, operation.path, orjson.dumps(example["value"]))
            answer = admin.send(operation.method.upper(), operation.path, example["value"], {})
            assert answer.get_json().get("message") not in ("Could not parse request", "Invalid key request")
