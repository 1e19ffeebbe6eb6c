"""Answers in the tracker's dialect (spec: tracker 1.2, 1.3, 2.1)."""

import math

import orjson
import pytest
from flask import Response
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis import envelope
from chassis.envelope import BadNumber, path_number, query_number


def test_success_has_only_what_is_not_empty() -> None:
    response = envelope.ok()
    assert response.status_code == 200
    assert response.get_data() == b'{"ok":true}'
    assert response.headers["Content-Type"] == "application/json"


def test_keys_come_in_the_documented_order() -> None:
    assert envelope.ok({"a": 1}, "done").get_data() == b'{"ok":true,"message":"done","content":{"a":1}}'
    refused = envelope.refused(429, "no", {"a": 1}, rate_limit_delay=0.5)
    assert refused.get_data() == b'{"ok":false,"message":"no","rate_limit_delay":0.5,"content":{"a":1}}'


def test_an_empty_content_is_a_content() -> None:
    assert envelope.ok({}).get_data() == b'{"ok":true,"content":{}}'


def test_a_refusal_may_have_status_200() -> None:
    response = envelope.refused(200, "No task available")
    assert response.status_code == 200
    assert response.get_json() == {"ok": False, "message": "No task available"}


def test_a_delay_of_zero_is_left_out() -> None:
    assert envelope.refused(400, rate_limit_delay=0).get_data() == b'{"ok":false}'


@pytest.mark.parametrize(("delay", "seconds"), [(0.001, "1"), (1, "1"), (1.2, "2"), (60.0, "60")])
def test_a_limit_tells_when_to_come_back(delay: float, seconds: str) -> None:
    response = envelope.too_many_requests(delay)
    assert response.status_code == 429
    assert response.headers["Retry-After"] == response.headers["RateLimit-Reset"] == seconds
    assert (response.headers["RateLimit-Limit"], response.headers["RateLimit-Remaining"]) == ("1", "0")
    assert response.get_json() == {"ok": False, "message": "Too many requests", "rate_limit_delay": delay}


def test_an_empty_answer_has_neither_body_nor_type() -> None:
    response = envelope.empty()
    assert isinstance(response, Response)
    assert (response.status_code, response.get_data()) == (204, b"")
    assert "Content-Type" not in response.headers


def test_unlimited_is_the_largest_float_and_survives_the_wire() -> None:
    assert math.isfinite(envelope.UNLIMITED)
    assert math.isinf(math.nextafter(envelope.UNLIMITED, math.inf))
    assert orjson.loads(envelope.ok({"rate": envelope.UNLIMITED}).get_data())["content"]["rate"] == envelope.UNLIMITED
    assert float("1.7976931348623157e+308") == envelope.UNLIMITED


@settings(deadline=None)
@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from(["", "0", "0" * 5000]))
def test_path_numbers_are_signed_64_bit(number: int, zeros: str) -> None:
    sign = "-" if number < 0 else ""
    assert path_number(f"{sign}{zeros}{abs(number)}") == number


def test_path_numbers_may_have_a_plus() -> None:
    assert path_number("+7") == 7


@pytest.mark.parametrize("text", ["", "+", "-", "--1", "1.0", "1e3", "x", " 1", "1 ", "1\n", "1_0", "٣", "0x1"])
def test_path_numbers_are_nothing_else(text: str) -> None:
    with pytest.raises(BadNumber, match="invalid syntax"):
        path_number(text)


@pytest.mark.parametrize("text", ["9223372036854775808", "-9223372036854775809", "9" * 5000])
def test_path_numbers_have_a_range(text: str) -> None:
    with pytest.raises(BadNumber) as caught:
        path_number(text)
    assert str(caught.value) == f'strconv.ParseInt: parsing "{text}": value out of range'


def test_bad_numbers_are_quoted() -> None:
    with pytest.raises(BadNumber) as caught:
        path_number('a"\\\n')
    assert str(caught.value) == 'strconv.ParseInt: parsing "a\\"\\\\\\n": invalid syntax'


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("60", 60), ("007", 7), ("9223372036854775807", 2**63 - 1)])
def test_query_numbers_are_digits(text: str, number: int) -> None:
    assert query_number(text) == number


@pytest.mark.parametrize(
    "text", [None, "", "+1", "-1", "1.0", "x", " 1", "1\n", "٣", "²", "9223372036854775808", "9" * 5000]
)
def test_query_numbers_that_are_none_count_as_0(text: str | None) -> None:
    assert query_number(text) == 0
