"""One connection of the HTTP server: gevent's handler, with a short way for ordinary requests.

gevent reads requests with Python's parser of e-mails, which costs more than all the rest of its work. Here a C parser
reads the head of an ordinary request. Whatever is not ordinary (a head that has not come whole, HTTP/1.0,
``Transfer-Encoding``, ``Expect``, ``Upgrade``, anything malformed) is left in the buffer for gevent's own way, which
answers as it always has.
"""

from typing import Any
from urllib.parse import unquote_to_bytes

import httptools
from gevent import pywsgi

SMALL = 65_536
"""Bytes of a body that are worth a copy, so that it leaves together with its head."""

MOST_HEADERS = 100
"""With more of them gevent refuses a request."""

_EXTRAORDINARY = frozenset({"HTTP_TRANSFER_ENCODING", "HTTP_EXPECT", "HTTP_UPGRADE"})
_PLAIN = {"HTTP_CONTENT_TYPE": "CONTENT_TYPE", "HTTP_CONTENT_LENGTH": "CONTENT_LENGTH"}
_names: dict[bytes, str | None] = {}


class Extraordinary(Exception):
    """This request is not for the short way"""


class _Head:
    """What the C parser finds in the head of a request, in the form of a WSGI environment."""

    __slots__ = ("environ", "headers", "target")

    def __init__(self, environ: dict[str, Any]) -> None:
        self.environ = environ
        self.target = b""
        self.headers = 0

    def on_url(self, target: bytes) -> None:
        self.target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers += 1
        key = _names[name] if name in _names else _variable(name)
        if key is None:
            return
        text = value.decode("latin-1").strip()
        environ = self.environ
        if key not in environ:
            environ[key] = text
        elif key != "CONTENT_TYPE":  # of these, gevent takes the first
            environ[key] += ("; " if key == "HTTP_COOKIE" else ",") + text

    def is_ordinary(self) -> bool:
        """Whether nothing in the head asks for more than an answer."""
        return self.target[:1] == b"/" and self.headers <= MOST_HEADERS and not _EXTRAORDINARY & self.environ.keys()


class Handler(pywsgi.WSGIHandler):  # type: ignore[misc]
    """One connection. The gate writes the access log."""

    def log_request(self) -> None:
        """Write nothing."""

    def get_environ(self) -> dict[str, object]:
        """Return the WSGI environment, with the connection in it: a long poll looks whether its client has left."""
        environ: dict[str, object] = super().get_environ()
        environ["gunicorn.socket"] = self.socket
        return environ

    def handle_one_request(self) -> Any:
        """Serve one request; what is returned tells gevent how the connection goes on."""
        try:
            self._read_ordinary()
        except OSError:
            return None
        except (Extraordinary, httptools.HttpParserError, httptools.HttpParserUpgrade):
            return super().handle_one_request()
        self.application = self.server.application
        self.handle_one_response()
        return None if self.close_connection or self.rfile.closed else True

    def handle_one_response(self) -> None:
        """Serve one request and count it as running meanwhile."""
        worker = self.server.worker
        worker.busy += 1
        try:
            super().handle_one_response()
        finally:
            worker.busy -= 1

    def _read_ordinary(self) -> None:
        """Take an ordinary head out of the buffer; of any other request, nothing."""
        head = self.rfile.peek()
        end = head.find(b"\r\n\r\n") + 4
        if end < 4:
            raise Extraordinary
        found = _Head(self.server.get_environ())
        parser = httptools.HttpRequestParser(found)
        parser.feed_data(head[:end])
        environ = found.environ
        if parser.get_http_version() != "1.1" or not found.is_ordinary():
            raise Extraordinary
        length = environ.get("CONTENT_LENGTH")
        self.command = parser.get_method().decode("latin-1")
        if length and self.command == "HEAD":
            raise Extraordinary
        self.content_length = None if length is None else int(length)
        self.request_version = "HTTP/1.1"
        self.close_connection = environ.get("HTTP_CONNECTION", "").lower() == "close"
        self.response_length = 0
        self.rfile.read(end)
        self.environ = self._completed(environ, found.target)

    def _completed(self, environ: dict[str, Any], target: bytes) -> dict[str, Any]:
        path, _, query = target.partition(b"?")
        self.path = target.decode("latin-1")
        self.requestline = f"{self.command} {self.path} HTTP/1.1"
        self.wsgi_input = pywsgi.Input(self.rfile, self.content_length)
        environ.update(
            {
                "REQUEST_METHOD": self.command,
                "SCRIPT_NAME": "",
                "PATH_INFO": (unquote_to_bytes(path) if b"%" in path else path).decode("latin-1"),
                "QUERY_STRING": query.decode("latin-1"),
                "SERVER_PROTOCOL": "HTTP/1.1",
                "REMOTE_ADDR": self.client_address[0],
                "REMOTE_PORT": str(self.client_address[1]),
                "wsgi.input": self.wsgi_input,
                "wsgi.input_terminated": True,
                "gunicorn.socket": self.socket,
            }
        )
        return environ

    def _write_with_headers(self, data: bytes) -> None:
        """Send head and body together: each send wakes the gate once."""
        self.headers_sent = True
        self.finalize_headers()
        if not self.server.worker.alive and not self.close_connection:
            # Nobody takes this for a failure, and who asks without a break would keep the process from its end.
            self.close_connection = True
            self.response_headers.append((b"Connection", b"close"))
        lines = [b"%b: %b\r\n" % pair for pair in self.response_headers]
        head = b"".join((b"HTTP/1.1 ", self.status, b"\r\n", *lines, b"\r\n"))
        if self.response_use_chunked or len(data) > SMALL:
            self._sendall(head)
            self._write(data)
        else:
            self._sendall(head + data if data else head)  # gevent's own answers may end in an empty text


def _variable(name: bytes) -> str | None:
    """Return the variable of a header, or ``None`` for one that could pass itself off as another (X_Secret)."""
    key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
    variable = None if b"_" in name else _PLAIN.get(key, key)
    if len(_names) < 1_000:  # clients may invent names
        _names[name] = variable
    return variable
