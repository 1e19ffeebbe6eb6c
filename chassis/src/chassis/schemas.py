"""Prepares the JSON Schemas of contracts for validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema_rs


def inline(node: Any, document: Mapping[str, Any]) -> Any:
    """The node with every `#/…` reference replaced by what it names; contracts have no recursive schemas."""
    if isinstance(node, list):
        return [inline(part, document) for part in node]
    if not isinstance(node, Mapping):
        return node
    if "$ref" in node:
        target: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return inline(target, document)
    return {key: inline(part, document) for key, part in node.items()}


def response_validator(schema: Mapping[str, Any]) -> Any:
    """A validator that, unlike JSON Schema, refuses 1.0 for an integer: Go readers do (spec: tracker 1.3)."""
    return jsonschema_rs.Draft202012Validator(_strict(schema), keywords={_LITERAL: _IntegerLiteral})


_LITERAL = "x-taskyard-integer-literal"


class _IntegerLiteral:
    def __init__(self, parent: Mapping[str, Any], value: Any, path: list[str | int]) -> None:
        pass

    def validate(self, instance: Any) -> None:
        if isinstance(instance, float):
            raise ValueError(f"{instance!r} is not written as an integer")  # noqa: TRY004 - jsonschema-rs asks for it


def _strict(node: Any) -> Any:
    if isinstance(node, list):
        return [_strict(part) for part in node]
    if not isinstance(node, Mapping):
        return node
    strict = {key: _strict(part) for key, part in node.items()}
    if strict.get("type") in ("integer", ["integer", "null"]):
        strict[_LITERAL] = True
    return strict
