"""The short way of reading a request: it must find what gevent's own way finds, whatever a client sends."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import gevent
import orjson
import pytest
from gevent import pywsgi, socket
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis import connection

HEADERS = b"Host: gate\r\nX-Worker-ID: 17\r\nX-Secret: s3cret\r\n"


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answer with what the server has understood."""
    seen = {key: value for key, value in environ.items() if isinstance(value, str) and key != "REMOTE_PORT"}
    seen["body"] = environ["wsgi.input"].read().decode("latin-1")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [orjson.dumps(seen, option=orjson.OPT_SORT_KEYS)]


@contextmanager
def serving(
    handler: type[pywsgi.WSGIHandler], application: Callable[..., Any] = echo, *, alive: bool = True
) -> Iterator[int]:
    """Serve in this thread: while the test waits on a socket of gevent's, the server has its turn."""
    server = pywsgi.WSGIServer(
        ("127.0.0.1", 0), application, handler_class=handler, log=None, error_log=logging.getLogger("test")
    )
    server.worker = SimpleNamespace(busy=0, alive=alive)
    server.start()
    try:
        yield server.server_port
    finally:
        server.stop(timeout=1)


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    """Two servers that differ in the way they read."""
    with serving(connection.Handler) as short, serving(pywsgi.WSGIHandler) as long:
        yield short, long


def exchange(port: int, *pieces: bytes) -> bytes:
    """Send the pieces one after the other and return all that comes back, without the line that tells the time."""
    with gevent.Timeout(20), socket.create_connection(("127.0.0.1", port)) as client:
        for piece in pieces:
            client.sendall(piece)
            gevent.sleep(0.01 if len(pieces) > 1 else 0)
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    lines = answer.replace(str(port).encode(), b"PORT").split(b"\r\n")
    return b"\r\n".join(line for line in lines if not line.startswith(b"Date: "))


def same(ports: tuple[int, int], *pieces: bytes) -> bytes:
    """Return the answer, which must be the same whichever way the request is read."""
    short, long = (exchange(port, *pieces) for port in ports)
    assert short == long
    return short


ORDINARY = {
    "get": b"GET /task/get/1?count=2&wait=%31 HTTP/1.1\r\n" + HEADERS + b"\r\n",
    "body": b"POST /task/release HTTP/1.1\r\n" + HEADERS + b"Content-Type: x/json\r\nContent-Length: 4\r\n\r\nnull",
    "encoded path": b"GET /a%20b/%C3%BC/%2F%00%zz?%20 HTTP/1.1\r\n" + HEADERS + b"\r\n",
    "bytes beyond ascii": b"GET /\xc3\xbc HTTP/1.1\r\nX-Note: \xc3\xbc\xff\r\n\r\n",
    "repeated headers": b"GET / HTTP/1.1\r\nX-A: 1\r\nx-a: 2\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n",
    "spaces around values": b"GET / HTTP/1.1\r\nX-A:   padded \t \r\nX-B:\r\n\r\n",
    "underscores": b"GET / HTTP/1.1\r\nX_Secret: forged\r\nX-Secret: true\r\nContent_Length: 9\r\n\r\n",
    "content types": b"GET / HTTP/1.1\r\nContent-Type: a\r\nContent-Type: b\r\n\r\n",
    "close": b"GET / HTTP/1.1\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\n\r\n",
    "two in one": b"GET /1 HTTP/1.1\r\n\r\nPOST /2 HTTP/1.1\r\nContent-Length: 2\r\n\r\nabGET /3 HTTP/1.1\r\n\r\n",
    "options": b"OPTIONS /task HTTP/1.1\r\n" + HEADERS + b"\r\n",
    "head": b"HEAD / HTTP/1.1\r\n\r\n",
}  # fmt: skip

EXTRAORDINARY = {
    "http 1.0": b"GET / HTTP/1.0\r\n\r\n",
    "http 0.9": b"GET /\r\n",
    "http 3": b"GET / HTTP/3.0\r\n\r\n",
    "chunked": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "chunked and length": b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n1\r\na\r\n0\r\n",
    "expect": b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
    "upgrade": b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "connect": b"CONNECT gate:80 HTTP/1.1\r\nHost: gate\r\n\r\n",
    "absolute target": b"GET http://gate/x HTTP/1.1\r\n\r\n",
    "unknown method": b"BREW /pot HTTP/1.1\r\n\r\n",
    "bare newlines": b"GET / HTTP/1.1\nX-A: 1\n\n",
    "folded header": b"GET / HTTP/1.1\r\nX-A: 1\r\n  more\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nnonsense\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\nX-Secret : 1\r\n\r\n",
    "negative length": b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    "length is no number": b"POST / HTTP/1.1\r\nContent-Length: ten\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
    "head with a body": b"HEAD / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab",
    "long request line": b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\n\r\n",
    "long head": b"GET / HTTP/1.1\r\n" + b"X-A: " + b"x" * 9_000 + b"\r\n\r\n",
    "very many headers": b"GET / HTTP/1.1\r\n" + b"A: 1\r\n" * 101 + b"\r\n",
    "nothing": b"",
    "noise": b"\x16\x03\x01\x02\x00",
}  # fmt: skip


@pytest.mark.parametrize("raw", ORDINARY.values(), ids=list(ORDINARY))
def test_an_ordinary_request_means_the_same_to_both(ports: tuple[int, int], raw: bytes) -> None:
    assert same(ports, raw).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("raw", EXTRAORDINARY.values(), ids=list(EXTRAORDINARY))
def test_an_extraordinary_request_is_read_as_ever(ports: tuple[int, int], raw: bytes) -> None:
    same(ports, raw)


def test_an_answer_of_the_servers_own_arrives_whole(ports: tuple[int, int]) -> None:
    """gevent gives an empty text, where a body should be bytes, when the body of a request cannot be read."""
    assert same(ports, b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n").startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("cut", [3, 30, 60])
def test_a_request_may_come_in_pieces(ports: tuple[int, int], cut: int) -> None:
    raw = ORDINARY["body"]
    assert same(ports, raw[:cut], raw[cut:]) == same(ports, raw)


def test_a_body_may_be_larger_than_the_buffer(ports: tuple[int, int]) -> None:
    body = b"x" * 300_000
    assert b"x" * 300_000 in same(ports, b"POST / HTTP/1.1\r\nContent-Length: 300000\r\n\r\n" + body)


names = st.sampled_from([b"X-Worker-ID", b"x-secret", b"Cookie", b"X_Secret", b"Content-Type", b"Connection", b"Host"])
values = st.binary(max_size=12).filter(lambda value: not {10, 13, 0} & set(value))


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE", b"HEAD"]),
    st.text("abz/?%=&.~;+20F", max_size=20),
    st.lists(st.tuples(names, values), max_size=6),
    st.binary(max_size=30),
)
def test_what_is_read_the_short_way_is_what_gevent_reads(
    ports: tuple[int, int], method: bytes, target: str, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    head = b"".join(b"%b: %b\r\n" % pair for pair in headers)
    length = b"Content-Length: %d\r\n" % len(body) if body else b""
    same(ports, b"%b /%b HTTP/1.1\r\n%b%b\r\n%b" % (method, target.encode(), head, length, body))


def test_head_and_body_leave_together() -> None:
    sent: list[int] = []

    class Counted(connection.Handler):
        def _sendall(self, data: bytes) -> None:
            sent.append(len(data))
            super()._sendall(data)

    with serving(Counted) as port:
        exchange(port, ORDINARY["get"])
    assert len(sent) == 1


def test_clients_that_invent_headers_cost_no_memory(ports: tuple[int, int]) -> None:
    for number in range(12):
        head = b"".join(b"X-Invented-%d-%d: 1\r\n" % (number, other) for other in range(90))
        same(ports, b"GET / HTTP/1.1\r\n" + head + b"\r\n")
    assert len(connection._names) <= 1_000


@pytest.mark.parametrize("alive", [True, False])
@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\nContent-Length: 0\r\n"])
def test_a_worker_that_ends_takes_no_further_request_on_a_connection(alive: bool, expect: bytes) -> None:
    """Otherwise a client that asks without a break keeps it for all of the grace time."""
    request = b"POST / HTTP/1.1\r\n" + HEADERS + expect + b"\r\n"
    with serving(connection.Handler, alive=alive) as port:
        answer = exchange(port, request + request)
    assert answer.count(b"HTTP/1.1 200 OK") == (2 if alive else 1)
    assert answer.count(b"Connection: close") == (0 if alive else 1)
