"""Loads the OpenAPI contracts: what services parse requests with and what tests check every answer against.

A request schema is either one parse schema, or `allOf` of two: what can be parsed, then the rules
(contracts/README.md). References are inlined once when a contract is loaded.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import jsonschema_rs
import orjson
import yaml
from werkzeug.datastructures import Headers

from chassis import lenient
from chassis.schemas import inline, response_validator

METHODS = ("get", "post", "put", "delete", "patch")


class ContractViolation(AssertionError):
    """The contract does not allow this request or answer"""


class Rules(Protocol):
    """The rule level of a request schema, checked on a parsed body."""

    def is_valid(self, instance: Any) -> bool:
        """Whether every rule that a schema can express holds."""


@dataclass(frozen=True)
class Operation:
    """One documented route."""

    id: str
    method: str
    path: str
    callers: tuple[str, ...]
    request: Mapping[str, Any] | None
    responses: Mapping[str, Mapping[str, Any]]
    pattern: re.Pattern[str] = field(repr=False)

    @property
    def parse_schema(self) -> Mapping[str, Any] | None:
        """Types, widths and defaults of the body."""
        if self.request is None or "allOf" not in self.request:
            return self.request
        return self.request["allOf"][0]  # type: ignore[no-any-return]

    @property
    def rule_schema(self) -> Mapping[str, Any]:
        """What a parsed body must fulfil; empty where the contract has no rules."""
        if self.request is None or "allOf" not in self.request:
            return {}
        return self.request["allOf"][1]  # type: ignore[no-any-return]


class Contract:
    """One service's contract; `at_gate` adds what the gate itself may answer on any route."""

    def __init__(self, document: Mapping[str, Any], *, at_gate: bool = False) -> None:
        self.document: Mapping[str, Any] = inline(document, document)
        gate = self.document.get("x-taskyard-gate", {}) if at_gate else {}
        self.operations: dict[str, Operation] = {}
        for path, methods in self.document["paths"].items():
            for method in METHODS:
                if method in methods:
                    operation = _operation(path, method, methods[method], gate)
                    self.operations[operation.id] = operation
        self._bodies: dict[str, lenient.BodySchema] = {}
        self._validators: dict[tuple[str, str, str], Any] = {}

    @classmethod
    def load(cls, name: str, *, at_gate: bool = False) -> Contract:
        """The contract of a service by its short name; one object per process."""
        return _load(contracts_directory() / "openapi" / f"{name}.yaml", at_gate)

    def body(self, operation_id: str) -> lenient.BodySchema:
        """The compiled parse schema of an operation's body, for `lenient.parse`."""
        if operation_id not in self._bodies:
            schema = self.operations[operation_id].parse_schema
            if schema is None:
                raise LookupError(f"{operation_id} has no request body")
            self._bodies[operation_id] = lenient.compile_schema(schema)
        return self._bodies[operation_id]

    def rules(self, operation_id: str) -> Rules:
        """The rules of an operation's body; `.is_valid(parsed)` says whether they hold."""
        key = (operation_id, "rules", "")
        if key not in self._validators:
            schema = self.operations[operation_id].rule_schema
            self._validators[key] = jsonschema_rs.Draft202012Validator(dict(schema))
        return self._validators[key]  # type: ignore[no-any-return]

    def find(self, method: str, path: str) -> Operation | None:
        """The operation that serves a path without query string; fixed segments win over parameters."""
        found = [
            operation
            for operation in self.operations.values()
            if operation.method == method.lower() and operation.pattern.fullmatch(path)
        ]
        return min(found, key=lambda operation: operation.path.count("{"), default=None)

    def covers(self, path: str) -> bool:
        """Whether any method of this path is documented."""
        return any(operation.pattern.fullmatch(path) for operation in self.operations.values())

    def check_request(self, method: str, path: str, body: bytes = b"") -> None:
        """Raise `ContractViolation` unless the request is documented, can be parsed and keeps the rules."""
        operation = self._documented(method, path)
        if operation.request is None:
            return
        try:
            parsed = lenient.parse(body, self.body(operation.id))
        except lenient.ParseError as error:
            raise ContractViolation(f"{operation.id}: the body cannot be parsed: {body!r}") from error
        for problem in self.rules(operation.id).iter_errors(parsed):  # type: ignore[attr-defined]
            raise ContractViolation(f"{operation.id}: request{_where(problem)}: {problem.message}")

    def check_response(self, method: str, path: str, status: int, headers: Headers, body: bytes) -> None:
        """Raise `ContractViolation` unless exactly this answer is documented."""
        operation = self._documented(method, path)
        response = operation.responses.get(str(status))
        if response is None:
            raise ContractViolation(f"{operation.id}: status {status} is not documented, body {body[:300]!r}")
        where = f"{operation.id} {status}"
        _check_headers(where, response, headers)
        contents = response.get("content", {})
        if not contents:
            if body:
                raise ContractViolation(f"{where}: the body must be empty, not {body[:300]!r}")
            return
        media_type = headers.get("Content-Type", "")
        if media_type not in contents:
            raise ContractViolation(f"{where}: content type {media_type!r} is not one of {sorted(contents)}")
        self._check_body(operation, status, media_type, contents[media_type].get("schema", {}), body)

    def check_unrouted(self, status: int, body: bytes) -> None:
        """Raise `ContractViolation` unless this is the answer to unknown paths and wrong methods."""
        expected = self.document["x-taskyard-unrouted"]
        if status != expected["status"] or body.decode(errors="replace") != expected["body"]:
            raise ContractViolation(f"an undocumented path or method was answered with {status} {body[:300]!r}")

    def _documented(self, method: str, path: str) -> Operation:
        operation = self.find(method, path)
        if operation is None:
            raise ContractViolation(f"{method} {path} is not documented")
        return operation

    def _check_body(
        self, operation: Operation, status: int, media_type: str, schema: Mapping[str, Any], body: bytes
    ) -> None:
        key = (operation.id, str(status), media_type)
        if key not in self._validators:
            self._validators[key] = response_validator(schema)
        try:
            value = orjson.loads(body) if media_type.startswith("application/json") else body.decode()
        except ValueError as error:
            raise ContractViolation(f"{operation.id} {status}: not JSON: {body[:300]!r}") from error
        for problem in self._validators[key].iter_errors(value):
            raise ContractViolation(f"{operation.id} {status}: body{_where(problem)}: {problem.message}")


def contracts_directory() -> Path:
    """TASKYARD_CONTRACTS_DIR, or the repository's own contracts."""
    given = os.environ.get("TASKYARD_CONTRACTS_DIR")
    return Path(given) if given else Path(__file__).resolve().parents[3] / "contracts"


def contract_names() -> list[str]:
    """The services that have a contract."""
    return sorted(path.stem for path in (contracts_directory() / "openapi").glob("*.yaml"))


def _operation(path: str, method: str, node: Mapping[str, Any], gate: Mapping[str, Any]) -> Operation:
    body = node.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    return Operation(
        id=node["operationId"],
        method=method,
        path=path,
        callers=tuple(node["x-taskyard-callers"]),
        request=body,
        responses={**gate, **node["responses"]},
        pattern=re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))),
    )


def _check_headers(where: str, response: Mapping[str, Any], headers: Headers) -> None:
    for name, header in response.get("headers", {}).items():
        value = headers.get(name)
        if value is None:
            if header.get("required"):
                raise ContractViolation(f"{where}: header {name} is missing")
        elif not jsonschema_rs.is_valid(header.get("schema", {}), value):
            raise ContractViolation(f"{where}: header {name} is {value!r}")


def _where(problem: jsonschema_rs.ValidationError) -> str:
    return "".join(f"[{step!r}]" for step in problem.instance_path)


@functools.cache
def _load(path: Path, at_gate: bool) -> Contract:
    with path.open("rb") as file:
        return Contract(yaml.load(file, yaml.CSafeLoader), at_gate=at_gate)
