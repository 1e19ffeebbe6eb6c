"""Who makes a request: every credential of DESIGN 4, and what is said of bad ones (spec: tracker 2.1)."""

import base64
import time
from collections.abc import Callable

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask, request
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Unavailable
from chassis.identity import (
    CredentialRefused,
    Identity,
    JwksVerifier,
    Kind,
    Principal,
    WorkerCache,
    WorkerSecret,
    client_address,
    decode_secret,
)
from chassis.identity.resolver import describe, understand
from chassis.settings import Settings
from chassis.testing.identity import KnownPrincipals

ACCOUNT = Principal(Kind.ACCOUNT, 7, "ann", admin=True, tenant="t7")
WORKER = Principal(Kind.WORKER, 3, "crawler", created=5, version=2)


@pytest.fixture
def app(settings: Settings) -> Flask:
    app = Flask("identity")
    app.extensions["settings"] = settings
    return app


@pytest.fixture
def known() -> KnownPrincipals:
    return KnownPrincipals()


class Clock:
    """Time that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def worker_of(app: Flask, identity: Identity, headers: dict[str, str]) -> Principal:
    with app.test_request_context(headers=headers):
        return identity.worker(request)


def account_of(app: Flask, identity: Identity, headers: dict[str, str]) -> Principal | None:
    with app.test_request_context(headers=headers):
        return identity.account(request)


def plain(known: KnownPrincipals, **options: object) -> Identity:
    return Identity(known, known, session_cookie="tt", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({}, "worker id not specified"),
        ({"X-Worker-ID": "", "X-Secret": "x"}, "worker id not specified"),
        ({"X-Worker-ID": "1"}, "secret is not specified"),
        ({"X-Worker-ID": "None", "X-Secret": "None"}, 'strconv.ParseInt: parsing "None": invalid syntax'),
        (
            {"X-Worker-ID": "9223372036854775808", "X-Secret": "x"},
            'strconv.ParseInt: parsing "9223372036854775808": value out of range',
        ),
        ({"X-Worker-ID": "9", "X-Secret": "x"}, "worker id does not match any valid worker"),
        ({"X-Worker-ID": "1", "X-Secret": "x"}, "invalid secret"),
    ],
)
def test_a_worker_check_fails_with_the_documented_text(
    app: Flask, known: KnownPrincipals, headers: dict[str, str], text: str
) -> None:
    """spec: tracker 2.1"""
    known.add_worker(1)
    with pytest.raises(CredentialRefused) as refusal:
        worker_of(app, plain(known), headers)
    assert str(refusal.value) == text


def test_a_worker_is_known_by_its_headers_or_a_token(app: Flask, known: KnownPrincipals) -> None:
    headers = known.add_worker(1, "crawler")
    assert worker_of(app, plain(known), headers).name == "crawler"
    known.add_token("jwt", WORKER)
    for name in ("X-Auth-Token", "X-Token"):
        assert worker_of(app, plain(known), {name: "jwt"}) == WORKER
    assert worker_of(app, plain(known), {"Authorization": "Bearer jwt"}) == WORKER


def test_an_account_is_no_worker_and_a_worker_no_account(app: Flask, known: KnownPrincipals) -> None:
    known.add_token("ann", ACCOUNT)
    known.add_token("crawler", WORKER)
    with pytest.raises(CredentialRefused):
        worker_of(app, plain(known), {"X-Token": "ann"})
    assert account_of(app, plain(known), {"X-Token": "crawler"}) is None
    assert account_of(app, plain(known), {"X-Token": "ann"}) == ACCOUNT


def test_nobody_is_logged_in_without_or_with_a_wrong_cookie(app: Flask, known: KnownPrincipals) -> None:
    cookie = known.add_account(7)
    assert account_of(app, plain(known), {}) is None
    assert account_of(app, plain(known), {"Cookie": "tt=forged"}) is None
    assert account_of(app, plain(known), {"Authorization": "Basic !!!"}) is None
    found = account_of(app, plain(known), cookie)
    assert found is not None
    assert found.id == 7


def test_logout_and_revocation_hold_for_the_next_request(app: Flask, known: KnownPrincipals) -> None:
    cookie = known.add_account(7)
    identity = plain(known)
    assert account_of(app, identity, cookie)
    known.forget(Kind.ACCOUNT, 7)
    assert account_of(app, identity, cookie) is None


def test_a_worker_stays_known_for_a_minute_even_without_auth(app: Flask, known: KnownPrincipals) -> None:
    clock = Clock()
    identity = plain(known, cache=WorkerCache(60, clock))
    headers = known.add_worker(1)
    worker_of(app, identity, headers)
    known.away = True
    worker_of(app, identity, headers)
    assert known.asked == 1
    clock.now += 61
    with pytest.raises(Unavailable):
        worker_of(app, identity, headers)


def test_a_cached_worker_with_another_secret_is_asked_about(app: Flask, known: KnownPrincipals) -> None:
    identity = plain(known, cache=WorkerCache(60))
    headers = known.add_worker(1)
    worker_of(app, identity, headers)
    with pytest.raises(CredentialRefused, match="invalid secret"):
        worker_of(app, identity, headers | {"X-Secret": "other"})


def test_a_changed_worker_is_asked_about_again(app: Flask, known: KnownPrincipals) -> None:
    cache = WorkerCache(60)
    identity = plain(known, cache=cache)
    headers = known.add_worker(1)
    worker_of(app, identity, headers)
    known.forget(Kind.WORKER, 1)
    cache.drop(1)
    with pytest.raises(CredentialRefused):
        worker_of(app, identity, headers)


def test_an_answer_older_than_a_change_is_not_remembered() -> None:
    cache = WorkerCache(60)
    asked = cache.generation
    cache.drop(3)
    cache.put(WorkerSecret(3, "s"), WORKER, asked)
    assert cache.get(WorkerSecret(3, "s")) is None


def test_the_cache_is_bounded() -> None:
    cache = WorkerCache(60, capacity=2)
    for number in range(3):
        cache.put(WorkerSecret(number, "s"), WORKER, cache.generation)
    assert cache.get(WorkerSecret(0, "s")) is None
    assert cache.get(WorkerSecret(2, "s")) == WORKER


def test_the_service_hears_of_each_confirmed_worker(app: Flask, known: KnownPrincipals) -> None:
    heard: list[int] = []
    identity = plain(known, cache=WorkerCache(60), on_worker=lambda worker: heard.append(worker.id))
    headers = known.add_worker(4)
    worker_of(app, identity, headers)
    worker_of(app, identity, headers)
    assert heard == [4]


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "10.0.0.1, 203.0.113.9", "203.0.113.9"),
        ("198.51.100.1", "10.0.0.1", "198.51.100.1"),
        ("127.0.0.1", "", "127.0.0.1"),
    ],
)
def test_only_the_gate_is_believed_about_the_address(app: Flask, peer: str, forwarded: str, address: str) -> None:
    with app.test_request_context(headers={"X-Forwarded-For": forwarded}, environ_base={"REMOTE_ADDR": peer}):
        assert client_address(request) == address


@given(st.binary(min_size=32, max_size=32))
def test_a_secret_is_exactly_its_base64_form(secret: bytes) -> None:
    """spec: tracker 5.2, Q-07"""
    text = base64.b64encode(secret).decode()
    assert decode_secret(text) == secret
    for wrong in (text + "A", text[:-1], text + "====", " " + text):
        with pytest.raises(CredentialRefused, match="invalid secret"):
            decode_secret(wrong)


@pytest.mark.parametrize("known_as", ["worker", "session", "key", "basic"])
def test_a_credential_survives_its_way_to_auth(known_as: str) -> None:
    fields = {"worker_id": 1, "secret": "s", "value": "v", "username": "u", "password": "p"}
    credential = understand({"kind": known_as, **fields})
    assert understand(describe(credential)) == credential


class Issuer:
    """Signs tokens as auth-service does."""

    def __init__(self) -> None:
        self.keys: dict[str, Ed25519PrivateKey] = {"a": Ed25519PrivateKey.generate()}
        self.fetched = 0

    def sign(self, kid: str = "a", **changes: object) -> str:
        now = int(time.time())
        claims = {"iss": "taskyard", "aud": "taskyard", "iat": now, "exp": now + 60, **ACCOUNT.claims(), **changes}
        return jwt.encode(
            {name: value for name, value in claims.items() if value is not None},
            self.keys[kid],
            "EdDSA",
            headers={"kid": kid},
        )

    def jwks(self) -> list[dict[str, object]]:
        self.fetched += 1
        algorithm = jwt.algorithms.OKPAlgorithm()
        return [
            {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "alg": "EdDSA"}
            for kid, key in self.keys.items()
        ]


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


def test_a_token_is_its_principal(issuer: Issuer) -> None:
    assert JwksVerifier(issuer.jwks).verify(issuer.sign()) == ACCOUNT


@pytest.mark.parametrize(
    "spoil",
    [
        lambda issuer: issuer.sign(exp=int(time.time()) - 60),
        lambda issuer: issuer.sign(exp=None),
        lambda issuer: issuer.sign(iss="else"),
        lambda issuer: issuer.sign(aud="else"),
        lambda issuer: issuer.sign(sub="account"),
        lambda issuer: issuer.sign()[:-4] + "AAAA",
        lambda issuer: jwt.encode({"sub": "account:1"}, "k" * 32, "HS256", headers={"kid": "a"}),
        lambda issuer: jwt.encode({"sub": "account:1"}, None, "none", headers={"kid": "a"}),
        lambda issuer: "nonsense",
        lambda issuer: "",
    ],
)
def test_a_bad_token_is_refused(issuer: Issuer, spoil: Callable[[Issuer], str]) -> None:
    with pytest.raises(CredentialRefused, match="invalid token"):
        JwksVerifier(issuer.jwks).verify(spoil(issuer))


def test_a_new_key_is_learnt_and_an_unknown_one_does_not_flood_auth(issuer: Issuer) -> None:
    clock = Clock()
    verifier = JwksVerifier(issuer.jwks, clock)
    verifier.verify(issuer.sign())
    issuer.keys["b"] = Ed25519PrivateKey.generate()
    token = issuer.sign("b")
    for _ in range(5):
        with pytest.raises(CredentialRefused):
            verifier.verify(token)
    assert issuer.fetched == 1
    clock.now += 3
    assert verifier.verify(token) == ACCOUNT


def test_keys_stay_good_while_auth_is_away(issuer: Issuer) -> None:
    clock = Clock()
    away = False

    def fetch() -> list[dict[str, object]]:
        if away:
            raise Unavailable("auth-service")
        return issuer.jwks()

    verifier = JwksVerifier(fetch, clock)
    verifier.verify(issuer.sign())
    away = True
    clock.now += 10_000
    assert verifier.verify(issuer.sign()) == ACCOUNT
    with pytest.raises(Unavailable):
        JwksVerifier(fetch, clock).verify(issuer.sign())
