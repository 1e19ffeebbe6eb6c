"""Connections to sites: none leads to what is internal, whatever a name, a redirect or a server says (design 11)."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_network
from typing import Any

import pytest

from workqueue_service.enums import JobType
from workqueue_service.transfer.egress import EgressProxy
from workqueue_service.transfer.endpoints import Host
from workqueue_service.transfer.errors import PermanentError
from workqueue_service.transfer.outcome import Outcome
from workqueue_service.transfer.rclone import RcloneDaemon
from workqueue_service.transfer.testing import site

SERVERS = ("sftp", "s3", "webdav", "http", "ftp")
HERE = ip_network("127.0.0.1/32")


class Names:
    """Names under ``.test``, and what they stand for at the next look; addresses stand for themselves."""

    def __init__(self) -> None:
        self.answers: list[str] = []

    def __call__(self, host: str, _: int) -> list[str]:
        return [self.answers.pop(0)] if host.endswith(".test") else [host]


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture(params=[[]])
def daemon(
    names: Names, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[RcloneDaemon, Host]]:
    """A daemon whose way out lets through to the networks of the parameter."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    proxy = EgressProxy(request.param, names)
    rclone = RcloneDaemon(proxy=proxy.address)
    proxy.start()
    rclone.start()
    yield rclone, Host(proxy=proxy.address)
    rclone.stop()
    proxy.stop()


@pytest.fixture
def through(daemon: tuple[RcloneDaemon, Host], make_hands: Callable[..., Any]) -> Any:
    """Hands that work through the proxy."""
    return make_hands(*daemon)


def listed(hands: Any, given: dict[str, Any], path: str = "/") -> Outcome:
    [outcome] = hands.run(JobType.LIST, given, (path,))
    return outcome


@pytest.mark.parametrize("kind", SERVERS)
def test_internal_sites_are_not_reached(kind: str, place: Callable[[str], Any], through: Any) -> None:
    """Another attempt would fail too, and the reason is readable."""
    there = place(kind)
    there.put("secret")
    outcome = listed(through, there.site)
    assert isinstance(outcome.error, PermanentError), outcome.log
    assert "the address of the site is internal, and the operator does not allow it" in outcome.log
    assert outcome.listing is None


@pytest.mark.parametrize("daemon", [[HERE]], indirect=True)
@pytest.mark.parametrize("kind", SERVERS)
def test_sites_in_networks_that_the_operator_allows(kind: str, place: Callable[[str], Any], through: Any) -> None:
    """Reading goes through the proxy, whatever the protocol."""
    there = place(kind)
    there.put("a/b", b"x" * 100_000)
    outcome = listed(through, there.site)
    assert outcome.error is None, outcome.log
    assert outcome.listing is not None
    assert [entry["name"] for entry in outcome.listing["/a"]] == ["b"]


@pytest.mark.parametrize("daemon", [[HERE]], indirect=True)
def test_a_name_that_turns_internal_is_refused(place: Callable[[str], Any], through: Any, names: Names) -> None:
    """DNS rebinding: each connection is judged by the address that it goes to."""
    there = place("sftp")
    there.put("a")
    url = there.site["endpoints"][0].replace("127.0.0.1", "files.test")
    given = site(url, credentials=there.site["credentials"])
    names.answers = ["127.0.0.2", "127.0.0.2"]
    assert isinstance(listed(through, given).error, PermanentError)
    names.answers = ["127.0.0.1"]
    assert listed(through, given).error is None


class _Redirecting(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(302)
        self.send_header("Location", f"http://127.0.0.2:{self.server.server_port}/secret")  # type: ignore[attr-defined]
        self.end_headers()

    do_GET = do_HEAD

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("daemon", [[HERE]], indirect=True)
def test_a_redirect_leads_to_nothing_internal(through: Any) -> None:
    """A server outside must not be able to send the worker inside."""
    with HTTPServer(("127.0.0.1", 0), _Redirecting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        outcome = listed(through, site(f"http://127.0.0.1:{server.server_port}/"), "/secret")
        server.shutdown()
    assert isinstance(outcome.error, PermanentError), outcome.log
    assert "internal" in outcome.log
