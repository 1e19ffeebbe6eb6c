"""Access tokens and the keys that they are verified with (DESIGN 4, 11)."""

import base64
import time
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from auth_service.testing import PASSWORD, House, Visitor
from chassis.identity import CredentialRefused, JwksVerifier, Kind, Principal

GOOD = {"username": "myadmin", "password": PASSWORD}


def token_of(visitor: Visitor, body: Any = None) -> str:
    answer = visitor.post("/auth/token", body)
    assert answer.status_code == 200, answer.data
    return str(answer.get_json()["access_token"])


def verified(house: House, token: str) -> Principal:
    """What another service makes of a token: only the published keys are known to it."""
    return JwksVerifier(lambda: house.visitor().get("/auth/jwks.json").get_json()["keys"]).verify(token)


def test_a_password_becomes_a_token(house: House) -> None:
    """DESIGN 11."""
    house.account()
    answer = house.visitor().post("/auth/token", GOOD).get_json()
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 900)
    principal = verified(house, answer["access_token"])
    assert (principal.kind, principal.id, principal.name, principal.admin) == (Kind.ACCOUNT, 1, "myadmin", True)
    assert len(principal.tenant) == 32
    header = jwt.get_unverified_header(answer["access_token"])
    assert header["alg"] == "EdDSA"
    assert header["kid"] in {key["kid"] for key in house.parts.signing.public()}
    assert house.events("auth.login.succeeded") == [{"username": "myadmin", "address": "127.0.0.1"}]


def test_a_worker_secret_becomes_a_token(house: House) -> None:
    """DESIGN 11."""
    worker = house.worker("crunch")
    body = {"worker_id": 1, "secret": worker.headers["X-Secret"]}
    principal = verified(house, token_of(house.visitor(), body))
    assert (principal.kind, principal.id, principal.name, principal.paused) == (Kind.WORKER, 1, "crunch", False)


def test_the_life_of_a_token_can_be_set(make_house: Any) -> None:
    """DESIGN 4: minutes to hours."""
    house: House = make_house(token_seconds=7200)
    house.account()
    answer = house.visitor().post("/auth/token", GOOD).get_json()
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    assert answer["expires_in"] == 7200 == claims["exp"] - claims["iat"]
    assert abs(claims["iat"] - time.time()) < 5


def test_the_credential_of_the_request_becomes_a_token(house: House) -> None:
    """DESIGN 4: whoever needs many calls exchanges a session or API key."""
    account, worker = house.account(), house.worker()
    key = account.post("/auth/keys", {"name": "k"}).get_json()["key"]
    basic = base64.b64encode(f"myadmin:{PASSWORD}".encode()).decode()
    for visitor, kind in (
        (account, Kind.ACCOUNT),
        (worker, Kind.WORKER),
        (house.visitor(X_Auth_Token=key), Kind.ACCOUNT),
        (house.visitor(Authorization=f"Basic {basic}"), Kind.ACCOUNT),
    ):
        assert verified(house, token_of(visitor)).kind is kind
        assert verified(house, token_of(visitor, {})).kind is kind


def test_a_token_is_not_exchanged_for_another(house: House) -> None:
    """Otherwise it would never end."""
    house.account()
    token = token_of(house.visitor(), GOOD)
    answer = house.visitor(Authorization=f"Bearer {token}").post("/auth/token", {})
    assert (answer.status_code, answer.get_json()["message"]) == (401, "Unauthorized")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"username": "myadmin", "password": "wrong password"}, "Invalid username/password"),
        ({"username": "nobody", "password": PASSWORD}, "Invalid username/password"),
        ({"username": "my\0admin", "password": PASSWORD}, "Invalid username/password"),
        ({"username": "x" * 100, "password": PASSWORD}, "Invalid username/password"),
        ({"worker_id": 9, "secret": "x"}, "worker id does not match any valid worker"),
        ({"worker_id": -1, "secret": "x"}, "worker id does not match any valid worker"),
        ({"worker_id": 1, "secret": "x"}, "invalid secret"),
        ({"worker_id": 1}, "invalid secret"),
        ({"password": PASSWORD}, "Unauthorized"),
        ({}, "Unauthorized"),
        (None, "Unauthorized"),
    ],
    ids=str,
)
def test_what_is_no_credential_gets_no_token(house: House, body: Any, text: str) -> None:
    house.account()
    house.worker()
    answer = house.visitor().post("/auth/token", body)
    assert (answer.status_code, answer.get_json()) == (401, {"ok": False, "message": text})


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "Could not parse request"),
        (b'{"worker_id": "1"}', "Could not parse request"),
        (b'{"worker_id": 1, "secret": "x", "username": "myadmin", "password": "x"}', "Invalid token request"),
    ],
)
def test_a_bad_token_request(house: House, body: bytes, text: str) -> None:
    answer = house.visitor().post("/auth/token", body)
    assert (answer.status_code, answer.get_json()["message"]) == (400, text)


@pytest.mark.parametrize("header", ["Authorization", "X-Auth-Token", "X-Token"])
def test_a_token_opens_the_doors_of_its_owner(house: House, header: str) -> None:
    """DESIGN 4: in any of the three headers, for accounts and for workers."""
    house.account()
    worker = house.worker()
    prefix = "Bearer " if header == "Authorization" else ""
    account = house.visitor(**{header: prefix + token_of(house.visitor(), GOOD)})
    assert account.get("/manager/list").status_code == 200
    by_token = house.visitor(**{header: prefix + token_of(worker)})
    assert by_token.post("/worker/update", {"alias": "b"}).get_json() == {"ok": True}
    assert by_token.get("/manager/list").status_code == 401
    assert account.post("/worker/update", {"alias": "b"}).get_json()["message"] == "not the credential of a worker"


def test_a_token_has_the_rights_that_its_owner_has_now(house: House) -> None:
    """spec: tracker Q-09: at auth-service, a demoted admin is none for tokens either."""
    house.account("admin")
    other = house.account("other")
    visitor = house.visitor(X_Auth_Token=token_of(house.visitor(), {"username": "other", "password": PASSWORD}))
    assert visitor.get("/account").get_json()["content"]["manager"]["tracker_admin"] is False
    house.parts.accounts.set_tracker_admin(2, True)
    assert visitor.get("/account").get_json()["content"]["manager"]["tracker_admin"] is True
    assert other.get("/manager/demote/1").status_code == 204


def test_tokens_of_nobody_are_refused(house: House) -> None:
    """A signature of ours over a principal that is not there, or of somebody else over one that is."""
    house.account()
    tokens = house.parts.tokens
    stranger = tokens.sign(Principal(Kind.ACCOUNT, 99, "x", admin=True), 60)
    unsigned = jwt.encode(Principal(Kind.ACCOUNT, 1, "x", admin=True).claims(), None, "none")
    for token in (stranger, unsigned, "x.y.z", "", tokens.sign(Principal(Kind.WORKER, 1, "x"), 60)):
        visitor = house.visitor(X_Auth_Token=token) if token else house.visitor()
        assert visitor.get("/manager/list").status_code == 401


def test_a_token_ends(house: House) -> None:
    house.account()
    ended = house.parts.tokens.sign(Principal(Kind.ACCOUNT, 1, "myadmin"), -6)
    with pytest.raises(CredentialRefused):
        verified(house, ended)
    assert house.visitor(X_Auth_Token=ended).get("/manager/list").status_code == 401


PRINCIPALS = st.builds(
    Principal,
    kind=st.sampled_from([Kind.WORKER, Kind.ACCOUNT]),
    id=st.integers(1, 2**63 - 1),
    name=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30),
    created=st.integers(0, 2**40),
    version=st.integers(1, 2**40),
    admin=st.booleans(),
    paused=st.booleans(),
    tenant=st.text("0123456789abcdef", max_size=32),
)


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(principal=PRINCIPALS)
def test_what_is_signed_is_what_is_read(house: House, principal: Principal) -> None:
    """The invariant of access tokens."""
    assert verified(house, house.parts.tokens.sign(principal, 60)) == principal


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_token_with_any_character_changed_is_refused(house: House, data: st.DataObject) -> None:
    """A signature covers header and claims."""
    token = house.parts.tokens.sign(Principal(Kind.ACCOUNT, 1, "x"), 60)
    place = data.draw(st.integers(0, len(token) - 2))  # the last character may carry unused bits
    letter = data.draw(st.sampled_from("ABCDEFabcdef0123456789-_").filter(lambda c: c != token[place]))
    with pytest.raises(CredentialRefused):
        verified(house, token[:place] + letter + token[place + 1 :])
