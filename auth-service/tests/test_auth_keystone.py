"""The password login of Keystone's clients (DESIGN 10): first in bytes, then by keystoneauth itself."""

from typing import Any

import pytest

from auth_service.testing import PASSWORD, House
from chassis.identity import JwksVerifier

USER = {"name": "myadmin", "domain": {"name": "Default"}, "password": PASSWORD}


def login(user: Any = USER, **more: Any) -> dict[str, Any]:
    return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, **more}}


@pytest.fixture
def tenant(house: House) -> str:
    """The project of the first account."""
    house.account()
    account = house.parts.accounts.get(1)
    assert account is not None
    return account.tenant


def test_a_password_becomes_a_token(house: House, tenant: str) -> None:
    answer = house.visitor().post("/v3/auth/tokens", login(), Host="yard.example:8080")
    assert answer.status_code == 201
    token = answer.get_json()["token"]
    assert (token["user"]["id"], token["user"]["name"], token["user"]["domain"]["id"]) == ("1", "myadmin", "default")
    assert (token["project"]["id"], token["project"]["name"]) == (tenant, "myadmin")
    assert [role["name"] for role in token["roles"]] == ["member", "admin"]
    [engine] = [service for service in token["catalog"] if service["type"] == "function-engine"]
    assert {endpoint["url"] for endpoint in engine["endpoints"]} == {"http://yard.example:8080"}
    keys = house.visitor().get("/auth/jwks.json").get_json()["keys"]
    principal = JwksVerifier(lambda: keys).verify(answer.headers["X-Subject-Token"])
    assert (principal.id, principal.tenant, principal.admin) == (1, tenant, True)
    assert house.events("auth.login.succeeded") == [{"username": "myadmin", "address": "127.0.0.1"}]


def test_the_catalogue_names_the_gate(house: House, tenant: str) -> None:
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "yard.example"}
    answer = house.visitor().send("POST", "/v3/auth/tokens", login(), forwarded).get_json()
    urls = {service["type"]: service["endpoints"][0]["url"] for service in answer["token"]["catalog"]}
    assert urls == {"function-engine": "https://yard.example", "identity": "https://yard.example/v3"}
    version = house.visitor().send("GET", "/v3", None, forwarded).get_json()["version"]
    assert version["links"] == [{"rel": "self", "href": "https://yard.example/v3/"}]
    assert house.visitor().get("/v3/").get_json()["version"]["id"] == version["id"]


def test_scopes(house: House, tenant: str) -> None:
    visitor = house.visitor()
    own = [
        {"project": {"id": tenant}},
        {"project": {"name": "myadmin", "domain": {"id": "default"}}},
    ]
    for scope in own:
        assert visitor.post("/v3/auth/tokens", login(scope=scope)).get_json()["token"]["project"]["id"] == tenant
    unscoped = visitor.post("/v3/auth/tokens", login(scope="unscoped")).get_json()["token"]
    assert not {"project", "roles", "catalog"} & set(unscoped)
    others = [
        {"project": {"id": "0" * 32}},
        {"project": {"name": "myadmin", "domain": {"name": "elsewhere"}}},
        {"project": {}},
        {"domain": {"id": "default"}},
        {"system": {"all": True}},
    ]
    for scope in others:
        assert visitor.post("/v3/auth/tokens", login(scope=scope)).status_code == 401


@pytest.mark.parametrize(
    "user",
    [
        {**USER, "password": "wrong horse"},
        {**USER, "name": "nobody"},
        {**USER, "domain": {"name": "elsewhere"}},
        {"id": "2", "password": PASSWORD},
        {"id": "x", "password": PASSWORD},
    ],
)
def test_refused_logins(house: House, tenant: str, user: Any) -> None:
    answer = house.visitor().post("/v3/auth/tokens", login(user))
    assert (answer.status_code, answer.get_json()) == (
        401,
        {
            "error": {
                "code": 401,
                "title": "Unauthorized",
                "message": "The request you have made requires authentication.",
            }
        },
    )
    assert house.events("auth.login.succeeded") == []


def test_a_user_by_id(house: House, tenant: str) -> None:
    assert house.visitor().post("/v3/auth/tokens", login({"id": "1", "password": PASSWORD})).status_code == 201


def test_other_methods_are_refused(house: House, tenant: str) -> None:
    for identity in ({"methods": ["token"], "token": {"id": "x"}}, {"methods": ["password"]}):
        assert house.visitor().post("/v3/auth/tokens", {"auth": {"identity": identity}}).status_code == 401


@pytest.mark.parametrize("body", [b"", b"{", b"[]", {}, {"auth": {}}, login({"name": "x"}), login({**USER, "name": 7})])
def test_bodies_that_are_no_login(house: House, body: Any) -> None:
    answer = house.visitor().post("/v3/auth/tokens", body)
    assert (answer.status_code, answer.get_json()["error"]["title"]) == (400, "Bad Request")


def test_guessing_is_throttled(make_house: Any) -> None:
    """As `/login` is, and together with it."""
    house: House = make_house(login_failures=2)
    house.account()
    wrong = {"username": "myadmin", "password": "wrong horse"}
    assert house.visitor().post("/login", wrong).status_code == 403
    assert house.visitor().post("/v3/auth/tokens", login({**USER, "password": "wrong horse"})).status_code == 401
    answer = house.visitor().post("/v3/auth/tokens", login({**USER, "password": "wrong house"}))
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (429, 429)
    assert int(answer.headers["Retry-After"]) > 0
    assert [event["username"] for event in house.events("auth.login.failed")] == ["myadmin", "myadmin"]


def test_without_its_database_it_says_when_to_try_again(house: House) -> None:
    house.database.close()
    answer = house.visitor().post("/v3/auth/tokens", login())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.get_json()["error"]["title"] == "Service Unavailable"
