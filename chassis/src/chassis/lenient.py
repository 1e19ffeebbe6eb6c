"""Reads request bodies by the tracker's leniency rules (spec: tracker 1.2).

A body schema says what can be *parsed*: types, integer widths, defaults. What a value may be (rules) is another
question with another answer, see contracts/README.md. Every schema is compiled once into a flat plan, because
releases and bulk submits go through here.
"""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import orjson

Convert = Callable[[Any], Any]

WIDTHS = {"int16": 16, "int32": 32, "int64": 64}
_ZERO: dict[str, Any] = {"integer": 0, "number": 0.0, "string": "", "boolean": False, "array": []}
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_LONGEST_INTEGER = 20  # characters of the longest 64-bit integer, sign included


class ParseError(ValueError):
    """Could not parse request"""


@dataclass(frozen=True, slots=True)
class BodySchema:
    """The compiled plan of one body: a converter per field name, and the body of an empty request."""

    converters: Mapping[str, Convert]
    defaults: Mapping[str, Any]
    fresh: tuple[str, ...]

    def convert(self, value: Any) -> dict[str, Any]:
        """Every field of the schema with its value or default; raises `ParseError` for a wrong type."""
        if type(value) is not dict:
            raise ParseError
        result = dict(self.defaults)
        for name in self.fresh:
            result[name] = copy.copy(result[name])
        converters = self.converters
        for key, given in value.items():
            converter = converters.get(key)
            if converter is None:
                return self._convert_folded(value, result)
            if given is not None:
                result[key] = converter(given)
        return result

    def _convert_folded(self, value: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
        converters = self.converters
        seen = set()
        for key, given in value.items():
            name = key.lower()
            converter = converters.get(name)
            if converter is None:
                continue
            if name in seen:
                raise ParseError  # Only the order in the text can tell which spelling is the last one.
            seen.add(name)
            if given is not None:
                result[name] = converter(given)
        return result


def compile_schema(schema: Mapping[str, Any]) -> BodySchema:
    """Compile an object schema without references; raises `ValueError` for what bodies cannot have."""
    properties: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
    odd = [name for name in properties if name != name.lower()]
    if odd:
        raise ValueError(f"field names must be lower case: {odd}")
    defaults = {name: _default(part) for name, part in properties.items()}
    fresh = tuple(name for name, default in defaults.items() if isinstance(default, list | dict))
    return BodySchema({name: _converter(part) for name, part in properties.items()}, defaults, fresh)


def parse(raw: bytes, schema: BodySchema) -> dict[str, Any]:
    """The fields of a body, all present; raises `ParseError` (spec: tracker 1.2).

    The fast way refuses too much: mended text, and fields that come several times, need the slow way to decide.
    """
    try:
        value = orjson.loads(raw)
        return schema.convert({} if value is None else value)
    except (orjson.JSONDecodeError, ParseError):
        return _parse_slowly(raw, schema)


def has_nul(value: Any) -> bool:
    """Whether any text inside the value holds U+0000, which no text of Taskyard may (spec: tracker Q-05)."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(has_nul(part) for part in value.values())
    return isinstance(value, list) and any(has_nul(part) for part in value)


def _parse_slowly(raw: bytes, schema: BodySchema) -> dict[str, Any]:
    try:
        value = json.loads(
            raw.decode("utf-8", "replace"),
            object_pairs_hook=_folded,
            parse_int=_integer_literal,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError) as error:
        raise ParseError from error
    return schema.convert({} if value is None else value)


def _folded(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key.lower(): _mended(value) for key, value in pairs}


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    return [_mended(part) for part in value] if isinstance(value, list) else value


def _integer_literal(text: str) -> int | float:
    return int(text) if len(text) <= _LONGEST_INTEGER else float(text)


def _refuse_constant(text: str) -> NoReturn:
    raise ParseError


def _default(part: Mapping[str, Any]) -> Any:
    return part["default"] if "default" in part else _ZERO[_kind(part)]


def _kind(part: Mapping[str, Any]) -> str:
    kind = part["type"]
    if isinstance(kind, list):
        (kind,) = (name for name in kind if name != "null")
    return str(kind)


def _converter(part: Mapping[str, Any]) -> Convert:
    kind = _kind(part)
    if kind == "integer":
        return _integer(WIDTHS[part.get("format", "int64")])
    if kind == "number":
        return _number
    if kind == "array":
        return _array(part["items"])
    if kind not in _EXACT:
        raise ValueError(f"a body cannot have a field of type {kind}")
    return _EXACT[kind]


def _integer(bits: int) -> Convert:
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1

    def integer(value: Any) -> int:
        if type(value) is int and low <= value <= high:
            return value
        raise ParseError

    return integer


def _number(value: Any) -> float:
    if type(value) is float and math.isfinite(value):
        return value
    if type(value) is int:
        return float(value)
    raise ParseError


def _string(value: Any) -> str:
    if type(value) is str:
        return value
    raise ParseError


def _boolean(value: Any) -> bool:
    if type(value) is bool:
        return value
    raise ParseError


def _array(items: Mapping[str, Any]) -> Convert:
    convert = _item(items)

    def array(value: Any) -> list[Any]:
        if type(value) is list:
            return [convert(item) for item in value]
        raise ParseError

    return array


def _item(items: Mapping[str, Any]) -> Convert:
    if _kind(items) == "object":
        plan = compile_schema(items)
        return lambda item: plan.convert({} if item is None else item)
    scalar, default = _converter(items), _default(items)
    return lambda item: default if item is None else scalar(item)


_EXACT: dict[str, Convert] = {"string": _string, "boolean": _boolean}
