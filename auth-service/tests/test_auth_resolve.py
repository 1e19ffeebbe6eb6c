"""What auth-service tells other services (DESIGN 4)."""

import base64
from typing import Any

import jwt
import pytest

from auth_service.testing import PASSWORD, House, Visitor
from chassis.identity import (
    ApiKey,
    AuthResolver,
    Basic,
    CredentialRefused,
    JwksVerifier,
    Kind,
    Opaque,
    Principal,
    Session,
    WorkerSecret,
)
from chassis.internal import service_token

WRONG_SECRET = base64.b64encode(bytes(32)).decode()


class Caller:
    """A service's internal client, without a network."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        answer = self._visitor.post(path, body)
        return answer.status_code, answer.get_json()


@pytest.fixture
def resolver(house: House) -> AuthResolver:
    """What every other service asks with."""
    return AuthResolver(Caller(house.service()), JwksVerifier(house.parts.signing.public))  # type: ignore[arg-type]


def refusal(resolver: AuthResolver, credential: Opaque) -> str:
    with pytest.raises(CredentialRefused) as caught:
        resolver.resolve(credential, "203.0.113.7")
    return str(caught.value)


def test_a_worker_is_known_by_its_secret(house: House, resolver: AuthResolver) -> None:
    secret = house.worker("crunch").headers["X-Secret"]
    principal = resolver.resolve(WorkerSecret(1, secret), "")
    assert principal == Principal(Kind.WORKER, 1, "crunch", principal.created, version=1)
    house.parts.workers.set_paused(1, True)
    assert resolver.resolve(WorkerSecret(1, secret), "").paused is True
    assert resolver.resolve(Basic("1", secret), "").kind is Kind.WORKER


def test_an_account_is_known_by_session_key_and_password(house: House, resolver: AuthResolver) -> None:
    visitor = house.account()
    cookie = visitor.client.get_cookie("tt")
    assert cookie is not None
    key = visitor.post("/auth/keys", {"name": "k"}).get_json()["key"]
    seen = {resolver.resolve(c, "") for c in (Session(cookie.value), ApiKey(key), Basic("myadmin", PASSWORD))}
    (principal,) = seen
    assert (principal.kind, principal.id, principal.admin) == (Kind.ACCOUNT, 1, True)
    visitor.get("/logout")
    assert refusal(resolver, Session(cookie.value)) == "not logged in"


def test_each_account_is_a_tenant_of_its_own(house: House, resolver: AuthResolver) -> None:
    """DESIGN 4: tenant = project_id of the scheduler API."""
    house.account("first")
    house.account("second")
    tenants = {resolver.resolve(Basic(name, PASSWORD), "").tenant for name in ("first", "second")}
    assert len(tenants) == 2
    assert "" not in tenants


@pytest.mark.parametrize(
    ("credential", "reason"),
    [
        (WorkerSecret(9, WRONG_SECRET), "worker id does not match any valid worker"),
        (WorkerSecret(2**63 - 1, WRONG_SECRET), "worker id does not match any valid worker"),
        (WorkerSecret(1, WRONG_SECRET), "invalid secret"),
        (WorkerSecret(1, "x"), "invalid secret"),
        (WorkerSecret(1, "ÿ"), "invalid secret"),
        (Session("x"), "not logged in"),
        (Session("\0"), "not logged in"),
        (ApiKey("tyk_x"), "invalid key"),
        (ApiKey("tyk_\0"), "invalid key"),
        (Basic("myadmin", "wrong password"), "Invalid username/password"),
        (Basic("1", WRONG_SECRET), "Invalid username/password"),
        (Basic("", ""), "Invalid username/password"),
        (Basic("a\0bc", PASSWORD), "Invalid username/password"),
    ],
    ids=str,
)
def test_a_refusal_has_its_reason(house: House, resolver: AuthResolver, credential: Opaque, reason: str) -> None:
    """spec: tracker 2.1."""
    house.account()
    house.worker()
    assert refusal(resolver, credential) == reason


def test_digits_may_be_a_name(house: House, resolver: AuthResolver) -> None:
    """HTTP Basic carries both workers and accounts."""
    house.worker()
    house.account("1234")
    assert resolver.resolve(Basic("1234", PASSWORD), "").kind is Kind.ACCOUNT


def test_answers_to_services_live_for_a_minute(house: House) -> None:
    """DESIGN 4."""
    house.account()
    body = {"kind": "basic", "username": "myadmin", "password": PASSWORD, "address": ""}
    token = house.service().post("/internal/resolve", body).get_json()["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 60


@pytest.mark.parametrize(
    "body", [None, [], {}, {"kind": "x"}, {"kind": "worker"}, {"kind": "worker", "worker_id": "x", "secret": ""}, b"{"]
)
def test_a_question_that_is_none(house: House, body: Any) -> None:
    assert house.service().post("/internal/resolve", body).status_code == 400


def test_records_for_other_services(house: House) -> None:
    house.worker("crunch")
    house.account()
    account = house.service().get("/internal/accounts/1").get_json()
    assert {**account, "register_time": 0} == {
        "id": 1,
        "username": "myadmin",
        "tracker_admin": True,
        "register_time": 0,
        "version": 1,
    }
    worker = house.service().get("/internal/workers/1").get_json()
    assert {**worker, "created": 0} == {"id": 1, "alias": "crunch", "paused": False, "created": 0, "version": 1}
    for path in ("/internal/accounts/2", "/internal/workers/99999999999999999999"):
        answer = house.service().get(path)
        assert (answer.status_code, answer.get_json()["ok"]) == (404, False)


def test_only_services_are_answered(house: House) -> None:
    """DESIGN 4: nothing trusts the network."""
    admin = house.account()
    token = admin.post("/auth/token").get_json()["access_token"]
    wrong_key = house.visitor(Authorization=f"Bearer {service_token('x' * 40, 'tracker', 'auth')}")
    key = house.settings.internal_key.get_secret_value()
    wrong_audience = house.visitor(Authorization=f"Bearer {service_token(key, 'auth', 'tracker')}")
    for visitor in (
        house.visitor(),
        house.worker(),
        admin,
        house.visitor(Authorization=f"Bearer {token}"),
        wrong_key,
        wrong_audience,
    ):
        for answer in (
            visitor.post("/internal/resolve", {"kind": "session", "value": "x", "address": ""}),
            visitor.get("/internal/accounts/1"),
            visitor.get("/internal/workers/1"),
        ):
            assert answer.status_code == 401
