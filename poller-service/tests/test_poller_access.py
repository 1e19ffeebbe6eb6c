"""Trusted networks, credentials, forged addresses (spec: poller 5)."""

from typing import Any

import pytest
from pydantic import ValidationError

from chassis.database import Database
from chassis.identity import Identity, Kind, Principal
from chassis.testing.contract_client import ContractClient
from chassis.testing.identity import KnownPrincipals
from poller_service.app import make_app
from poller_service.container import assemble
from poller_service.settings import PollerSettings

COMMON: dict[str, Any] = {
    "port": 0, "database_url": "postgresql://x/x", "amqp_url": "amqp://x", "auth_url": "http://x",
    "internal_key": "k" * 32,
}  # fmt: skip
GATE = "127.0.0.1"
OUTSIDE = "203.0.113.9"
EMPTY: tuple[int, Any] = (200, {})


def trusting(networks: str) -> PollerSettings:
    return PollerSettings.model_validate({**COMMON, "poller_trusted_networks": networks})


@pytest.fixture
def ask(settings: PollerSettings, database: Database, known: KnownPrincipals) -> Any:
    """GET `next` from an address, which speaks to the service itself or through a gate; None: no header."""

    def get(
        peer: str = GATE,
        forwarded: str | None = None,
        headers: dict[str, str] | None = None,
        networks: str | None = None,
        method: str = "GET",
    ) -> tuple[int, Any]:
        chosen = settings if networks is None else trusting(networks)
        app = make_app(assemble(chosen, database, Identity(known, known, session_cookie="tt")))
        app.test_client_class = ContractClient
        sent = {**(headers or {}), **({} if forwarded is None else {"X-Forwarded-For": forwarded})}
        query = {"request": "next"} if method == "GET" else None
        body = None if method == "GET" else {"request": "next", "claim": "1"}
        response = app.test_client(use_cookies=False).open(
            "/poller/update/", method=method, query_string=query, data=body, headers=sent,
            environ_base={"REMOTE_ADDR": peer},
        )  # fmt: skip
        return response.status_code, response.json

    return get


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
def test_loopback_needs_no_credential(ask: Any, address: str) -> None:
    assert ask(peer=address) == EMPTY
    assert ask(forwarded=address) == EMPTY


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_any_other_address_needs_one(ask: Any, method: str) -> None:
    status, answer = ask(peer=OUTSIDE, method=method)
    assert (status, list(answer)) == (401, ["error"])
    assert ask(forwarded=OUTSIDE, method=method)[0] == 401


def test_a_forged_address_from_outside_is_not_believed(ask: Any) -> None:
    assert ask(peer=OUTSIDE, forwarded="127.0.0.1")[0] == 401
    assert ask(peer=GATE, forwarded=f"127.0.0.1, {OUTSIDE}")[0] == 401
    assert ask(peer=GATE, forwarded="localhost")[0] == 401
    for header in ("X-Real-IP", "Forwarded", "X-Client-IP", "True-Client-IP"):
        assert ask(peer=OUTSIDE, headers={header: "127.0.0.1"})[0] == 401


def test_networks_come_from_the_settings(ask: Any) -> None:
    networks = "10.1.0.0/16, 2001:db8::/32"
    assert ask(forwarded="10.1.2.3", networks=networks) == EMPTY
    assert ask(forwarded="2001:db8::7", networks=networks) == EMPTY
    assert ask(forwarded="10.2.0.1", networks=networks)[0] == 401
    assert ask(forwarded="127.0.0.1", networks=networks)[0] == 401
    assert ask(networks="")[0] == 401


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**COMMON, "poller_trusted_networks": "10.0.0.0/8,::1/128"}.items():
        monkeypatch.setenv(f"TASKYARD_{name.upper()}", str(value))
    assert [str(network) for network in PollerSettings.load().poller_trusted_networks] == ["10.0.0.0/8", "::1/128"]


@pytest.mark.parametrize("networks", ["10.0.0.1/8", "everybody", "10.0.0.0/8;::1"])
def test_a_wrong_network_is_an_error(networks: str) -> None:
    with pytest.raises(ValidationError, match="poller_trusted_networks"):
        trusting(networks)


def test_every_kind_of_credential_opens_the_door(ask: Any, known: KnownPrincipals) -> None:
    token = known.add_token("a.b.c", Principal(Kind.ACCOUNT, 3, "ada"))
    for headers in (known.add_worker(7), known.add_account(3), token, {"X-Auth-Token": "a.b.c"}):
        assert ask(peer=OUTSIDE, headers=headers) == EMPTY


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Worker-ID": "7", "X-Secret": "wrong"},
        {"X-Worker-ID": "7"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic !"},
        {"Cookie": "tt=old"},
    ],
)
def test_a_bad_credential_does_not(ask: Any, headers: dict[str, str]) -> None:
    status, answer = ask(peer=OUTSIDE, headers=headers)
    assert (status, list(answer)) == (401, ["error"])


def test_a_trusted_machine_needs_no_auth_service(ask: Any, known: KnownPrincipals) -> None:
    known.away = True
    assert ask(headers={"Cookie": "tt=x"}) == EMPTY
    status, answer = ask(peer=OUTSIDE, headers={"Cookie": "tt=x"})
    assert (status, list(answer)) == (503, ["error"])


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_a_foreign_page_does_not_share_the_trust_in_its_browsers_machine(ask: Any, origin: str) -> None:
    assert ask(method="POST", headers={"Origin": origin})[0] == 401
    assert ask(method="POST", headers={"Origin": "http://localhost"}) == EMPTY
