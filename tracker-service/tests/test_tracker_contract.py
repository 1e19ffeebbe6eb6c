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
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals

Headers = dict[str, str]
Make = Callable[..., Any]

CONTRACT = Contract.load("tracker")
SCHEMA = schemathesis.openapi.from_dict(dict(CONTRACT.document))
TWINS = {"log_info", "log_warn", "log_error"}  # of log_trace, with the same schema
GENERATED = [
    pytest.param(operation, mode, id=f"{operation.id}-{mode.value}")
    for operation in CONTRACT.operations.values()
    if operation.id not in TWINS
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or operation.request or "{" in operation.path
]
FEW = settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def everybody(known: KnownPrincipals, make_project: Make, grant: Make, give_role: Make) -> list[Headers]:
    """Nobody, a worker with access, an admin, a manager with every role; projects 1 to 3."""
    for visibility in ("public", "hidden", "paused"):
        project = make_project(**{visibility: True}, git_repo="a/b")
        grant(7, project, assign=True, submit=True)
        give_role(2, project, 31)
    return [{}, known.add_worker(7), known.add_account(1, admin=True), known.add_account(2)]


@pytest.mark.parametrize(("operation", "mode"), GENERATED)
def test_generated_requests(
    client: ContractClient, everybody: list[Headers], operation: Operation, mode: GenerationMode
) -> None:
    """The client of the tests checks the answers."""
    cases = SCHEMA[operation.path][operation.method].as_strategy(generation_mode=mode)

    @FEW
    @given(case=cases, headers=st.sampled_from(everybody), project=st.integers(1, 3))
    def send(case: Any, headers: Headers, project: int) -> None:
        parameters = {name: str(value) for name, value in (case.path_parameters or {}).items()}
        if any(not value or set(value) & set("/?#") for value in parameters.values()):
            return
        if mode is GenerationMode.POSITIVE:
            parameters |= {name: str(project) for name in parameters if name != "wid"}
        query = {name: _short(name, value) for name, value in (case.query or {}).items()}
        client.open(
            operation.path.format(**parameters),
            method=operation.method,
            data=_body(case) if operation.request else None,
            query_string=query,
            headers=headers,
        )

    send()


def _short(name: str, value: Any) -> str:
    """Nobody wants to wait for a task here."""
    return "0" if name == "wait" else str(value)


def _body(case: Any) -> bytes:
    try:
        return orjson.dumps(case.body)
    except TypeError:
        return repr(case.body).encode()


def test_documented_requests(client: ContractClient, everybody: list[Headers]) -> None:
    """Every example of a request is understood."""
    for operation in CONTRACT.operations.values():
        node = CONTRACT.document["paths"][operation.path][operation.method]
        examples = node.get("requestBody", {}).get("content", {}).get("application/json", {}).get("examples", {})
        headers = everybody[1] if any(name.startswith("worker") for name in operation.callers) else everybody[2]
        for example in examples.values():
            body = orjson.dumps(example["value"])
            CONTRACT.check_request(operation.method, operation.path, body)
            path = operation.path.replace("{id}", "1")
            answer = client.open(path, method=operation.method, data=body, headers=headers)
            assert (answer.json or {}).get("message") not in ("Could not parse request", "Invalid request")
