"""Functions of the source http: what they send, what they accept, and where they never get (design 11)."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from scheduler_service.sources.http import HttpRunner
from scheduler_service.sources.work import Outcome, Work

LOOPBACK = [ip_network("127.0.0.0/8")]


class Ending(threading.Event):
    """Notes the waits and lets them pass at once."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return False


class Site:
    """A web site on this machine that answers what a test tells it to."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.hold = threading.Event()
        self.slow = False
        site = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                site.requests.append((self.command, self.path, dict(self.headers), body))
                if site.slow:
                    self._drip()
                    return
                status, headers, content = site.answers.pop(0) if site.answers else (200, {}, b"fine")
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def _drip(self) -> None:
                """Send a byte again and again, so that no single read takes long."""
                try:
                    self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
                    while not site.hold.wait(0.02):
                        self.wfile.write(b".")
                except OSError:
                    pass

            do_GET = do_POST = do_PUT = _serve

            def log_message(self, *_: object) -> None:
                """Tests are quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook?x=1"
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()


@pytest.fixture
def site() -> Iterator[Site]:
    """A web site."""
    made = Site()
    yield made
    made.hold.set()
    made.server.shutdown()
    made.server.server_close()


def run(
    code: dict[str, Any], runner: HttpRunner | None = None, ending: Ending | None = None, timeout: int = 5
) -> Outcome:
    work = Work("e", "3", "f", 0, {"source": "http", **code}, None, timeout)
    return (runner or HttpRunner(LOOPBACK)).run(work, ending or Ending())


def test_a_request_and_its_answer(site: Site) -> None:
    outcome = run({"url": site.url, "json": {"a": 1}, "headers": {"X-Key": "k"}})
    [(method, path, headers, body)] = site.requests
    assert (method, path, json.loads(body)) == ("POST", "/hook?x=1", {"a": 1})
    assert (headers["Host"], headers["Content-Type"]) == (f"127.0.0.1:{site.port}", "application/json")
    assert (headers["X-Key"], headers["User-Agent"]) == ("k", "Taskyard")
    assert (outcome.status, outcome.output) == ("success", {"status": 200, "body": "fine"})
    assert outcome.logs == f"POST {site.url}: 200\n"
    assert outcome.duration is not None


def test_a_text_and_another_method(site: Site) -> None:
    run({"url": site.url, "method": "PUT", "body": "grüß"})
    assert (site.requests[0][0], site.requests[0][3].decode()) == ("PUT", "grüß")


def test_only_the_expected_status_is_a_success(site: Site) -> None:
    site.answers = [(404, {}, b""), (200, {}, b""), (204, {}, b"")]
    assert run({"url": site.url, "expected_status": [404]}).status == "success"
    outcome = run({"url": site.url, "expected_status": [404]})
    assert (outcome.status, outcome.output) == ("failed", "the answer was 200, not as expected")
    assert run({"url": site.url}).status == "success"


def test_retries_help_where_they_can(site: Site) -> None:
    ending = Ending()
    site.answers = [(503, {}, b""), (429, {}, b""), (200, {}, b"now")]
    outcome = run({"url": site.url, "retries": 3}, ending=ending)
    assert (outcome.status, len(site.requests), ending.waits) == ("success", 3, [1.0, 2.0])
    site.answers = [(400, {}, b"")]
    assert run({"url": site.url, "retries": 3}).status == "failed"
    assert len(site.requests) == 4


def test_retries_end(site: Site) -> None:
    site.answers = [(500, {}, b"")] * 3
    outcome = run({"url": site.url, "retries": 2})
    assert (outcome.status, len(site.requests)) == ("failed", 3)
    assert str(outcome.logs).count("\n") == 3


def test_a_process_that_ends_does_not_try_again(site: Site) -> None:
    ending = threading.Event()
    ending.set()
    site.answers = [(500, {}, b"")] * 3
    run({"url": site.url, "retries": 2}, ending=ending)  # type: ignore[arg-type]
    assert len(site.requests) == 1


def test_redirects_are_not_followed(site: Site) -> None:
    site.answers = [(302, {"Location": "http://169.254.169.254/latest/meta-data"}, b"")]
    outcome = run({"url": site.url})
    assert (outcome.status, len(site.requests)) == ("failed", 1)


def test_slow_answers_are_cut_off(site: Site) -> None:
    site.slow = True
    outcome = run({"url": site.url}, timeout=1)
    assert (outcome.status, outcome.output) == ("failed", "no answer within 1 s")


def test_long_answers_are_cut_short(site: Site) -> None:
    site.answers = [(200, {}, b"x" * 100_000)]
    assert len(run({"url": site.url}).output["body"]) == 16 * 1024


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert run({"url": f"http://127.0.0.1:{port}/"}).output == "the request failed: NewConnectionError"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "[::1]", "127.1"])
def test_spellings_of_this_machine(site: Site, host: str) -> None:
    """However the address is written, what it stands for counts."""
    outcome = run({"url": f"http://{host}:{site.port}/", "retries": 3}, HttpRunner([]))
    assert (outcome.status, site.requests) == ("failed", [])


def test_a_name_that_changes_its_address_is_asked_once(site: Site) -> None:
    """DNS rebinding: the checked address is the one that is used."""
    answers = [["127.0.0.1"], ["10.0.0.1"]]
    outcome = run({"url": f"http://rebind.test:{site.port}/"}, HttpRunner(LOOPBACK, lambda *_: answers.pop(0)))
    assert outcome.status == "success"
    assert answers == [["10.0.0.1"]]
    assert site.requests[0][2]["Host"] == f"rebind.test:{site.port}"


def test_a_name_that_turns_internal_between_tries_is_refused(site: Site) -> None:
    site.answers = [(503, {}, b"")]
    answers = [["127.0.0.1"], ["10.0.0.1"]]
    outcome = run(
        {"url": f"http://rebind.test:{site.port}/", "retries": 3}, HttpRunner(LOOPBACK, lambda *_: answers.pop(0))
    )
    assert (outcome.status, outcome.output) == ("failed", "rebind.test is an internal address")
    assert len(site.requests) == 1


@pytest.fixture
def certified(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The site with a trusted certificate for good.test."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "good.test")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("good.test")]), critical=False)
    pem = serialization.Encoding.PEM
    (tmp_path / "cert").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(pem))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (tmp_path / "key").write_bytes(key.private_bytes(pem, *plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    site.server.socket = context.wrap_socket(site.server.socket, server_side=True)
    monkeypatch.setattr("certifi.where", lambda: str(tmp_path / "cert"))
    return site


@pytest.mark.parametrize(("host", "status"), [("good.test", "success"), ("bad.test", "failed")])
def test_a_certificate_must_be_that_of_the_name(certified: Site, host: str, status: str) -> None:
    """The address is pinned, the name is still what the peer must prove."""
    outcome = run({"url": f"https://{host}:{certified.port}/"}, HttpRunner(LOOPBACK, lambda *_: ["127.0.0.1"]))
    assert outcome.status == status
    assert len(certified.requests) == (status == "success")


def test_an_unknown_name() -> None:
    def nowhere(host: str, port: int) -> list[str]:
        raise socket.gaierror("no such name")

    outcome = run({"url": "http://nowhere.test/"}, HttpRunner([], nowhere))
    assert outcome.output == "the host nowhere.test is not known"
