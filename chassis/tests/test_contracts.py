"""The contracts of auth and tracker, and the code that enforces contracts (contracts/README.md)."""

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
import orjson
import pytest
from werkzeug.datastructures import Headers

from chassis import lenient
from chassis.contracts import Contract, ContractViolation, Operation, contracts_directory
from chassis.schemas import response_validator

SERVICES = ("auth", "tracker")
OPERATIONS = [(name, operation) for name in SERVICES for operation in Contract.load(name).operations.values()]
JSON = Headers({"Content-Type": "application/json"})
ROLES = {"admin", "read", "edit", "manage_access", "secret", "maintenance"}
CALLERS = {"anonymous", "worker", "account", "signature", "worker:assign", "worker:submit"} | {
    f"account:{role}" for role in ROLES
}


def each(cases: list[tuple[Any, ...]]) -> list[Any]:
    return [pytest.param(*case[1:], id=case[0]) for case in cases]


STRICT = {"keystone_authenticate"}  # its body is read as it stands
LATER = {"Retry-After": "1", "RateLimit-Limit": "1", "RateLimit-Remaining": "0", "RateLimit-Reset": "1"}


def response_examples() -> Iterator[tuple[str, str, Operation, str, str, Any]]:
    for service, operation in OPERATIONS:
        for status, response in operation.responses.items():
            for media_type, media in response.get("content", {}).items():
                for name, example in media.get("examples", {}).items():
                    case = f"{operation.id}-{status}-{name}"
                    yield case, service, operation, status, media_type, example["value"]


def request_examples() -> Iterator[tuple[str, str, Operation, Any]]:
    for service, operation in OPERATIONS:
        body = Contract.load(service).document["paths"][operation.path][operation.method].get("requestBody")
        for name, example in (body["content"]["application/json"]["examples"] if body else {}).items():
            yield f"{operation.id}-{name}", service, operation, example["value"]


def concrete(operation: Operation) -> str:
    return operation.path.replace("{id}", "1").replace("{wid}", "2").replace("{project}", "3")


# -- the documents


def test_every_route_of_the_specification_is_there() -> None:
    extensions = {"auth_token", "auth_jwks", "auth_key_create", "auth_key_list", "auth_key_revoke", "auth_audit"}
    extensions |= {"keystone_version", "keystone_version_slashed", "keystone_authenticate"}
    extensions |= {"task_get_any", "task_renew", "task_bulk_release"}
    ids = [operation.id for _, operation in OPERATIONS]
    assert len(ids) == len(set(ids))
    assert extensions < set(ids)
    assert len(set(ids) - extensions) == 43


@pytest.mark.parametrize(("service", "operation"), OPERATIONS, ids=[operation.id for _, operation in OPERATIONS])
def test_operations_are_complete(service: str, operation: Operation) -> None:
    contract = Contract.load(service)
    assert set(operation.callers) <= CALLERS
    assert "503" in operation.responses
    assert ("413" in operation.responses) is (operation.method == "post")
    assert contract.find(operation.method, concrete(operation)) is operation
    jsonschema_rs.meta.validate(dict(operation.rule_schema))
    for response in operation.responses.values():
        assert response["description"]
        for media in response.get("content", {}).values():
            jsonschema_rs.meta.validate(media["schema"])


@pytest.mark.parametrize(("service", "operation"), OPERATIONS, ids=[operation.id for _, operation in OPERATIONS])
def test_parse_schemas_hold_no_rules(service: str, operation: Operation) -> None:
    if operation.parse_schema is None:
        assert operation.rule_schema == {}
        return
    if operation.id in STRICT:
        assert operation.parse_schema == {"type": "object"}
        return
    assert set(operation.parse_schema) == {"type", "properties"}
    for part in operation.parse_schema["properties"].values():
        assert set(part) <= {"type", "format", "default", "items", "description"}
        assert "default" in part
    defaults = lenient.parse(b"{}", Contract.load(service).body(operation.id))
    assert jsonschema_rs.is_valid(dict(operation.parse_schema), defaults)
    assert set(operation.rule_schema.get("properties", {})) <= set(operation.parse_schema["properties"])


@pytest.mark.parametrize(("service", "operation", "value"), each(list(request_examples())))
def test_request_examples_are_allowed(service: str, operation: Operation, value: Any) -> None:
    contract = Contract.load(service)
    if operation.id in STRICT:
        assert contract.rules(operation.id).is_valid(value)
    else:
        contract.check_request(operation.method, concrete(operation), orjson.dumps(value))


@pytest.mark.parametrize(("service", "operation", "status", "media_type", "value"), each(list(response_examples())))
def test_response_examples_are_allowed(
    service: str, operation: Operation, status: str, media_type: str, value: Any
) -> None:
    body = orjson.dumps(value) if media_type == "application/json" else str(value).encode()
    headers = Headers({"Content-Type": media_type, "Set-Cookie": "tt=x; HttpOnly", **LATER})
    Contract.load(service).check_response(operation.method, concrete(operation), int(status), headers, body)


def test_the_two_contracts_share_no_route_and_agree_on_shared_shapes() -> None:
    auth, tracker = (Contract.load(name).document for name in SERVICES)
    assert not set(auth["paths"]) & set(tracker["paths"])
    shared = set(auth["components"]["schemas"]) & set(tracker["components"]["schemas"])
    assert shared == {"Ok", "Refusal", "OkOrRefusal", "RateLimit", "Worker", "Manager"}
    for name in shared:
        assert auth["components"]["schemas"][name] == tracker["components"]["schemas"][name]


# -- rules


RULES = [
    ("tracker", "task_submit", {"project": 1, "recipe": "r"}, True),
    ("tracker", "task_submit", {"project": 0, "recipe": "r"}, False),
    ("tracker", "task_submit", {"project": -1, "recipe": "r"}, True),
    ("tracker", "task_submit", {"project": 1, "recipe": ""}, False),
    ("tracker", "task_submit", {"project": 1, "recipe": "a\0"}, False),
    ("tracker", "task_submit", {"project": 1, "recipe": "a\nb\n"}, True),
    ("tracker", "task_submit", {"project": 1, "recipe": "é" * 1_048_576}, True),
    ("tracker", "task_submit", {"project": 1, "recipe": "é" * 1_048_577}, False),
    ("tracker", "task_submit", {"project": 1, "recipe": "r", "max_retries": -1}, False),
    ("tracker", "task_submit", {"project": 1, "recipe": "r", "priority": -1}, True),
    ("tracker", "task_submit", {"project": 1, "recipe": "r", "verification_count": -1}, False),
    ("tracker", "task_submit", {"project": 1, "recipe": "r", "max_assign_time": -1}, False),
    ("tracker", "task_submit", {"project": 1, "recipe": "r", "max_assign_time": 2**31}, False),
    ("tracker", "task_submit", {"project": 1, "recipe": "r", "unique_string": "\0"}, False),
    ("tracker", "task_bulk_submit", {"requests": [{"project": 1, "recipe": "r"}] * 2}, True),
    ("tracker", "task_bulk_submit", {"requests": [{"project": 1, "recipe": "r"}, {}]}, False),
    ("tracker", "task_release", {"task_id": 0}, False),
    ("tracker", "task_release", {"task_id": -1, "result": 17, "verification": -(2**63)}, True),
    ("tracker", "task_bulk_release", {"releases": [{"task_id": 1}] * 1000}, True),
    ("tracker", "task_bulk_release", {"releases": [{"task_id": 1}] * 1001}, False),
    ("tracker", "task_bulk_release", {"releases": [{"task_id": 1}, {}]}, False),
    ("tracker", "task_renew", {"task_id": 1}, True),
    ("tracker", "task_renew", {"task_id": 1, "max_assign_time": -1}, False),
    ("tracker", "project_create", {"name": "n", "public": True}, True),
    ("tracker", "project_create", {"name": "n", "hidden": True}, True),
    ("tracker", "project_create", {"name": "n", "public": True, "hidden": True}, False),
    ("tracker", "project_create", {}, False),
    ("tracker", "project_create", {"name": "n", "priority": -1}, False),
    ("tracker", "project_create", {"name": "n", "submit_rate": -0.1}, False),
    ("tracker", "project_create", {"name": "n", "motd": "\0"}, False),
    ("tracker", "project_update", {"name": "n", "paused": True, "assign_rate": 1.7976931348623157e308}, True),
    ("tracker", "project_update", {"name": "n", "public": True, "hidden": True}, False),
    ("tracker", "project_request_access", {"assign": True}, True),
    ("tracker", "project_request_access", {"submit": True, "project": 77}, True),
    ("tracker", "project_request_access", {"project": 1}, False),
    ("tracker", "log_info", {"scope": "s", "message": "m", "timestamp": 1}, True),
    ("tracker", "log_info", {"scope": "", "message": "m", "timestamp": 1}, False),
    ("tracker", "log_info", {"scope": "s", "message": "", "timestamp": 1}, False),
    ("tracker", "log_info", {"scope": "s", "message": "m", "timestamp": 0}, False),
    ("tracker", "logs", {"level": 3, "since": 0}, False),
    ("tracker", "manager_set_role_for_project", {"manager": 1, "role": 31}, True),
    ("tracker", "manager_set_role_for_project", {"manager": 1, "role": 32}, False),
    ("tracker", "manager_set_role_for_project", {"manager": 1, "role": -1}, False),
    ("auth", "worker_create", {"alias": "é" * 255}, True),
    ("auth", "worker_create", {"alias": "é" * 256}, False),
    ("auth", "worker_update", {"alias": "a\0"}, False),
    ("auth", "worker_set_paused", {"worker": 0}, True),
    ("auth", "register", {"username": "éa", "password": "éééé"}, True),
    ("auth", "register", {"username": "a" * 17, "password": "12345678"}, False),
    ("auth", "register", {"username": "abc", "password": "p" * 1025}, False),
    ("auth", "login", {"username": "\0", "password": "p" * 5000}, True),
    ("auth", "auth_token", {}, True),
    ("auth", "auth_token", {"username": "abc", "worker_id": 1}, False),
    ("auth", "auth_key_create", {"name": ""}, False),
    ("auth", "auth_key_create", {"name": "n", "expires_in": 0}, False),
    ("auth", "auth_key_create", {"name": "n", "expires_in": None}, True),
    ("auth", "auth_key_create", {"name": "n", "expires_at": 2524608000}, True),
    ("auth", "auth_key_create", {"name": "n", "expires_at": 2524608000, "expires_in": 1}, False),
]


@pytest.mark.parametrize(("service", "operation", "body", "allowed"), RULES)
def test_rules(service: str, operation: str, body: Mapping[str, Any], allowed: bool) -> None:
    contract = Contract.load(service)
    parsed = lenient.parse(orjson.dumps(body), contract.body(operation))
    assert contract.rules(operation).is_valid(parsed) is allowed


# -- what is enforced


def violation(*, method: str = "POST", path: str = "/task/release", status: int = 200, **given: Any) -> str:
    with pytest.raises(ContractViolation) as caught:
        Contract.load("tracker").check_response(
            method,
            path,
            status,
            given.get("headers", JSON),
            given.get("body", b'{"ok":true,"content":{"updated":true}}'),
        )
    return str(caught.value)


def test_undocumented_routes_and_statuses_are_violations() -> None:
    assert "GET /task/release is not documented" in violation(method="GET")
    assert "POST /task/releases is not documented" in violation(path="/task/releases")
    assert "status 201 is not documented" in violation(status=201)
    assert "status 500 is not documented" in violation(status=500)


def test_media_types_are_exact() -> None:
    assert "content type" in violation(headers=Headers({"Content-Type": "application/json; charset=utf-8"}))
    assert "content type ''" in violation(headers=Headers())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{",
        b'{"ok":true}',
        b'{"ok":false,"content":{"updated":true}}',
        b'{"ok":true,"content":{"updated":1}}',
        b'{"ok":true,"content":{"updated":false}}',
        b'{"ok":true,"content":{"updated":true},"message":null}',
    ],
)
def test_bodies_of_the_wrong_shape_are_violations(body: bytes) -> None:
    assert "task_release 200" in violation(body=body)


def test_integers_are_written_as_integers() -> None:
    body = b'{"ok":true,"content":{"affected_tasks":1.0}}'
    assert "not written as an integer" in violation(path="/project/hard_reset/1", body=body)


@pytest.mark.parametrize("kind", ["integer", ["integer", "null"]])
def test_integer_literals_are_checked_inside_lists_too(kind: Any) -> None:
    validator = response_validator({"type": "array", "items": {"anyOf": [{"type": kind}, {"type": "string"}]}})
    assert validator.is_valid([1, "a"])
    assert not validator.is_valid([1, 2.0])


def test_projects_never_carry_secrets() -> None:
    example = next(value for case, *_, value in response_examples() if case == "project_get-200-both")
    example["content"]["secret"] = "{}"
    assert "project_get 200" in violation(method="GET", path="/project/get/1", body=orjson.dumps(example))


def test_answers_may_grow() -> None:
    body = b'{"ok":true,"content":{"updated":true,"extra":1},"more":[]}'
    Contract.load("tracker").check_response("POST", "/task/release", 200, JSON, body)


def test_empty_answers_are_empty() -> None:
    contract = Contract.load("auth")
    contract.check_response("GET", "/logout", 204, Headers(), b"")
    with pytest.raises(ContractViolation, match="must be empty"):
        contract.check_response("GET", "/logout", 204, Headers(), b"{}")


def test_required_headers_are_required_and_well_formed() -> None:
    body = b'{"ok":false,"message":"database is not available, try again"}'
    assert "Retry-After is missing" in violation(status=503, body=body)
    bad = Headers({**JSON, "Retry-After": "soon"})
    assert "Retry-After is 'soon'" in violation(status=503, body=body, headers=bad)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("status", [400, 408, 413, 429, 431, 502, 504])
def test_the_gate_may_answer_for_itself_on_every_route(service: str, status: int) -> None:
    body = b'{"ok":false,"message":"no","rate_limit_delay":1}'
    headers = Headers({**JSON, **LATER})
    own, contract = Contract.load(service), Contract.load(service, at_gate=True)
    silent = [operation for operation in own.operations.values() if str(status) not in operation.responses]
    assert silent
    for operation in silent:
        contract.check_response(operation.method, concrete(operation), status, headers, body)
    assert "status 504 is not documented" in violation(status=504)


def test_fixed_paths_win_over_parameters() -> None:
    contract = Contract.load("tracker")
    assert contract.find("GET", "/task/get") is contract.operations["task_get_any"]
    assert contract.find("get", "/task/get/x") is contract.operations["task_get"]
    assert contract.find("GET", "/task/get/") is None
    assert contract.find("GET", "/task/get/1/2") is None
    assert contract.covers("/task/submit")
    assert not contract.covers("/task")


@pytest.mark.parametrize(("status", "body"), [(404, b"not found"), (405, b"Not found"), (404, b"\xff")])
def test_unrouted_answers_are_exact(status: int, body: bytes) -> None:
    contract = Contract.load("tracker")
    contract.check_unrouted(404, b"Not found")
    with pytest.raises(ContractViolation):
        contract.check_unrouted(status, body)


@pytest.mark.parametrize("body", [b"{", b'{"task_id": "1"}', b'{"task_id": 0}'])
def test_requests_that_would_be_refused_are_violations(body: bytes) -> None:
    contract = Contract.load("tracker")
    contract.check_request("POST", "/project/hard_reset/1", b"anything")
    with pytest.raises(ContractViolation, match="task_release"):
        contract.check_request("POST", "/task/release", body)


def test_only_operations_with_a_body_have_a_parse_schema() -> None:
    with pytest.raises(LookupError, match="index has no request body"):
        Contract.load("tracker").body("index")


def test_contracts_are_loaded_once_and_from_the_directory_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    assert Contract.load("tracker") is Contract.load("tracker")
    assert (contracts_directory() / "README.md").exists()
    monkeypatch.setenv("TASKYARD_CONTRACTS_DIR", str(tmp_path))
    with pytest.raises(FileNotFoundError):
        Contract.load("tracker")
