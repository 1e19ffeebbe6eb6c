"""API keys (DESIGN 4, 11)."""

import base64
import time
from typing import Any

import jwt
import pytest

from auth_service.testing import House, Visitor

UNAUTHORIZED = {"ok": False, "message": "Unauthorized"}


@pytest.fixture(params=["account", "worker"])
def owner(house: House, request: pytest.FixtureRequest) -> Visitor:
    """Keys act for an account or for a worker."""
    return house.account() if request.param == "account" else house.worker()


def key_of(owner: Visitor, **body: Any) -> dict[str, Any]:
    answer = owner.post("/auth/keys", {"name": "nightly import", **body})
    assert answer.status_code == 201, answer.data
    made: dict[str, Any] = answer.get_json()
    return made


def works(house: House, key: str) -> bool:
    """Whether a key is good for anything."""
    body = {"kind": "key", "value": key, "address": ""}
    return house.service().post("/internal/resolve", body).status_code == 200


def test_a_key_is_shown_once(house: House, owner: Visitor) -> None:
    """DESIGN 11."""
    made = key_of(owner)
    key = made.pop("key")
    assert key.startswith("tyk_")
    assert len(base64.urlsafe_b64decode(key[4:] + "=")) == 32
    assert abs(made["created_at"] - time.time()) < 5
    assert (made["name"], made["expires_at"]) == ("nightly import", None)
    assert owner.get("/auth/keys").get_json() == {"keys": [made]}
    row = house.database.one("SELECT * FROM api_key")
    assert key not in str(row)


def test_a_key_acts_for_its_owner(house: House) -> None:
    """DESIGN 4: in each of the headers, and as the password of HTTP Basic."""
    account_key = key_of(house.account())["key"]
    basic = base64.b64encode(f"anything:{account_key}".encode()).decode()
    for headers in (
        {"Authorization": f"Bearer {account_key}"},
        {"X_Auth_Token": account_key},
        {"X_Token": account_key},
        {"Authorization": f"Basic {basic}"},
    ):
        assert house.visitor(**headers).get("/account").get_json()["content"]["manager"]["id"] == 1
    worker_key = key_of(house.worker())["key"]
    visitor = house.visitor(Authorization=f"Bearer {worker_key}")
    assert visitor.post("/worker/update", {"alias": "b"}).get_json() == {"ok": True}
    assert visitor.get("/manager/list").status_code == 401


def test_a_revoked_key_is_refused_at_once(house: House, owner: Visitor) -> None:
    """DESIGN 4."""
    kept, revoked = key_of(owner), key_of(owner)
    assert works(house, revoked["key"])
    assert owner.delete(f"/auth/keys/{revoked['id']}").status_code == 204
    assert not works(house, revoked["key"])
    assert works(house, kept["key"])
    assert [key["id"] for key in owner.get("/auth/keys").get_json()["keys"]] == [kept["id"]]
    answer = owner.delete(f"/auth/keys/{revoked['id']}")
    assert (answer.status_code, answer.get_json()) == (404, {"ok": False, "message": "Key not found"})


def test_a_key_ends_after_the_seconds_that_were_asked_for(house: House, owner: Visitor) -> None:
    """DESIGN 11: POST /auth/keys {"name", "expires_in"?}"""
    assert abs(key_of(owner, expires_in=3600)["expires_at"] - time.time() - 3600) < 5


def test_a_key_ends(house: House, owner: Visitor) -> None:
    made = key_of(owner, expires_at=int(time.time()) + 3600)
    assert abs(made["expires_at"] - time.time() - 3600) < 5
    assert works(house, made["key"])
    house.database.execute("UPDATE api_key SET expires_at = now()")
    assert not works(house, made["key"])
    assert len(owner.get("/auth/keys").get_json()["keys"]) == 1
    house.database.execute("UPDATE api_key SET expires_at = now() - interval '8 days'")
    house.parts.keys.prune()
    assert owner.get("/auth/keys").get_json() == {"keys": []}


def test_a_token_does_not_outlive_the_key_that_it_was_got_for(house: House, owner: Visitor) -> None:
    key = key_of(owner, expires_at=int(time.time()) + 100)["key"]
    answer = house.visitor(X_Auth_Token=key).post("/auth/token").get_json()
    assert 90 <= answer["expires_in"] <= 100
    body = {"kind": "key", "value": key, "address": ""}
    house.database.execute("UPDATE api_key SET expires_at = now() + interval '20 s'")
    token = house.service().post("/internal/resolve", body).get_json()["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] <= 20


def test_a_key_manages_no_keys(house: House, owner: Visitor) -> None:
    """A key that leaks must not be able to make itself permanent, not by way of a token either."""
    made = key_of(owner)
    token = house.visitor(X_Auth_Token=made["key"]).post("/auth/token").get_json()["access_token"]
    basic = base64.b64encode(f":{made['key']}".encode()).decode()
    for headers in ({"X_Auth_Token": made["key"]}, {"X_Auth_Token": token}, {"Authorization": f"Basic {basic}"}):
        visitor = house.visitor(**headers)
        for answer in (
            visitor.post("/auth/keys", {"name": "more"}),
            visitor.get("/auth/keys"),
            visitor.delete(f"/auth/keys/{made['id']}"),
        ):
            assert (answer.status_code, answer.get_json()) == (403, UNAUTHORIZED)
    own_token = owner.post("/auth/token").get_json()["access_token"]
    assert house.visitor(X_Auth_Token=own_token).get("/auth/keys").status_code == 200


def test_nobody_sees_or_revokes_the_keys_of_others(house: House) -> None:
    """A worker and an account with the same id are two."""
    account, worker, admin = house.account(), house.worker(), house.account("other")
    made = key_of(account)
    for other in (worker, admin):
        assert other.get("/auth/keys").get_json() == {"keys": []}
        assert other.delete(f"/auth/keys/{made['id']}").status_code == 404
    assert works(house, made["key"])


def test_strangers_have_no_keys(house: House) -> None:
    house.account()
    for visitor in (
        house.visitor(),
        house.visitor(X_Auth_Token="tyk_unknown"),
        house.visitor(Cookie="tt=unknown"),
        house.visitor(X_Worker_ID="1", X_Secret="x"),
        house.visitor(Authorization="Basic x"),
    ):
        for answer in (
            visitor.post("/auth/keys", {"name": "x"}),
            visitor.get("/auth/keys"),
            visitor.delete("/auth/keys/1"),
        ):
            assert (answer.status_code, answer.get_json()) == (401, UNAUTHORIZED)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "Could not parse request"),
        (b"", "Could not parse request"),
        (b'{"name": 1}', "Could not parse request"),
        (b'{"name": "x", "expires_at": "tomorrow"}', "Could not parse request"),
        (b"{}", "Invalid key request"),
        (b'{"name": ""}', "Invalid key request"),
        (b'{"name": "a\\u0000"}', "Invalid key request"),
        (b'{"name": "x", "expires_at": 0}', "Invalid key request"),
        (b'{"name": "x", "expires_at": 1}', "Invalid key request"),
        (b'{"name": "x", "expires_at": 9223372036854775807}', "Invalid key request"),
        (b'{"name": "' + b"x" * 256 + b'"}', "Invalid key request"),
    ],
)
def test_a_bad_key_request(house: House, body: bytes, text: str) -> None:
    account = house.account()
    answer = account.post("/auth/keys", body)
    assert (answer.status_code, answer.get_json()) == (400, {"ok": False, "message": text})
    assert account.get("/auth/keys").get_json() == {"keys": []}


@pytest.mark.parametrize("number", ["x", "0", "-1", "9223372036854775808"])
def test_a_bad_key_id(house: House, number: str) -> None:
    answer = house.account().delete(f"/auth/keys/{number}")
    assert (answer.status_code, answer.get_json()) == (400, {"ok": False, "message": "Invalid key id"})


def test_events_tell_of_keys_but_not_the_keys(house: House, owner: Visitor) -> None:
    """DESIGN 5."""
    made = key_of(owner)
    owner.delete(f"/auth/keys/{made['id']}")
    kind = "worker" if "X-Secret" in owner.headers else "account"
    told = [{"key_id": str(made["id"]), "name": "nightly import", "owner_kind": kind, "owner_id": 1}]
    assert house.events("auth.key.created") == told == house.events("auth.key.revoked")
