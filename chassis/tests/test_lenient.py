"""Lenient bodies: the rules of spec: tracker 1.2, one by one and against a slow reference implementation."""

import json
import math
import re
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chassis.lenient import ParseError, compile_schema, has_nul, parse

TASK = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "tries": {"type": "integer", "format": "int16", "default": 3},
        "wide": {"type": "integer", "format": "int64"},
        "rate": {"type": "number"},
        "open": {"type": "boolean"},
        "limit": {"type": ["integer", "null"], "format": "int32", "default": None},
    },
}
SCHEMA = {
    "type": "object",
    "properties": {
        **TASK["properties"],  # type: ignore[dict-item]
        "tasks": {"type": "array", "items": TASK},
        "names": {"type": "array", "items": {"type": "string"}},
    },
}
BODY = compile_schema(SCHEMA)
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # A busy machine is no defect.
EMPTY_TASK = {"name": "", "tries": 3, "wide": 0, "rate": 0.0, "open": False, "limit": None}
EMPTY = {**EMPTY_TASK, "tasks": [], "names": []}


def test_missing_fields_get_their_defaults() -> None:
    assert parse(b"{}", BODY) == EMPTY


@pytest.mark.parametrize("raw", [b"null", b" \t\r\n null \n", b'{"name": null, "tries": null, "tasks": null}'])
def test_null_is_the_default(raw: bytes) -> None:
    assert parse(raw, BODY) == EMPTY


def test_defaults_are_fresh_every_time() -> None:
    parse(b"{}", BODY)["tasks"].append("leftover")
    assert parse(b"{}", BODY)["tasks"] == []


@pytest.mark.parametrize(
    "raw", [b"", b" ", b"[]", b'""', b"0", b"true", b"{", b"{}{}", b"{} x", b"nul", b"\xef\xbb\xbf{}"]
)
def test_anything_but_one_object_is_a_parse_error(raw: bytes) -> None:
    with pytest.raises(ParseError):
        parse(raw, BODY)


def test_field_names_match_in_any_case() -> None:
    assert parse(b'{"NAME": "a", "Wide": 7, "oPEN": true}', BODY) == {**EMPTY, "name": "a", "wide": 7, "open": True}


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b'{"name": "a", "name": "b"}', "b"),
        (b'{"name": "a", "Name": "b"}', "b"),
        (b'{"Name": "a", "name": "b"}', "b"),
        (b'{"name": "a", "NAME": "b", "name": "c"}', "c"),
        (b'{"name": "a", "NAME": "b", "name": "c", "Name": null}', ""),
        (b'{"name": 1, "name": "b"}', "b"),
        (b'{"name": 1, "NAME": "b"}', "b"),
    ],
)
def test_the_last_of_several_spellings_wins(raw: bytes, name: str) -> None:
    assert parse(raw, BODY)["name"] == name


def test_the_last_spelling_wins_inside_lists_too() -> None:
    raw = b'{"tasks": [{"name": "a", "NAME": "b", "name": "c"}], "TASKS": [{"Tries": 1, "tries": 2}, null]}'
    assert parse(raw, BODY)["tasks"] == [{**EMPTY_TASK, "tries": 2}, EMPTY_TASK]


def test_unknown_fields_are_ignored_whatever_they_hold() -> None:
    raw = b'{"id": {"name": 1}, "x": 1e400, "y": [[[]]], "nam": 1, "name": "a", "z": ' + b"9" * 5000 + b"}"
    assert parse(raw, BODY) == {**EMPTY, "name": "a"}


def test_lists_of_objects_are_read_by_the_same_rules() -> None:
    raw = b'{"tasks": [{"Name": "a", "x": 1}, {}, null, {"tries": null}], "names": ["a", null]}'
    expected = [{**EMPTY_TASK, "name": "a"}, EMPTY_TASK, EMPTY_TASK, EMPTY_TASK]
    assert parse(raw, BODY) == {**EMPTY, "tasks": expected, "names": ["a", ""]}


@pytest.mark.parametrize("text", ["0", "-0", "7", "32767", "-32768"])
def test_integers_within_their_width(text: str) -> None:
    assert parse(b'{"tries": %s}' % text.encode(), BODY)["tries"] == int(text)


@pytest.mark.parametrize("text", ["9223372036854775807", "-9223372036854775808"])
def test_the_ends_of_the_widest_integers(text: str) -> None:
    assert parse(b'{"wide": %s, "Wide": %s}' % (text.encode(), text.encode()), BODY)["wide"] == int(text)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        *(("wide", text) for text in ("1.0", "1e3", "1E0", '"1"', "true", "[]", "{}", "01", "+1", "NaN", "0x1")),
        *(("wide", text) for text in ("9223372036854775808", "-9223372036854775809", "1" + "0" * 400)),
        *(("tries", text) for text in ("32768", "-32769")),
        *(("limit", text) for text in ("2147483648", "-2147483649", "1.5")),
        *(("rate", text) for text in ("1e400", "-1e400", "NaN", "Infinity", "1" + "0" * 400, '"1"', "true")),
        *(("name", text) for text in ("1", "true", "[]", "{}", "'a'", '"\n"')),
        *(("open", text) for text in ("1", "0", '"true"', "True")),
        *(("tasks", text) for text in ("{}", '""', "1", "[1]", "[[]]", '["a"]', '[{"tries": "1"}]')),
        *(("names", text) for text in ("[1]", '"a"', "[{}]")),
    ],
)
@pytest.mark.parametrize("spelling", [str.lower, str.upper])
@pytest.mark.parametrize("duplicate", ["", ', "RATE": 1, "rate": 1'])
def test_wrong_types_are_parse_errors(field: str, text: str, spelling: Any, duplicate: str) -> None:
    if field == "rate":
        duplicate = duplicate.replace("RATE", "OPEN").replace("rate", "open").replace("1", "true")
    with pytest.raises(ParseError):
        parse(f'{{"{spelling(field)}": {text}{duplicate}}}'.encode(), BODY)


@pytest.mark.parametrize("text", ["0", "-1", "2.5", "1e3", "1.7976931348623157e+308", "18446744073709551616", "1e-400"])
def test_floats_are_any_finite_number(text: str) -> None:
    rate = parse(b'{"rate": %s}' % text.encode(), BODY)["rate"]
    assert isinstance(rate, float)
    assert rate == float(text)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b'"a\xffb"', "a\ufffdb"),
        (b'"\\ud800"', "\ufffd"),
        (b'"\\ud83d\\ude00"', "\N{GRINNING FACE}"),
        (b'"\\ud800\\ud83d\\ude00"', "\ufffd\N{GRINNING FACE}"),
        ("\N{GRINNING FACE} été".encode(), None),
        (b'"\\u0000"', "\0"),
    ],
)
def test_invalid_text_becomes_the_replacement_character(raw: bytes, name: str | None) -> None:
    if name is None:
        raw, name = b'"' + raw + b'"', raw.decode()
    assert parse(b'{"name": %s}' % raw, BODY)["name"] == name
    assert parse(b'{"names": [%s], "Names": [%s]}' % (raw, raw), BODY)["names"] == [name]


@pytest.mark.parametrize("depth", [500, 5_000, 200_000])
def test_deep_nesting_is_refused_or_ignored_but_never_a_crash(depth: int) -> None:
    raw = b'{"x": ' + b"[" * depth + b"]" * depth + b"}"
    try:
        assert parse(raw, BODY) == EMPTY
    except ParseError:
        assert depth > 500


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a", False), ("a\0", True), (3, False), ([1, "\0"], True), ({"a": [{"b": "\0"}]}, True), ({"\0": ""}, False)],
)
def test_has_nul_looks_into_everything(value: Any, expected: bool) -> None:
    assert has_nul(value) is expected


@pytest.mark.parametrize(
    "part",
    [
        {"type": "object", "properties": {}},
        {"type": ["integer", "string"]},
        {"type": "array", "items": {"type": "array"}},
    ],
)
def test_schemas_that_no_body_can_have_are_refused_at_once(part: dict[str, Any]) -> None:
    with pytest.raises((ValueError, LookupError)):
        compile_schema({"properties": {"a": part}})


def test_field_names_of_schemas_are_lower_case() -> None:
    with pytest.raises(ValueError, match="taskId"):
        compile_schema({"properties": {"taskId": {"type": "string"}}})


# -- against a slow implementation that reads pairs, never dictionaries


class Pairs(list[tuple[str, Any]]):
    """An object as its pairs, in the order of the text."""


class Integer(str):
    """An integer literal."""

    __slots__ = ()


def refuse(text: str) -> None:
    raise ValueError(text)


def slow_parse(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    value = json.loads(
        text,
        object_pairs_hook=Pairs,
        parse_int=Integer,
        parse_constant=refuse,
    )
    return slow_object(Pairs() if value is None else value, schema)


def slow_object(value: Any, schema: dict[str, Any]) -> dict[str, Any]:
    require(isinstance(value, Pairs))
    return {name: slow_field(value, name, part) for name, part in schema["properties"].items()}


def slow_field(pairs: Pairs, name: str, part: dict[str, Any]) -> Any:
    given = [value for key, value in pairs if key.lower() == name]
    if not given or given[-1] is None:
        zero = {"string": "", "integer": 0, "number": 0.0, "boolean": False, "array": []}
        return part["default"] if "default" in part else zero[part["type"]]
    return slow_value(given[-1], part)


def slow_value(value: Any, part: dict[str, Any]) -> Any:
    kind = part["type"] if isinstance(part["type"], str) else part["type"][0]
    literal = isinstance(value, Integer)
    if kind == "integer":
        require(literal)
        bits = int(part.get("format", "int64")[3:])
        require(-(2 ** (bits - 1)) <= int(value) < 2 ** (bits - 1))
        return int(value)
    if kind == "number":
        require(literal or (isinstance(value, float) and math.isfinite(value)))
        return float(value)
    if kind == "array":
        require(isinstance(value, list) and not isinstance(value, Pairs))
        items = part["items"]
        empty: Any = Pairs() if items["type"] == "object" else ""
        return [slow_item(empty if item is None else item, items) for item in value]
    require(not literal and type(value) is {"string": str, "boolean": bool}[kind])
    return value


def slow_item(value: Any, items: dict[str, Any]) -> Any:
    return slow_object(value, items) if items["type"] == "object" else slow_value(value, items)


def require(holds: bool) -> None:
    if not holds:
        raise ParseError


numbers = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(["32767", "32768", "-32768", "-0", "1.0", "1e3", "1e400", "-2147483649", "9223372036854775808"]),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)
texts = st.text(max_size=8).map(json.dumps)
scalars = st.one_of(st.sampled_from(["null", "true", "false", '"\\ud800"']), numbers, texts)
keys = st.one_of(
    st.sampled_from(sorted(EMPTY)),
    st.sampled_from(sorted(EMPTY)).flatmap(lambda name: st.sampled_from([name.upper(), name.title()])),
    st.text(max_size=4),
).map(json.dumps)


def objects(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.lists(st.tuples(keys, values), max_size=6)
    return pairs.map(lambda found: "{" + ", ".join(f"{key}: {value}" for key, value in found) + "}")


def lists(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(values, max_size=3).map(lambda found: "[" + ", ".join(found) + "]")


bodies = st.recursive(scalars, lambda values: st.one_of(objects(values), lists(values)), max_leaves=12)

typed = {
    "name": texts,
    "tries": st.integers(-40_000, 40_000).map(str),
    "wide": st.integers(-(2**64), 2**64).map(str),
    "rate": numbers,
    "open": st.sampled_from(["true", "false"]),
    "limit": st.integers(-(2**32), 2**32).map(str),
}


def typed_pair(name: str) -> st.SearchStrategy[str]:
    spelling = st.sampled_from([name, name, name.upper()])
    return st.tuples(spelling, st.one_of(typed[name], st.just("null"))).map(lambda pair: f'"{pair[0]}": {pair[1]}')


tasks = st.lists(st.sampled_from(sorted(typed)).flatmap(typed_pair), max_size=6).map(
    lambda pairs: "{" + ", ".join(pairs) + "}"
)
nearly_right = st.one_of(tasks, lists(tasks).map(lambda found: '{"tasks": ' + found + "}"))


@unhurried
@given(st.one_of(nearly_right, objects(bodies), bodies))
@example('{"tasks": [{"name": "a", "Name": 1}]}')
def test_the_fast_way_agrees_with_the_slow_reference(text: str) -> None:
    try:
        expected: dict[str, Any] | None = mended(slow_parse(text, SCHEMA))
    except ValueError:
        expected = None
    try:
        result: dict[str, Any] | None = parse(text.encode(), BODY)
    except ParseError:
        result = None
    assert result == expected
    assert orjson.dumps(result) == orjson.dumps(expected)


def mended(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: mended(part) for key, part in value.items()}
    if isinstance(value, list):
        return [mended(part) for part in value]
    return re.sub("[\ud800-\udfff]", "\ufffd", value) if isinstance(value, str) else value


@unhurried
@given(st.one_of(nearly_right, objects(bodies)))
def test_parsing_what_was_parsed_changes_nothing(text: str) -> None:
    try:
        once = parse(text.encode(), BODY)
    except ParseError:
        return
    assert parse(orjson.dumps(once), BODY) == once


@unhurried
@given(
    st.one_of(
        st.binary(max_size=60),
        bodies.map(str.encode),
        st.tuples(bodies, st.binary(max_size=3)).map(lambda parts: parts[0].encode() + parts[1]),
    )
)
@example(b'{"name": "\xed\xa0\x80"}')
def test_nothing_but_a_parse_error_is_ever_raised(raw: bytes) -> None:
    try:
        result = parse(raw, BODY)
    except ParseError:
        return
    assert result.keys() == EMPTY.keys()
